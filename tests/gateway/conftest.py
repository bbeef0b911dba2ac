"""A gateway on the embedded adapters, and a world to ask it about."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from gateway.app import build_app
from gateway.services import Services
from gateway.settings import GatewaySettings
from schemas.executors import Executor, ExecutorSubmission, Purpose
from schemas.keys import ApiKey, Role, secret_digest
from schemas.schema import new_id
from schemas.tasks import Task
from storage.announcing import Announcer
from storage.datasets.library import Library
from storage.event_log import EventLog
from storage.folder import FolderBlobs
from storage.local_bus import LocalBus
from storage.ports import Database
from storage.readiness import VITAL, Readiness
from storage.sqlite import open_database
from tests.factories import NOON
from tests.gateway.api import ADMIN, MEMBER, VIEWER, Api
from tests.gateway.clock import HandClock
from tests.gateway.world import World, an_executor


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "ymir.sqlite") as database:
        for secret, role in ((ADMIN, Role.ADMIN), (MEMBER, Role.MEMBER), (VIEWER, Role.VIEWER)):
            key = ApiKey(id=new_id(), name=f"the {role}", secret=secret_digest(secret), role=role, created_at=NOON)
            await database.documents(ApiKey).add(key)
        yield database


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    (tmp_path / "imports").mkdir()
    return GatewaySettings(
        link_key=SecretStr("a key that signs links"),
        import_roots=(tmp_path / "imports",),
        body_limit_bytes=2**20,
        upload_limit_bytes=2**20,
        spool=tmp_path,
        key_cache_seconds=0,
    )


@pytest.fixture
def services(tmp_path: Path, database: Database, settings: GatewaySettings, clock: HandClock) -> Services:
    blobs = FolderBlobs(tmp_path / "blobs")
    event_log = EventLog(database, "urn:ymir:test")
    bus = LocalBus()
    return Services(
        database=database,
        blobs=blobs,
        bus=bus,
        library=Library(database, blobs),
        event_log=event_log,
        clock=clock,
        settings=settings,
        inspect_executor=_inspect,
        announce=Announcer(database.documents(Task), event_log, bus).announce,
        readiness=Readiness(database, blobs, bus, vital=VITAL),
    )


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Api]:
    async with TestClient(TestServer(build_app(services))) as client:
        yield Api(client)


@pytest.fixture
async def world(services: Services) -> World:
    world = World(services)
    await world.begin()
    return world


async def _inspect(submission: ExecutorSubmission) -> Executor:
    executor = an_executor(submission.name, Purpose.TRAINING, Purpose.INFER)
    return executor.model_copy(update=submission.model_dump(include={"reference", "description"}))
