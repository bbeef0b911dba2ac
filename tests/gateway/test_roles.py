"""What each role may do, call by call."""

import re
from datetime import timedelta

import pytest

from gateway.app import operations
from gateway.operations import Operation
from gateway.roles import NEEDED, Need, Where, need_of
from schemas.keys import ApiKey, Grant, Role, Scope, secret_digest
from schemas.schema import new_id
from storage.ports import Database
from tests.factories import NOON, a_task
from tests.gateway.api import ADMIN, JSON, Api
from tests.gateway.clock import HandClock
from tests.gateway.world import PROJECT, World

ASKED = [operation for operation in operations() if not operation.public]
HELD = [None, *Role]
BEARER = "a-key-of-one-project"


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


async def keep(database: Database, secret: str, **fields: object) -> ApiKey:
    given: dict[str, object] = {"id": new_id(), "name": "some", "secret": secret_digest(secret), "created_at": NOON}
    key = ApiKey.model_validate(given | fields)
    await database.documents(ApiKey).add(key)
    return key


def path_of(operation: Operation, *, task: str) -> str:
    path = operation.path.replace("{project}", PROJECT)
    if path.startswith("/v1/tasks/"):
        path = path.replace("{id}", task, 1)
    return re.sub(r"{\w+}", "1", path)


def test_every_operation_has_its_row_and_every_row_its_operation() -> None:
    assert set(NEEDED) == {(operation.method, operation.path) for operation in ASKED}


@pytest.mark.parametrize("held", HELD, ids=str)
async def test_a_role_in_one_project_reaches_as_far_as_the_table_says(
    api: Api, database: Database, world: World, held: Role | None
) -> None:
    task = a_task(project=world.project.id)
    await world.add(task)
    project = new_id() if held is None else world.project.id
    await keep(database, BEARER, grants=[Grant(project=project, name="some", role=held or Role.ADMIN)])

    wrong = []
    for operation in ASKED:
        response = await api.bearing(BEARER).raw(operation.method, path_of(operation, task=task.id))
        if not is_as_told(response.status, need_of(operation), held):
            wrong.append((named(operation), response.status))

    assert not wrong


def is_as_told(status: int, need: Need, held: Role | None) -> bool:
    if need.where is Where.SERVICE:
        return status == 403
    if held is None and need.where in {Where.PROJECT, Where.TASK}:
        return status == 404
    if held is not None and held.rank < need.role.rank:
        return status == 403
    return status not in {401, 403}


@pytest.mark.parametrize("held", Role, ids=str)
async def test_a_role_everywhere_reaches_everything_of_its_rank(
    api: Api, database: Database, world: World, held: Role
) -> None:
    task = a_task(project=world.project.id)
    await world.add(task)
    await keep(database, BEARER, role=held)

    refused = set()
    for operation in ASKED:
        response = await api.bearing(BEARER).raw(operation.method, path_of(operation, task=task.id))
        refused |= {named(operation)} if response.status == 403 else set()

    assert refused == {named(operation) for operation in ASKED if held.rank < need_of(operation).role.rank}


@pytest.mark.usefixtures("world")
async def test_a_key_with_scopes_does_what_they_name_alone(api: Api, database: Database) -> None:
    for scope in Scope:
        await keep(database, f"only-{scope}", role=Role.ADMIN, scopes=[scope])
        await keep(database, f"all-but-{scope}", role=Role.ADMIN, scopes=[one for one in Scope if one is not scope])

    for operation in ASKED:
        scope, path = need_of(operation).scope, path_of(operation, task=new_id())
        assert (await api.bearing(f"all-but-{scope}").raw(operation.method, path)).status == 403, named(operation)
        assert (await api.bearing(f"only-{scope}").raw(operation.method, path)).status != 403, named(operation)


async def test_a_key_of_one_project_sees_no_other(api: Api, world: World) -> None:
    await api.post("/v1/projects", {"name": "fish"}, expect=201)
    made = await api.post(
        "/v1/keys", {"name": "labeler", "projects": [{"project": PROJECT, "role": "member"}]}, expect=201
    )
    theirs = api.bearing(made["secret"])
    other = await api.post("/v1/projects/fish/tasks", a_sample("nothing"), expect=422)
    assert other["errors"]

    assert [project["name"] for project in (await theirs.get("/v1/projects"))["items"]] == [PROJECT]
    await theirs.get("/v1/projects/fish", expect=404)
    await theirs.get("/v1/events?project=fish", expect=404)
    version = await world.version()
    copied = {"type": "copy", "dataset": "mine", "source": {"project": PROJECT, "ref": "pool"}}
    refused = await theirs.post("/v1/projects/fish/tasks", copied, expect=404)
    assert "fish" in refused["detail"]
    assert version.dataset_name == "pool"


def a_sample(source: str) -> JSON:
    return {"type": "sample", "dataset": "some", "source": source, "count": 1}


async def test_a_task_cannot_read_what_its_caller_cannot(api: Api, world: World) -> None:
    await world.version()
    await api.post("/v1/projects", {"name": "fish"}, expect=201)
    made = await api.post("/v1/keys", {"name": "x", "projects": [{"project": "fish", "role": "member"}]}, expect=201)
    copied = {"type": "import", "dataset": "mine", "source": {"project": PROJECT, "ref": "pool"}}

    refused = await api.bearing(made["secret"]).post("/v1/projects/fish/tasks", copied, expect=422)

    assert refused["errors"][0]["pointer"] == "/source/project"
    await api.post("/v1/projects/fish/tasks", copied | {"unknown_classes": "add"}, expect=202)


async def test_events_of_other_projects_are_not_shown(api: Api, world: World, database: Database) -> None:
    await world.version()
    await api.post("/v1/projects", {"name": "fish"}, expect=201)
    await keep(database, BEARER, grants=[Grant(project=new_id(), name="fish", role=Role.VIEWER)])
    task = await api.post(f"/v1/projects/{PROJECT}/tasks", a_sample("pool"), expect=202)
    await api.post(f"/v1/tasks/{task['id']}/cancel", expect=202)

    theirs = await api.bearing(BEARER).get("/v1/events")
    last = await api.bearing(BEARER).get("/v1/events?last=true")

    assert (theirs["items"], last["items"]) == ([], [])


async def test_the_secret_of_a_key_is_told_once_and_kept_by_nobody(api: Api, database: Database) -> None:
    made = await api.post("/v1/keys", {"name": "ci", "role": "viewer"}, expect=201)

    kept = (await database.documents(ApiKey).get(made["id"])).model_dump_json()
    assert made["secret"] not in kept
    assert "secret" not in await api.get(f"/v1/keys/{made['id']}")
    await api.bearing(made["secret"]).get("/v1/projects")
    await api.bearing(made["secret"]).post("/v1/projects", {"name": "x"}, expect=403)


async def test_a_request_for_a_key_sent_twice_makes_one(api: Api, clock: HandClock) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"name": "ci", "role": "viewer"}

    first = await api.post("/v1/keys", body, expect=201, headers=headers)
    clock.advance(60)
    second = await api.post("/v1/keys", body, expect=201, headers=headers)
    await api.post("/v1/keys", body | {"role": "admin"}, expect=422, headers=headers)

    assert first == second
    assert [key["name"] for key in (await api.get("/v1/keys"))["items"]].count("ci") == 1


async def test_a_key_that_is_removed_or_has_expired_opens_nothing(api: Api, clock: HandClock) -> None:
    soon = (NOON + timedelta(hours=1)).isoformat()
    brief = await api.post("/v1/keys", {"name": "brief", "role": "viewer", "expires_at": soon}, expect=201)
    gone = await api.post("/v1/keys", {"name": "gone", "role": "viewer"}, expect=201)

    await api.delete(f"/v1/keys/{gone['id']}")
    await api.bearing(gone["secret"]).get("/v1/projects", expect=401)
    await api.bearing(brief["secret"]).get("/v1/projects")
    clock.advance(3601)

    await api.bearing(brief["secret"]).get("/v1/projects", expect=401)
    await api.post("/v1/keys", {"name": "late", "role": "viewer", "expires_at": soon}, expect=422)


async def test_who_administers_a_project_makes_keys_for_it_alone(api: Api, world: World) -> None:
    await api.post("/v1/projects", {"name": "fish"}, expect=201)
    birds: JSON = {"projects": [{"project": PROJECT, "role": "admin"}]}
    made = await api.post("/v1/keys", {"name": "head", **birds}, expect=201)
    theirs = api.bearing(made["secret"])

    member: JSON = {"projects": [{"project": PROJECT, "role": "member"}]}
    labeler = await theirs.post("/v1/keys", {"name": "labeler", **member}, expect=201)
    await theirs.post("/v1/keys", {"name": "much", "role": "viewer"}, expect=403)
    await theirs.post("/v1/keys", {"name": "x", "projects": [{"project": "fish", "role": "viewer"}]}, expect=422)
    await api.bearing(labeler["secret"]).post("/v1/keys", {"name": "x", **member}, expect=403)

    assert {key["name"] for key in (await theirs.get("/v1/keys"))["items"]} == {"head", "labeler"}
    assert len((await api.get("/v1/keys"))["items"]) > 2
    await theirs.delete(f"/v1/keys/{labeler['id']}")
    assert world.project.name == PROJECT


@pytest.mark.parametrize(
    "wanted",
    [{"scopes": []}, {"scopes": ["admin", "read"]}, {"scopes": ["admin"]}, {"scopes": ["admin"], "expires_at": "2099"}],
)
async def test_no_key_makes_one_that_may_more_than_itself(api: Api, wanted: JSON) -> None:
    until = (NOON + timedelta(hours=1)).isoformat()
    body = {"name": "narrow", "role": "admin", "scopes": ["admin"], "expires_at": until}
    narrow = api.bearing((await api.post("/v1/keys", body, expect=201))["secret"])

    later = {"expires_at": "2099-01-01T00:00:00Z"} if wanted.get("expires_at") else {}
    await narrow.post("/v1/keys", {"name": "more", "role": "admin", **wanted, **later}, expect=403)

    await narrow.post("/v1/keys", {**body, "name": "equal"}, expect=201)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "", "role": "viewer"},
        {"name": "x", "role": "king"},
        {"name": "x", "projects": [{"project": PROJECT, "role": "viewer"}, {"project": PROJECT, "role": "admin"}]},
        {"name": "x", "projects": [{"project": "no-such", "role": "viewer"}]},
        {"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"},
    ],
)
@pytest.mark.usefixtures("world")
async def test_a_key_without_sense_is_refused(api: Api, body: JSON) -> None:
    refused = await api.post("/v1/keys", body, expect=422)

    assert refused["errors"]


async def test_the_first_key_is_an_administrators(api: Api) -> None:
    assert api.secret == ADMIN
    assert {"the admin", "the member", "the viewer"} == {key["name"] for key in (await api.get("/v1/keys"))["items"]}
