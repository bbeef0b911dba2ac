"""A place to import into, and an import run as the consumer would run it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson

from schemas.exchange_parameters import ImportParameters
from schemas.outcomes import Outcome, VersionDraft
from schemas.projects import ClassEntry, ClassList
from schemas.reports import Report
from storage.datasets.library import Library
from storage.datasets.rows import AssetRow
from storage.folder import FolderBlobs
from storage.ports import Blobs, Database
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT, a_task
from workers.handlers.ingest import import_files
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.work import Work


@dataclass(frozen=True)
class Place:
    """Where things are kept, on the embedded adapters."""

    folder: Path
    database: Database
    blobs: Blobs
    library: Library

    async def knows(self, *classes: str, aliases: tuple[str, ...] = ()) -> None:
        """Give the project its classes; the aliases are the first one's."""
        first, *rest = classes
        entries = (ClassEntry(name=first, aliases=aliases), *(ClassEntry(name=name) for name in rest))
        await self.database.documents(ClassList).add(ClassList(id=PROJECT, classes=entries))

    async def imported(self, pool: ImagePool, source: Path, **parameters: Any) -> Outcome:  # noqa: ANN401 - any field
        """Run an import of a path."""
        asked = ImportParameters.model_validate(
            {"dataset": "pictures", "source": {"path": str(source)}, "unknown_classes": "add", **parameters}
        )
        return await self.run(pool, asked)

    async def run(self, pool: ImagePool, asked: ImportParameters, **settings: Any) -> Outcome:  # noqa: ANN401 - any field
        """Run an import."""
        work = Work(a_task(parameters=asked), asked, scratch=Path(mkdtemp(dir=self.folder)), now=lambda: NOON)
        return await import_files(
            work,
            library=self.library,
            blobs=self.blobs,
            database=self.database,
            pool=pool,
            settings=ImportSettings.model_validate({"import_roots": (self.folder,), **settings}),
        )

    async def report(self, outcome: Outcome) -> Report:
        """Return the report of an outcome."""
        assert outcome.report is not None
        return Report.model_validate(orjson.loads(await self.blobs.get(outcome.report.digest)))

    async def rows(self, outcome: Outcome) -> dict[str, AssetRow]:
        """Return the assets of the version that an outcome makes, by file name."""
        draft = draft_of(outcome)
        content = await self.library.content(draft.digest)
        return {row.image.file_name: row async for row in self.library.rows(content)}


def draft_of(outcome: Outcome) -> VersionDraft:
    """Return the version that an outcome makes."""
    assert outcome.problem is None, outcome.problem
    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    return draft


@asynccontextmanager
async def a_place(folder: Path) -> AsyncIterator[Place]:
    """Give a place in a folder."""
    async with open_database(folder / "documents.sqlite") as database:
        blobs = FolderBlobs(folder / "blobs")
        yield Place(folder, database, blobs, Library(database, blobs))
