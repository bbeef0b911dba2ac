"""Writing the images of a run."""

import errno
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from storage.cache import BlobCache
from storage.datasets.rows import AssetRow
from tests.workers.loop_world import World, a_world
from workers.executors import inputs
from workers.executors.inputs import image_path, write_images
from workers.executors.layout import RunFolder
from workers.executors.preprocessing import Preprocessor


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def written(world: World, *, images: int) -> tuple[RunFolder, list[AssetRow]]:
    content = await world.pictures([None] * images)
    folder = RunFolder(world.folder / "run")
    folder.prepare()
    rows: list[AssetRow] = []

    def take(some: Sequence[AssetRow]) -> None:
        rows.extend(some)

    cache = BlobCache(world.blobs, world.folder / "cache", 1)
    preprocessor = Preprocessor(None, pool=world.pool, total=images, progress=lambda _: None)
    found = world.library.rows(content, layers=[])
    await write_images(found, folder, cache=cache, each=take, preprocessor=preprocessor)
    return folder, rows


async def test_images_come_batch_by_batch_through_a_cache_that_cannot_hold_them_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "BATCH", 2)

    folder, rows = await written(world, images=5)

    assert len(rows) == 5
    assert {(folder.given / image_path(row)).read_bytes()[:7] for row in rows} == {b"picture"}


async def test_images_are_copied_where_they_cannot_be_linked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "link", refuse)

    folder, rows = await written(world, images=2)

    assert all((folder.given / image_path(row)).read_bytes() for row in rows)


@pytest.mark.parametrize(("number", "raised"), [(errno.ENOSPC, Unavailable), (errno.EIO, OSError)])
async def test_a_full_disk_may_pass_and_another_fault_is_not_hidden(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, raised: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "link", refuse)

    with pytest.raises(raised):
        await written(world, images=1)
