"""A place that outlives the process that prepared it: stores in a folder, and versions found again by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from schemas.annotations import ObjectType
from schemas.datasets import Version
from schemas.errors import Conflict
from schemas.outcomes import Outcome, Pause
from schemas.parameters import Parameters
from schemas.projects import Project
from schemas.schema import Id, derived_id
from schemas.tasks import Input
from storage.datasets.content import Content
from storage.datasets.library import Kept, Library
from storage.folder import FolderBlobs
from storage.ports import Blobs, Database
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT, a_task
from workers.work import Work


class BenchPlace:
    """Stores of the embedded profile, the blobs perhaps elsewhere, and a way to run handlers on them."""

    def __init__(self, folder: Path, database: Database, blobs: Blobs | None = None) -> None:
        self.folder = folder
        self.database = database
        self.blobs: Blobs = blobs or FolderBlobs(folder / "blobs")
        self.library = Library(database, self.blobs)

    async def name(self, name: str, kept: Kept) -> None:
        """Keep a version under a name."""
        version = Version(
            id=named(name),
            project=PROJECT,
            dataset=named(name),
            dataset_name=name,
            number=1,
            digest=kept.digest,
            manifest=kept.manifest,
            task=named(name),
            made_by="import",
            counts=kept.counts,
            created_at=NOON,
        )
        await self.database.documents(Version).add(version)

    async def content(self, name: str) -> Content:
        """Return the content of a named version."""
        return await self.library.content((await self.library.version(named(name))).digest)

    def work(self, parameters: Parameters, **inputs: str) -> Work[Any]:
        """Return an attempt at a new task; the inputs are names of versions by JSON pointer, ``_`` for ``/``."""
        resolved = tuple(
            Input(pointer=pointer.replace("_", "/"), ref="any", version=named(name)) for pointer, name in inputs.items()
        )
        task = a_task(parameters=parameters, inputs=resolved)
        return Work(task, parameters, scratch=Path(mkdtemp(dir=self.folder)), now=lambda: NOON)

    async def stored(self) -> dict[str, int]:
        """Return the size of every blob by digest."""
        return {blob.digest: blob.size async for blob in self.blobs.list()}

    async def forget_all_but(self, digests: dict[str, int]) -> None:
        """Remove the blobs that have come since, so that the next run writes them again."""
        for digest in (await self.stored()).keys() - digests.keys():
            await self.blobs.remove(digest)


def named(name: str) -> Id:
    """Return the id of the version with a name."""
    return derived_id("bench", name)


def sound(outcome: Outcome | Pause) -> Outcome:
    """Return an outcome that is a success; raise what its problem says, or what it waits for."""
    if isinstance(outcome, Outcome) and outcome.problem is None:
        return outcome
    raise RuntimeError(outcome.waiting_for if isinstance(outcome, Pause) else outcome.problem)


@asynccontextmanager
async def a_bench_place(folder: Path, blobs: Blobs | None = None) -> AsyncIterator[BenchPlace]:
    """Open the place in a folder, for the first time or again, the blobs perhaps elsewhere."""
    async with open_database(folder / "ymir.db") as database:
        project = Project(id=PROJECT, name="bench", object_type=ObjectType.DETECTION, created_at=NOON)
        with suppress(Conflict):
            await database.documents(Project).add(project)
        yield BenchPlace(folder, database, blobs)
