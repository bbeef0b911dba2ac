"""Keys: who may call, and what they may do."""

import base64
import hmac
from typing import Final

from aiohttp import web

from gateway.finding import readable_projects
from gateway.idempotency import fingerprint_of, identity_of, other_body
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read, read_query
from gateway.replies import nothing, reply
from gateway.services import CALLER, SERVICES
from schemas.errors import Denied, Fault, Invalid, NotFound
from schemas.keys import ApiKey, Grant, KeySubmission, KeyView, NewKey, ProjectRole, secret_digest
from schemas.pages import Page
from schemas.schema import Id
from storage.contested import added

routes: Final = Routes("keys")

PREFIX: Final = "ymir_"
KEY: Final = "/v1/keys/{id}"


@routes.get("/v1/keys", query=PageQuery, answer=Page[KeyView])
async def list_keys(request: web.Request) -> web.Response:
    """List the keys that the caller may remove, the newest first; a page may be short and still not be the last."""
    query = read_query(request, PageQuery)
    keys = request.app[SERVICES].database.documents(ApiKey)
    page = await keys.list(order="-created_at", limit=page_size(request, query), cursor=query.cursor)
    views = [_view(key) for key in page.items if _manages(request[CALLER], key)]
    return reply(Page[KeyView](items=tuple(views), next=page.next))


@routes.post("/v1/keys", body=KeySubmission, answer=NewKey, status=201, created=True, accepts_key=True)
async def create_key(request: web.Request) -> web.Response:
    """Make a key; its secret is in this answer, and nowhere else."""
    submission = await read(request, KeySubmission)
    services, caller = request.app[SERVICES], request[CALLER]
    if submission.expires_at is not None and submission.expires_at <= services.clock():
        fault = Fault("This has passed already.", "/expires_at")
        raise Invalid("The key would never work.", step="Name an instant that is to come.", faults=[fault])
    secret = _secret(request, identity := identity_of(request))
    key = ApiKey(
        id=identity,
        name=submission.name,
        secret=secret_digest(secret),
        role=submission.role,
        grants=await _grants(request, submission),
        scopes=submission.scopes,
        created_by=caller.name,
        created_at=services.clock(),
        expires_at=submission.expires_at,
        fingerprint=await fingerprint_of(request),
    )
    _check(key, caller)
    known = await added(key, services.database.documents(ApiKey))
    if known.fingerprint != key.fingerprint:
        raise other_body()
    view = NewKey(**_view(known).model_dump(), secret=secret)
    return reply(view, status=201, headers={"Location": f"/v1/keys/{key.id}", "Cache-Control": "no-store"})


@routes.get(KEY, answer=KeyView)
async def show_key(request: web.Request) -> web.Response:
    """Show a key, without its secret."""
    return reply(_view(await _key_of(request)))


@routes.delete(KEY)
async def remove_key(request: web.Request) -> web.Response:
    """Remove a key; it works for a few seconds more, as long as gateways remember it."""
    key = await _key_of(request)
    await request.app[SERVICES].database.documents(ApiKey).remove(key.id)
    return nothing()


def _secret(request: web.Request, identity: Id) -> str:
    """Return the secret of the key that a request makes, the same when it is sent again.

    It follows from the caller's own secret and the deployment's, so that whoever has but one of them, or the store,
    does not have it.
    """
    deployment = request.app[SERVICES].settings.link_key.get_secret_value()
    bearer = request.headers.get("Authorization", "").strip().rpartition(" ")[2]
    told = hmac.digest(deployment.encode(), f"key\n{identity}\n{bearer}".encode(), "sha256")
    return PREFIX + base64.urlsafe_b64encode(told).decode().rstrip("=")


async def _grants(request: web.Request, submission: KeySubmission) -> tuple[Grant, ...]:
    """Return the roles in projects; raise Invalid naming every project that is not there."""
    asked = submission.projects
    names = {f"/projects/{place}/project": one.project for place, one in enumerate(asked)}
    projects = await readable_projects(request, names, whose="key")
    return tuple(
        Grant(project=project.id, name=project.name, role=one.role)
        for project, one in zip(projects, asked, strict=True)
    )


def _check(key: ApiKey, caller: ApiKey) -> None:
    """Raise Denied for a key that may more, or longer, than the one that makes it."""
    if not _manages(caller, key):
        detail = f"The key {caller.name!r} is not that of an administrator of all that the new key is for."
        raise Denied(detail, step="Name only projects that it administers, and no role outside of them.")
    if caller.scopes and not (key.scopes and set(key.scopes) <= set(caller.scopes)):
        detail = f"The key {caller.name!r} is for {', '.join(caller.scopes)} alone."
        raise Denied(detail, step="Give the new key scopes out of these.")
    if caller.expires_at is not None and (key.expires_at is None or key.expires_at > caller.expires_at):
        detail = f"The key {caller.name!r} expires at {caller.expires_at:%Y-%m-%d %H:%M} UTC."
        raise Denied(detail, step="Have the new key expire no later.")


def _manages(caller: ApiKey, key: ApiKey) -> bool:
    """Return whether a caller may make, see and remove a key: it has to administer everything that the key is for."""
    return caller.is_admin or (key.role is None and caller.administers([grant.project for grant in key.grants]))


def _view(key: ApiKey) -> KeyView:
    projects = tuple(ProjectRole(project=grant.name, role=grant.role) for grant in key.grants)
    shown = {name: getattr(key, name) for name in KeyView.model_fields if name != "projects"}
    return KeyView(**shown, projects=projects)


async def _key_of(request: web.Request) -> ApiKey:
    identity = request.match_info["id"]
    found = await request.app[SERVICES].database.documents(ApiKey).get_many([identity])
    if not found or not _manages(request[CALLER], found[0]):
        raise NotFound("key", identity, step="GET /v1/keys lists those there are.")
    return found[0]
