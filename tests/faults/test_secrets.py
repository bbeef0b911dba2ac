"""Secrets are in no log, no error, no problem, no event and no document, whatever goes wrong."""

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from schemas.errors import Invalid, Unavailable, YmirError
from schemas.kinds import KINDS
from schemas.labeling import LabelingJob
from schemas.task_states import FINAL, TaskState
from schemas.tasks import Task
from storage.mongo import open_database
from storage.production import open_stores
from storage.rabbitmq import open_bus
from storage.s3 import open_blobs
from storage.settings import StoreSettings
from tests.contract.reading_bus import a_doorbell
from tests.faults.program import Program
from tests.faults.waiting import until
from tests.servers.mongod import another_database, drop_database
from tests.servers.process import free_port
from tests.servers.rabbitmq import delete_bus
from tests.workers.pictures import a_jpeg, a_voc_file, an_object

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS: Final = 60.0
SECRET: Final = "Pa55w0rd-of-the-store"  # noqa: S105 - it opens nothing
LINK_KEY: Final = "L1nk-key-of-the-gateway"
ADMIN_KEY: Final = "Adm1n-key-of-the-tests"
SOCKET_BYTES: Final = 65_536


# Stores: one error each, and everything that a driver tells of at its most talkative


async def ask_mongo(url: str) -> None:
    async with open_database(url) as database:
        await database.documents(Task).get_many(["0" * 32])


async def ask_rabbitmq(url: str) -> None:
    async with open_bus(url) as bus:
        await bus.ring(a_doorbell())


async def ask_s3(url: str) -> None:
    async with open_blobs(url, access_key="ymir", secret_key=SECRET) as blobs:
        await blobs.put(b"a blob")


@pytest.mark.parametrize(
    ("ask", "url"),
    [
        (ask_mongo, f"mongodb://user:{SECRET}/x@127.0.0.1:1/ymir"),
        (ask_mongo, f"mongodb://user:1/{SECRET}@127.0.0.1:1/ymir"),
        (ask_mongo, f"mongodb://user:1/{SECRET}$x"),
        (ask_mongo, f"mongodb://user:{SECRET}@x@127.0.0.1:1/ymir"),
        (ask_mongo, f"mongodb://user:1?{SECRET}@127.0.0.1:1/ymir"),
        (ask_mongo, f"http://user:{SECRET}@127.0.0.1:1/ymir"),
        (ask_mongo, SECRET),
        (ask_rabbitmq, f"amqp://user:{SECRET}/x@127.0.0.1:1/"),
        (ask_rabbitmq, f"amqp://user:1/{SECRET}@127.0.0.1:1/"),
        (ask_rabbitmq, f"amqp://user:{SECRET}#x@127.0.0.1:1/"),
        (ask_rabbitmq, f"amqp://user:[{SECRET}@127.0.0.1:1/"),
        (ask_rabbitmq, f"amqp://user:{SECRET}@127.0.0.1:port/"),
        (ask_rabbitmq, f"http://user:{SECRET}@127.0.0.1:1/"),
        (ask_rabbitmq, SECRET),
        (ask_s3, f"http://user:{SECRET}@127.0.0.1:1/bucket"),
        (ask_s3, f"http://127.0.0.1:1/bucket?key={SECRET}"),
        (ask_s3, f"http://127.0.0.1:1/bucket#{SECRET}"),
        (ask_s3, f"http://127.0.0.1:1/{SECRET}"),
        (ask_s3, SECRET),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
async def test_an_address_that_cannot_be_one_is_not_repeated(
    ask: Callable[[str], Awaitable[None]], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(Invalid, match="cannot be used") as caught:
        await ask(url)

    assert_secret([SECRET], within=[everything_of(caught.value), caplog.text])
    assert "://host:port" in caught.value.step or "user:password@host:port" in caught.value.step


async def test_wrong_credentials_are_not_repeated(
    mongo_url: str, amqp_url: str, s3_settings: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = [
        (ask_mongo, mongo_url.replace("://", f"://user:{SECRET}@")),
        (ask_rabbitmq, re.sub("//.*@", f"//guest:{SECRET}@", amqp_url)),
        (ask_s3, s3_settings["YMIR_S3_URL"]),
    ]

    for ask, url in wrong:
        with pytest.raises(Invalid, match="refuses us") as caught:
            await ask(url)

        assert_secret([SECRET], within=[everything_of(caught.value), caplog.text])


async def test_a_server_that_is_away_is_told_of_without_its_password(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("storage.s3_client.TRIES", 0)
    monkeypatch.setattr("storage.mongo_client.SELECTION_MILLISECONDS", 100)
    host = f"127.0.0.1:{free_port()}"

    for ask, url in (
        (ask_mongo, f"mongodb://user:{SECRET}@{host}/ymir"),
        (ask_rabbitmq, f"amqp://user:{SECRET}@{host}/"),
        (ask_s3, f"http://{host}/bucket"),
    ):
        with pytest.raises(Unavailable, match="does not answer") as caught:
            await ask(url)

        assert_secret([SECRET], within=[everything_of(caught.value), caplog.text])


# Processes


class Told(NamedTuple):
    """The processes of a deployment, an administrator's access to it, and all that was answered."""

    http: ClientSession
    answers: list[str]
    logs: tuple[Path, ...]
    port: int

    async def ask(self, method: str, path: str, **given: Any) -> Any:  # noqa: ANN401 - aiohttp's own arguments, any JSON
        """Return an answer, and keep what is said in it and in its head of something that went wrong."""
        async with self.http.request(method, path, **given) as response:
            text = await response.text()
            if not response.ok:
                self.answers.append(f"{response.headers}\n{text}")
            return await response.json(content_type=None) if text else None

    async def raw(self, request: bytes) -> None:
        """Send some bytes that are no HTTP; whoever sent them is told which, and nobody else."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(SECONDS):
            assert b" 400 Bad Request" in await reader.read(SOCKET_BYTES)
        writer.close()
        await writer.wait_closed()

    def said(self) -> list[str]:
        """Return everything that the processes have logged and answered."""
        return [*self.answers, *(log.read_text() for log in self.logs)]


@asynccontextmanager
async def processes(settings: Mapping[str, str], folder: Path) -> AsyncIterator[Told]:
    port, health = free_port(), free_port()
    own = {
        "YMIR_LINK_KEY": LINK_KEY,
        "YMIR_ADMIN_KEY": ADMIN_KEY,
        "YMIR_PORT": str(port),
        "YMIR_HEALTH_PORT": str(health),
        "YMIR_SPOOL": str(folder),
        "YMIR_WORK": str(folder / "work"),
        "YMIR_IMPORT_ROOTS": str(folder),
        **settings,
    }
    programs = [Program(name, environment=own, log=folder / f"{name}.log") for name in ("gateway", "workers")]
    try:
        for program in programs:
            await program.start()
        async with ClientSession(f"http://127.0.0.1:{port}") as http:
            told = Told(http, [], tuple(program.log for program in programs), port)
            for each in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health}"):
                await until(lambda each=each: answers(http, f"{each}/healthz"), seconds=SECONDS)  # type: ignore[misc]
            yield told
            told.answers.append(await (await http.get(f"http://127.0.0.1:{health}/readyz")).text())
    finally:
        for program in programs:
            program.signal(SIGTERM)
            await program.ended()


@pytest.mark.parametrize("is_there", [True, False], ids=["refused", "away"])
async def test_processes_that_are_refused_or_find_nobody_keep_their_secrets(
    mongo_url: str, amqp_url: str, s3_settings: Mapping[str, str], tmp_path: Path, *, is_there: bool
) -> None:
    away = f"127.0.0.1:{free_port()}"
    host = amqp_url.rpartition("@")[2].rstrip("/") if is_there else away
    settings = {
        "YMIR_MONGO_URL": mongo_url.replace("://", f"://user:{SECRET}@")
        if is_there
        else f"mongodb://user:{SECRET}@{away}/ymir",
        "YMIR_AMQP_URL": f"amqp://guest:{SECRET}@{host}/",
        "YMIR_S3_URL": s3_settings["YMIR_S3_URL"] if is_there else f"http://{away}/bucket",
        "YMIR_S3_ACCESS_KEY": s3_settings["YMIR_S3_ACCESS_KEY"],
        "YMIR_S3_SECRET_KEY": SECRET,
    }

    async with processes(settings, tmp_path) as told:
        ready = await told.http.get("/readyz")
        told.answers.append(await ready.text())
        await told.ask("GET", "/v1/projects", headers=bearer(ADMIN_KEY))
        await until(lambda: logged(told, "YMIR_MONGO_URL" if is_there else "MongoDB"), seconds=SECONDS)

    assert ready.status == 503
    assert_secret([SECRET, LINK_KEY, ADMIN_KEY], within=told.said())


async def test_a_service_at_work_keeps_its_secrets(
    mongo_url: str, amqp_url: str, s3_settings: Mapping[str, str], tmp_path: Path
) -> None:
    name, url = f"test-{uuid4().hex}", another_database(mongo_url)
    settings = {
        "YMIR_MONGO_URL": url,
        "YMIR_AMQP_URL": amqp_url,
        "YMIR_S3_URL": f"{s3_settings['YMIR_S3_URL']}/{name}",
        "YMIR_S3_ACCESS_KEY": s3_settings["YMIR_S3_ACCESS_KEY"],
        "YMIR_S3_SECRET_KEY": s3_settings["YMIR_S3_SECRET_KEY"],
        "YMIR_BUS": name,
    }
    a_voc_folder(tmp_path / "pictures")

    async with processes(settings, tmp_path) as told:
        token = await work(told, tmp_path)
        await ask_wrongly(told, token)
    stored = await everything_stored(settings)

    secrets = [ADMIN_KEY, LINK_KEY, settings["YMIR_S3_SECRET_KEY"]]
    assert_secret([*secrets, token], within=[*told.said(), *stored])
    await asyncio.to_thread(drop_database, url)
    await delete_bus(amqp_url, name)


async def work(told: Told, folder: Path) -> str:
    """Have a version made, a task fail and a job begin; return the job's token."""
    http = {"headers": bearer(ADMIN_KEY)}
    await until(lambda: answers(told.http, "/readyz"), seconds=SECONDS)
    await until(lambda: answers(told.http, "/v1/projects", **http), seconds=SECONDS)
    await told.ask("POST", "/v1/projects", json={"name": "cats"}, **http)
    await told.ask("POST", "/v1/projects/cats/classes", json={"classes": [{"name": "cat"}]}, **http)
    pictures = {"type": "import", "dataset": "pool", "source": {"path": str(folder / "pictures")}}
    assert await end_of(told, pictures) == TaskState.SUCCEEDED
    assert await end_of(told, {**pictures, "source": {"path": str(folder / "work")}}) == TaskState.FAILED
    label = {"type": "label", "dataset": "labeled", "source": "pool", "classes": ["cat"]}
    await told.ask("POST", "/v1/projects/cats/tasks", json=label, **http)

    async def token() -> str:
        jobs = (await told.ask("GET", "/v1/projects/cats/labeling", **http))["items"]
        return str(jobs[0]["token"]) if jobs else ""

    return await until(token, seconds=SECONDS)


async def ask_wrongly(told: Told, token: str) -> None:
    """Ask in ways that are refused, with a secret wherever there is place for one."""
    for headers in ({"Authorization": ADMIN_KEY}, {"X-Api-Key": ADMIN_KEY}, {"Cookie": f"key={ADMIN_KEY}"}):
        await told.ask("GET", "/v1/projects", headers=headers)
    await told.ask("GET", "/v1/projects", params={"key": ADMIN_KEY, "cursor": "x"}, headers=bearer(ADMIN_KEY))
    await told.ask("POST", "/v1/projects", data=f'{{"name": "{ADMIN_KEY}', headers=json_bearer(ADMIN_KEY))
    await told.ask("POST", "/v1/projects", json={"nam": ADMIN_KEY}, headers=json_bearer(ADMIN_KEY))
    await told.ask("POST", f"/v1/hooks/api/{token}", json={"nothing": "of it"})
    await told.ask("POST", f"/v1/hooks/api/{token}", data=b"not JSON")
    await told.ask("PUT", f"/v1/hooks/api/{token}")
    await told.ask("POST", f"/v1/hooks/nobody/{token}")
    bearing = f"Host: x\r\nAuthorization: Bearer {ADMIN_KEY}\x00\r\n\r\n"
    await told.raw(f"GET /v1/projects HTTP/1.1\r\n{bearing}".encode())
    await told.raw(f"GET /v1/projects?key={ADMIN_KEY}\x01 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert any("not known" in answer for answer in told.answers)


async def everything_stored(settings: Mapping[str, str]) -> list[str]:
    """Return all documents but the jobs, of which the token is a part."""
    values = {name.removeprefix("YMIR_").lower(): value for name, value in settings.items()}
    stored = []
    async with open_stores(StoreSettings.model_validate(values)) as stores:
        for kind in KINDS:
            if kind is not LabelingJob:
                page = await stores.database.documents(kind).list(limit=1_000)
                stored += [document.model_dump_json() for document in page.items]
    assert any("ymir.task.failed" in document for document in stored)
    return stored


# Reading


def assert_secret(secrets: Iterable[str], *, within: Iterable[str]) -> None:
    for text in within:
        assert [text[max(0, text.find(secret) - 200) :][:400] for secret in secrets if secret in text] == []


def everything_of(error: YmirError) -> str:
    return "".join([*traceback.format_exception(error), error.detail, error.step, repr(error)])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def json_bearer(key: str) -> dict[str, str]:
    return {**bearer(key), "Content-Type": "application/json"}


async def answers(http: ClientSession, url: str, **given: Any) -> bool:  # noqa: ANN401 - aiohttp's own arguments
    try:
        async with http.get(url, **given) as response:
            return response.ok
    except OSError:
        return False


async def logged(told: Told, text: str) -> bool:
    return all(text in log.read_text() for log in told.logs)


async def end_of(told: Told, parameters: Mapping[str, object]) -> TaskState:
    given = {"headers": bearer(ADMIN_KEY)}
    task = await told.ask("POST", "/v1/projects/cats/tasks", json=parameters, **given)

    async def look() -> TaskState | None:
        state = TaskState((await told.ask("GET", f"/v1/tasks/{task['id']}", **given))["state"])
        return state if state in FINAL else None

    state = await until(look, seconds=SECONDS)
    assert state is not None
    return state


def a_voc_folder(folder: Path) -> None:
    for name, data in (("JPEGImages/0.jpg", a_jpeg()), ("Annotations/0.xml", a_voc_file(an_object()).encode())):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
