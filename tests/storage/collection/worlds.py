"""Stores with a clock that can be moved, blobs that age with it, and records as workers leave them."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.annotations import GROUND_TRUTH
from schemas.datasets import Dataset, Version, dataset_id
from schemas.schema import Digest, Document
from schemas.splits import Split
from schemas.tasks import Task
from storage.blob_files import place
from storage.clock import utc_now
from storage.collection.collect import Collected, collect
from storage.datasets.content import Content, whole_segment
from storage.datasets.library import Library
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.folder import FolderBlobs
from storage.ports import Database
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT, a_kept_version, a_task

CAT = AnnotationRow(class_name="cat", box=(1.0, 2.0, 10.0, 12.0))


def unwatched(what: str, count: int) -> None:
    """Watch nothing."""


@dataclass
class World:
    """Embedded stores, and what workers leave in them."""

    folder: Path
    database: Database
    blobs: FolderBlobs
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        self.library = Library(self.database, self.blobs)

    async def add(self, *documents: Document) -> None:
        for document in documents:
            await self.database.documents(type(document)).add(document)

    async def content(self, *names: str) -> Content:
        """Keep a segment of some pictures, each annotated."""
        images = []
        for name in sorted(names):
            data = f"picture {name}".encode()
            ref = await self.blobs.put(data, media_type="image/jpeg")
            asset = bytes.fromhex(ref.digest.removeprefix("sha256:"))
            images.append(ImageRow(asset, f"{name}.jpg", width=9, height=9, size=len(data), media_type="image/jpeg"))
        built = build_segment(images, [[CAT]] * len(images), layer=GROUND_TRUTH, described=True)
        segment = await self.library.keep_segment(built)
        return whole_segment(segment, rows=len(images), layer=GROUND_TRUTH, split=Split.TRAINING)

    async def version(
        self,
        dataset: str,
        content: Content | Sequence[str],
        *,
        number: int = 1,
        **changes: Any,  # noqa: ANN401 - a change may be of any field
    ) -> Version:
        """Keep a version of a content, or of pictures by their names; its dataset too, unless it is there."""
        kept = await self.library.keep(content if isinstance(content, Content) else await self.content(*content))
        line = dataset_id(PROJECT, dataset)
        if not await self.database.documents(Dataset).get_many([line]):
            await self.add(Dataset(id=line, project=PROJECT, name=dataset, created_at=NOON))
        version = a_kept_version(kept, project=PROJECT, dataset=dataset, number=number, **changes)
        await self.add(version)
        return version

    async def hide(self, document: Document, *, days: float = 31) -> None:
        """Hide a document some days ago."""
        documents = self.database.documents(type(document))
        was = await documents.get(document.id)
        await documents.replace(was.successor(removed_at=utc_now() - timedelta(days=days)), was=was)

    async def dataset(self, name: str) -> Dataset:
        return await self.database.documents(Dataset).get(dataset_id(PROJECT, name))

    async def running(self, *, started_at: datetime, **changes: Any) -> Task:  # noqa: ANN401 - as above
        """Keep a task that has been running since."""
        task = a_task(**changes).claimed(by="worker", at=started_at)
        await self.add(task)
        return task

    async def collect(self, *, days: float = 3, dry_run: bool = False) -> Collected:
        """Collect garbage as if everything had been written so many days earlier."""
        return await collect(
            self.database,
            self.blobs,
            clock=lambda: utc_now() + timedelta(days=days),
            watch=unwatched,
            dry_run=dry_run,
            hidden_days=30,
        )

    async def there(self) -> set[Digest]:
        return {blob.digest async for blob in self.blobs.list()}

    def age(self, digest: Digest, *, days: float) -> None:
        """Make a blob older than it is."""
        path = place(self.folder / "blobs", digest)
        then = path.stat().st_mtime - days * 24 * 3600
        os.utime(path, (then, then))


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    async with open_database(folder / "ymir.db") as database:
        yield World(folder, database, FolderBlobs(folder / "blobs"))


async def digests_of(version: Version, world: World) -> set[Digest]:
    """Return every blob that a version is made of, found by reading it."""
    content = await world.library.content(version.digest)
    segments = await world.library.segments(content.segments())
    files = {ref.digest for one in segments.values() for ref in (one.document.images, one.document.annotations)}
    images = {f"sha256:{row.asset}" async for row in world.library.rows(content)}
    manifest = await world.blobs.get(version.digest)
    selections = {digest for digest in await world.there() if digest.encode() in manifest}
    return {version.digest} | files | images | selections
