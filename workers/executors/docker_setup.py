"""Docker as a worker has it: the runtime and its reaper, where the settings and the machine offer it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from schemas.executors import Runtime
from schemas.schema import derived_id
from schemas.tasks import Task
from storage.ports import Database
from storage.settings import StoreSettings
from workers.executors.docker import DockerRuntime
from workers.executors.docker_settings import DockerSettings
from workers.executors.engine import Engine
from workers.executors.images import Images
from workers.executors.reaper import Reaper
from workers.executors.runtime import ExecutorRuntime


class DockerParts(NamedTuple):
    """What a worker takes of Docker; all empty where there is none."""

    runtimes: dict[Runtime, ExecutorRuntime]
    reapers: tuple[Reaper, ...]
    images: Images | None


@contextmanager
def docker_parts(settings: DockerSettings, *, database: Database, stores: str) -> Iterator[DockerParts]:
    """Yield what of Docker is offered; ``stores`` names the stores that make a deployment one of its own."""
    if not settings.is_offered:
        yield DockerParts({}, (), None)
        return
    engine = Engine()
    deployment = derived_id("deployment", settings.deployment or stores)
    reaper = Reaper(engine, deployment=deployment, tasks=database.documents(Task), seconds=settings.reap_seconds)
    runtime = DockerRuntime(engine, deployment=deployment, settings=settings)
    try:
        yield DockerParts({Runtime.DOCKER: runtime}, (reaper,), Images(engine))
    finally:
        engine.close()


def named_folder(data: Path) -> str:
    """Return what names the stores in a data folder: another at the same path, in another container, is another."""
    there = data.stat()
    return f"{data}\n{there.st_dev}\n{there.st_ino}"


def named_stores(stores: StoreSettings) -> str:
    """Return what names the stores of a deployment: the servers and the database of its documents, and its source."""
    address = stores.mongo_url.get_secret_value().partition("://")[2].partition("?")[0]
    hosts, _, database = address.rpartition("@")[2].partition("/")
    return "\n".join([stores.source, database, *sorted(hosts.lower().split(","))])
