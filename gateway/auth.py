"""Who calls, and what they may do."""

import re
from collections import OrderedDict
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.finding import no_project, project_of, task_of
from gateway.operations import operation_of
from gateway.problems import Handler, Refused
from gateway.roles import Need, Where, need_of
from gateway.services import CALLER, ROLE, Services
from gateway.signing import is_signed
from schemas.errors import Denied, NotFound, with_article
from schemas.keys import ApiKey, Role, secret_digest
from storage.ports import Query

KEYS_CACHED: Final = 1_000
BEARER: Final = re.compile(r"Bearer +([\x21-\x7e]{1,500})", re.IGNORECASE)


class Keys:
    """The keys that were seen lately; one that is removed works for a few seconds more."""

    def __init__(self, services: Services) -> None:
        self._keys = services.database.documents(ApiKey)
        self._clock = services.clock
        self._seconds = services.settings.key_cache_seconds
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()

    async def of(self, secret: str) -> ApiKey | None:
        """Return the key with a secret; None if there is none, or if it has expired."""
        now = self._clock()
        digest = secret_digest(secret)
        read_at, key = self._known.get(digest, (0.0, None))
        if key is None or not 0 <= now.timestamp() - read_at < self._seconds:
            page = await self._keys.list(Query(equal={"secret": digest}), limit=1)
            if not page.items:
                self._known.pop(digest, None)
                return None
            key = page.items[0]
            self._remember(digest, now.timestamp(), key)
        return None if key.expires_at is not None and key.expires_at <= now else key

    def _remember(self, digest: str, at: float, key: ApiKey) -> None:
        self._known[digest] = (at, key)
        self._known.move_to_end(digest)
        if len(self._known) > KEYS_CACHED:
            self._known.popitem(last=False)


KEYS: Final = web.AppKey("keys", Keys)


@web.middleware
async def auth(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through if its key, or its signed link, may do what it asks."""
    operation = operation_of(request)
    if operation is None or operation.public:
        return await handler(request)
    if "signature" in request.query and request.method in {"GET", "HEAD"}:
        if not is_signed(request):
            detail = "The link is not signed by this service for this address, or it has expired."
            raise Refused(HTTPStatus.FORBIDDEN, detail, step="Ask for the list again; its links are new.")
        return await handler(request)
    request[CALLER] = await _caller(request)
    request[ROLE] = await _permitted(request, request[CALLER], need_of(operation))
    return await handler(request)


async def _permitted(request: web.Request, caller: ApiKey, need: Need) -> Role:
    """Return the role by which a key may do what it asks; raise Denied, or NotFound for what it may not know of."""
    role = caller.role if need.where is Where.SERVICE else caller.highest
    if need.where in {Where.PROJECT, Where.TASK}:
        # Whoever may do it everywhere need not be asked where.
        is_enough = caller.role is not None and caller.role.rank >= need.role.rank
        role = caller.role if is_enough else await _role_there(request, caller, need.where)
    if role is None or role.rank < need.role.rank:
        held = f"is that of {with_article(role)}" if role else "has no role outside of its projects"
        raise Denied(f"The key {caller.name!r} {held}.", step=f"Use the key of {with_article(need.role)}.")
    if caller.scopes and need.scope not in caller.scopes:
        held = ", ".join(caller.scopes)
        raise Denied(f"The key {caller.name!r} is for {held} alone.", step=f"Use a key with the scope {need.scope}.")
    return role


async def _role_there(request: web.Request, caller: ApiKey, where: Where) -> Role:
    if where is Where.TASK:
        task = await task_of(request)
        role, unknown = caller.role_in(task.project), NotFound("task", task.id)
    else:
        project = await project_of(request, hidden=True)
        role, unknown = caller.role_in(project.id), no_project(project.name)
    if role is None:
        raise unknown
    return role


def bearer_of(request: web.Request) -> str | None:
    """Return the secret that a request bears, if it bears one."""
    bearer = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    return bearer[1] if bearer else None


async def _caller(request: web.Request) -> ApiKey:
    bearer = bearer_of(request)
    caller = await request.app[KEYS].of(bearer) if bearer else None
    if caller is None:
        detail = "The key is not known." if bearer else "The request bears no key."
        challenge = {"WWW-Authenticate": 'Bearer realm="ymir"'}
        raise Refused(401, detail, step="Send Authorization: Bearer <key>.", headers=challenge)
    return caller
