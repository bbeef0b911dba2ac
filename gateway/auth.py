"""Who calls, and what they may do."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.operations import operation_of
from gateway.problems import Handler, Refused
from gateway.services import CALLER, Services
from gateway.signing import is_signed
from schemas.errors import Denied
from schemas.keys import ApiKey, Role, secret_digest
from storage.ports import Query

KEYS_CACHED: Final = 1_000
BEARER: Final = re.compile(r"Bearer +([\x21-\x7e]{1,500})", re.IGNORECASE)

RANK: Final[Mapping[Role, int]] = {Role.VIEWER: 0, Role.MEMBER: 1, Role.ADMIN: 2}
NEEDED: Final[Mapping[str, Role]] = {"GET": Role.VIEWER}
# What is not named here and changes something is for members.
NEEDED_FOR: Final[Mapping[tuple[str, str], Role]] = {
    ("POST", "/v1/projects"): Role.ADMIN,
    ("DELETE", "/v1/projects/{project}"): Role.ADMIN,
    ("POST", "/v1/executors"): Role.ADMIN,
    ("PATCH", "/v1/executors/{name}"): Role.ADMIN,
    ("DELETE", "/v1/executors/{name}"): Role.ADMIN,
    # Anything may be in them, of any project.
    ("GET", "/v1/dead-letters"): Role.ADMIN,
    ("GET", "/v1/dead-letters/{id}"): Role.ADMIN,
    ("GET", "/v1/dead-letters/{id}/body"): Role.ADMIN,
    ("POST", "/v1/dead-letters/{id}/replay"): Role.ADMIN,
    ("DELETE", "/v1/dead-letters/{id}"): Role.ADMIN,
}


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
    caller = await _caller(request)
    request[CALLER] = caller
    needed = NEEDED_FOR.get((operation.method, operation.path), NEEDED.get(operation.method, Role.MEMBER))
    if RANK[caller.role] < RANK[needed]:
        raise Denied(f"The key {caller.name!r} is a {caller.role}'s.", step=f"Use the key of a {needed}.")
    return await handler(request)


async def _caller(request: web.Request) -> ApiKey:
    bearer = BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    caller = await request.app[KEYS].of(bearer[1]) if bearer else None
    if caller is None:
        detail = "The key is not known." if bearer else "The request bears no key."
        challenge = {"WWW-Authenticate": 'Bearer realm="ymir"'}
        raise Refused(401, detail, step="Send Authorization: Bearer <key>.", headers=challenge)
    return caller
