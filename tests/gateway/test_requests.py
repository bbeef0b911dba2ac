"""What holds for every request: keys, bodies, idempotency, limits and problems."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from gateway.app import build_app
from gateway.services import Services
from schemas.errors import Unavailable
from schemas.executors import Executor, ExecutorSubmission
from schemas.keys import ApiKey, Role, secret_digest
from schemas.requests import RememberedRequest
from schemas.schema import derived_id, digest_of, new_id
from storage.ports import Database, Query
from tests.factories import NOON
from tests.gateway.api import ADMIN, JSON, MEMBER, VIEWER, Api
from tests.gateway.clock import HandClock
from tests.gateway.world import PROJECT, World

CARS = {"name": "cars"}
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {ADMIN}", "Bearer \xff", "Bearer a b"])
async def test_without_a_known_key_nothing_is_shown(api: Api, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    response = await api.bearing("").raw("GET", "/v1/projects", headers=headers)

    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_what_says_how_the_service_is_needs_no_key(api: Api) -> None:
    nobody = api.bearing("")

    for path in ("/healthz", "/readyz", "/openapi.json"):
        await nobody.get(path)

    assert (await nobody.raw("GET", "/docs")).status == 200
    await nobody.get("/metrics", expect=401)


async def test_a_key_that_has_expired_is_not_known(api: Api, database: Database, clock: HandClock) -> None:
    fields: JSON = {"name": "short", "role": Role.ADMIN, "created_at": NOON, "expires_at": NOON + timedelta(hours=1)}
    await database.documents(ApiKey).add(ApiKey(id=new_id(), secret=secret_digest("short"), **fields))
    short = api.bearing("short")

    await short.get("/v1/projects")
    clock.advance(3600)

    await short.get("/v1/projects", expect=401)


@pytest.mark.parametrize(
    ("secret", "method", "path", "status"),
    [
        (VIEWER, "GET", f"/v1/projects/{PROJECT}", 200),
        (VIEWER, "PATCH", f"/v1/projects/{PROJECT}", 403),
        (VIEWER, "POST", f"/v1/projects/{PROJECT}/tasks", 403),
        (MEMBER, "PATCH", f"/v1/projects/{PROJECT}", 200),
        (MEMBER, "DELETE", f"/v1/projects/{PROJECT}", 403),
        (MEMBER, "POST", "/v1/projects", 403),
        (MEMBER, "POST", "/v1/executors", 403),
        (MEMBER, "GET", "/v1/executors", 200),
    ],
)
@pytest.mark.usefixtures("world")
async def test_a_key_may_do_what_its_role_says(api: Api, secret: str, method: str, path: str, status: int) -> None:
    body: JSON | None = None if method == "GET" else {}

    response = await api.bearing(secret).raw(method, path, json=body)

    assert response.status == status


async def test_a_link_holds_for_its_own_address_and_for_a_while(api: Api, world: World, clock: HandClock) -> None:
    await world.version()
    nobody = api.bearing("")
    assets = (await api.get(f"/v1/projects/{PROJECT}/datasets/pool/versions/1/assets"))["items"]
    link, other = (item["image"].removeprefix(api.services.settings.public_url) for item in assets[:2])
    signature = link.partition("?")[2]

    assert (await nobody.raw("GET", link)).status == 200
    assert (await nobody.raw("GET", other.partition("?")[0] + "?" + signature)).status == 403
    assert (await nobody.raw("GET", link.replace("expires=1", "expires=2"))).status == 403
    assert (await nobody.raw("GET", f"/v1/projects?{signature}")).status == 403
    clock.advance(api.services.settings.link_seconds + 3601)
    assert (await nobody.raw("GET", link)).status == 403


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON_TYPE, 400),
        (b"", JSON_TYPE, 400),
        (b"\xff\xfe{}", JSON_TYPE, 400),
        (b'{"name": "cars"}', {"Content-Type": "text/plain"}, 415),
        (b'{"name": "cars"}', {}, 415),
        (b'{"name": "cars", "name": "cats"}', JSON_TYPE, 422),
        (b'{"name": "cars", "targets": {"wheels": 4}}', JSON_TYPE, 422),
        (b'{"name": "cars", "targets": {"mean_average_precision": NaN}}', JSON_TYPE, 422),
        (b"[]", JSON_TYPE, 422),
        (b"[" * 100_000, JSON_TYPE, 400),
        (b'{"name": "\\ud800"}', JSON_TYPE, 422),
        (b" " * (2**20 + 1), JSON_TYPE, 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    api: Api, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = await api.raw("POST", "/v1/projects", data=io.BytesIO(body), headers=headers)

    assert response.status == status
    assert (await api.get("/v1/projects"))["items"] == []


async def test_every_fault_of_a_body_is_pointed_at(api: Api) -> None:
    body = {"nam": "cars", "object_type": "blob", "targets": {"rounds": 0}, "classes": ["a;b"]}

    problem = await api.post("/v1/projects", body, expect=422)

    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"/nam", "/name", "/object_type", "/targets/rounds", "/classes/0"}


async def test_what_a_name_may_be_is_told_in_words(api: Api) -> None:
    problem = await api.post("/v1/projects", {"name": "my cars"}, expect=422)

    (error,) = problem["errors"]
    assert error["detail"].startswith("A name has at most 100 letters, digits, dots, dashes and underscores")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/tasks/none", 404), ("PUT", "/v1/projects", 405)],
)
async def test_what_is_not_there_is_a_problem(api: Api, method: str, path: str, status: int) -> None:
    response = await api.raw(method, path)

    assert response.status == status
    assert (await response.json())["instance"] == path
    assert ("Allow" in response.headers) == (status == 405)


async def test_a_bug_tells_its_reference_and_nothing_else(services: Services) -> None:
    async def broken(_: ExecutorSubmission) -> Executor:
        message = "a secret of the inside"
        raise RuntimeError(message)

    async with TestClient(TestServer(build_app(replace(services, inspect_executor=broken)))) as client:
        problem = await Api(client).post("/v1/executors", {"name": "x", "reference": "x"}, expect=500)

    assert "secret" not in json.dumps(problem)
    assert "log under" in problem["detail"]


async def test_what_is_unavailable_says_when_to_try_again(services: Services) -> None:
    async def away(_: ExecutorSubmission) -> Executor:
        raise Unavailable("The engine does not answer.")

    async with TestClient(TestServer(build_app(replace(services, inspect_executor=away)))) as client:
        response = await Api(client).raw("POST", "/v1/executors", json={"name": "x", "reference": "x"})

    assert (response.status, "Retry-After" in response.headers) == (503, True)


@pytest.mark.parametrize("header", ['"one"', "one"])
async def test_a_repeated_request_has_the_same_answer_and_no_second_effect(api: Api, header: str) -> None:
    first = await api.raw("POST", "/v1/projects", json=CARS, headers={"Idempotency-Key": '"one"'})

    second = await api.raw("POST", "/v1/projects", json=CARS, headers={"Idempotency-Key": header})
    other = await api.raw("POST", "/v1/projects", json={"name": "cats"}, headers={"Idempotency-Key": header})

    assert (first.status, second.status, other.status) == (201, 201, 422)
    assert await second.read() == await first.read()
    assert second.headers["Location"] == first.headers["Location"]
    assert len((await api.get("/v1/projects"))["items"]) == 1


async def test_a_task_asked_for_twice_is_one_task(api: Api, world: World) -> None:
    await world.version()
    path, headers = f"/v1/projects/{PROJECT}/tasks", {"Idempotency-Key": '"one"'}
    body = {"type": "sample", "dataset": "few", "source": "pool", "count": 1}

    first, second = await asyncio.gather(*(api.post(path, body, expect=202, headers=headers) for _ in range(2)))
    await world.version(number=2)
    third = await api.post(path, body, expect=202, headers=headers)
    await api.post(path, {**body, "count": 2}, expect=422, headers=headers)

    assert first["id"] == second["id"] == third["id"]
    assert third["inputs"] == first["inputs"]
    assert len((await api.get(path))["items"]) == 1


async def test_a_request_that_failed_may_be_made_again(api: Api) -> None:
    headers = {"Idempotency-Key": '"one"'}
    await api.post("/v1/projects", {"nam": "cars"}, expect=422, headers=headers)

    await api.post("/v1/projects", CARS, expect=201, headers=headers)


async def test_a_request_in_progress_elsewhere_is_waited_for_and_then_taken_over(api: Api, clock: HandClock) -> None:
    [admin] = (await api.services.database.documents(ApiKey).list(Query(equal={"name": "the admin"}))).items
    body = json.dumps(CARS).encode()
    begun = RememberedRequest(
        id=derived_id("request", admin.id, "/v1/projects", "one"), fingerprint=digest_of(body), created_at=NOON
    )
    await api.services.database.documents(RememberedRequest).add(begun)
    headers = {"Idempotency-Key": '"one"', **JSON_TYPE}

    waiting = await api.raw("POST", "/v1/projects", data=body, headers=headers)
    clock.advance(60)
    taken = await api.raw("POST", "/v1/projects", data=body, headers=headers)

    assert (waiting.status, "Retry-After" in waiting.headers, taken.status) == (409, True, 201)


@pytest.mark.parametrize("key", ["", '"', '"a', "a b", '"' + "a" * 256 + '"'])
async def test_a_malformed_idempotency_key_is_refused(api: Api, key: str) -> None:
    response = await api.raw("POST", "/v1/projects", json=CARS, headers={"Idempotency-Key": key})

    assert response.status == 400


async def test_a_key_that_asks_too_often_is_told_to_wait(services: Services) -> None:
    settings = services.settings.model_copy(update={"requests_per_second": 0.1, "burst": 2})
    async with TestClient(TestServer(build_app(replace(services, settings=settings)))) as client:
        api = Api(client)
        answers = [await api.raw("GET", "/v1/projects") for _ in range(3)]
        other = await api.bearing(VIEWER).raw("GET", "/v1/projects")

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "10"
    assert other.status == 200


async def test_an_answer_has_the_id_of_its_request(api: Api) -> None:
    given = await api.raw("GET", "/healthz", headers={"X-Request-Id": "mine-1"})
    made = await api.raw("GET", "/nowhere", headers={"X-Request-Id": "not one\tof mine"})

    assert given.headers["X-Request-Id"] == "mine-1"
    assert len(made.headers["X-Request-Id"]) == 32


async def test_answers_and_tasks_are_counted(api: Api) -> None:
    counted = {"method": "GET", "route": "/v1/projects", "status": "200"}
    before = REGISTRY.get_sample_value("ymir_http_answers_total", counted) or 0.0

    await api.get("/v1/projects")

    text = await (await api.raw("GET", "/metrics")).text()
    assert f'ymir_http_answers_total{{method="GET",route="/v1/projects",status="200"}} {before + 1}' in text
    assert 'ymir_tasks{state="queued",type="merge"} 0.0' in text
    assert 'ymir_oldest_queued_seconds{slot="data"} 0.0' in text
    assert "ymir_unfinished_outcomes 0.0" in text
