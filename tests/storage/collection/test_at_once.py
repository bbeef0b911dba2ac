"""Collections beside those who put blobs at the same moment."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import Conflict
from schemas.manifests import Segment
from storage.clock import utc_now
from storage.collection import sweep
from storage.collection.collect import Collected, collect
from storage.collection.digests import Digests
from storage.collection.marks import Marks
from storage.folder import FolderBlobs
from tests.storage.collection.worlds import World, digests_of, unwatched
from tests.workers.imports import Place, a_place
from tests.workers.pictures import a_voc_folder
from workers.image_pool import ImagePool

ROUNDS = 4
IMAGES = 60


async def test_a_blob_that_is_put_again_as_it_is_removed_is_there_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await world.blobs.put(b"a picture")
    world.age(ref.digest, days=3)
    other, putting = FolderBlobs(world.folder / "blobs"), list[threading.Thread]()
    unlink = Path.unlink

    def put_first(path: Path, *, missing_ok: bool = False) -> None:
        """Have somebody put the blob after its age was looked at; he either is done by then, or has to wait."""
        if path.name in ref.digest:
            putting.append(threading.Thread(target=lambda: asyncio.run(put(other, b"a picture"))))
            putting[0].start()
            putting[0].join(0.3)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", put_first)
        is_gone = await world.blobs.remove(ref.digest, unless_since=utc_now() - timedelta(days=2))

    await asyncio.to_thread(putting[0].join, 30)
    assert is_gone
    assert await world.blobs.get(ref.digest) == b"a picture"


async def put(blobs: FolderBlobs, data: bytes) -> None:
    await blobs.put(data)


async def test_a_segment_that_is_kept_again_while_it_is_collected_stays_with_its_files(
    world: World, tmp_path: Path
) -> None:
    content = await world.content("a")
    (digest,) = content.segments()
    segments = world.database.documents(Segment)
    was = await segments.get(digest.removeprefix("sha256:"))
    await segments.replace(was.successor(kept_at=utc_now() - timedelta(days=3)), was=was)
    (tmp_path / "names").mkdir()
    marks = Marks(world.database, world.blobs, names=Digests(tmp_path / "names"), watch=unwatched)
    await marks.documents(without=frozenset(), gone={})
    (unnamed,) = await marks.segments(horizon=utc_now() - timedelta(days=2))

    await world.content("a")
    with pytest.raises(Conflict):
        await segments.remove(unnamed.id, was=unnamed)

    assert (await segments.get(unnamed.id)).kept_at is not None


async def test_a_segment_that_was_collected_is_kept_anew(world: World) -> None:
    await world.content("a")
    await world.collect()

    version = await world.version("pictures", ["a"])

    assert await world.there() == await digests_of(version, world)


@pytest.mark.slow
async def test_imports_of_what_is_being_collected_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "JUDGED_TOGETHER", 8)
    source = a_voc_folder(tmp_path / "source", images=IMAGES)
    pool = ImagePool(processes=1)
    async with a_place(tmp_path) as place:
        await place.imported(pool, source)  # of which no version is kept: all of it is garbage
        for _ in range(ROUNDS):
            await age_everything(place)
            begun = asyncio.Event()
            collecting = asyncio.create_task(collected(place, begun))
            await asyncio.wait_for(begun.wait(), 30)
            outcome = await place.imported(pool, source)
            removed = [(await collecting).removed.blobs, (await collected(place)).removed.blobs]

            rows = await place.rows(outcome)
            sizes = [len(await place.blobs.get(f"sha256:{row.asset}")) for row in rows.values()]
            assert sizes == [row.image.size for row in rows.values()]
            assert len(rows) == IMAGES
            assert removed[0] > 0
            assert removed[1] == 0
    pool.close()


async def collected(place: Place, begun: asyncio.Event | None = None) -> Collected:
    def watch(what: str, _: int) -> None:
        if begun is not None and what == "blobs looked at":
            begun.set()

    return await collect(place.database, place.blobs, clock=utc_now, watch=watch)


async def age_everything(place: Place) -> None:
    """Make everything three days older, as if the import had been then."""
    world = World(place.folder, place.database, FolderBlobs(place.folder / "blobs"))
    for digest in await world.there():
        world.age(digest, days=3)
    segments = place.database.documents(Segment)
    for segment in (await segments.list()).items:
        await segments.replace(segment.successor(kept_at=utc_now() - timedelta(days=3)), was=segment)
