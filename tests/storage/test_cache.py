"""The cache of blobs."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from schemas.blobs import BlobRef
from schemas.errors import Invalid, NotFound
from schemas.schema import Digest, digest_of
from storage.cache import BlobCache
from storage.folder import FolderBlobs

KILOBYTE = 1_000


class CountedBlobs(FolderBlobs):
    """Blobs that tell how often each was fetched, and wait to be allowed to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fetched: list[Digest] = []
        self.is_asked = asyncio.Event()
        self.may_fetch = asyncio.Event()
        self.may_fetch.set()

    async def fetch(self, digest: Digest, to: Path) -> None:
        self.fetched.append(digest)
        self.is_asked.set()
        await self.may_fetch.wait()
        await super().fetch(digest, to)


@pytest.fixture
async def blobs(tmp_path: Path) -> CountedBlobs:
    return CountedBlobs(tmp_path / "blobs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(blobs: CountedBlobs, folder: Path) -> BlobCache:
    return BlobCache(blobs, folder, limit_bytes=3 * KILOBYTE)


async def put(blobs: FolderBlobs, count: int) -> list[BlobRef]:
    return [await blobs.put(bytes([number]) * KILOBYTE) for number in range(count)]


def cached(folder: Path) -> set[Digest]:
    return {f"sha256:{path.name}" for path in folder.rglob("*") if path.is_file()}


async def test_a_blob_becomes_a_read_only_file(cache: BlobCache, blobs: CountedBlobs, folder: Path) -> None:
    ref = await blobs.put(b"a picture")

    path = await cache.path(ref.digest)

    assert path == folder / ref.digest[-2:] / ref.digest.removeprefix("sha256:")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"a picture", 0o444)


async def test_it_is_a_file_of_its_own(cache: BlobCache, blobs: CountedBlobs, tmp_path: Path) -> None:
    ref = await blobs.put(b"a picture")
    path = await cache.path(ref.digest)

    os.link(path, tmp_path / "picture.jpg")
    path.chmod(0o644)
    path.write_bytes(b"scribbled")

    assert await blobs.get(ref.digest) == b"a picture"


async def test_a_blob_is_fetched_once(cache: BlobCache, blobs: CountedBlobs) -> None:
    ref = await blobs.put(b"a picture")

    for _ in range(3):
        await cache.path(ref.digest)

    assert blobs.fetched == [ref.digest]


async def test_those_who_want_a_blob_at_the_same_moment_share_its_download(
    cache: BlobCache, blobs: CountedBlobs
) -> None:
    refs = await put(blobs, 3)

    paths = await asyncio.gather(*(cache.path(ref.digest) for ref in refs * 20))

    assert len(set(paths)) == 3
    assert sorted(blobs.fetched) == sorted(ref.digest for ref in refs)


async def test_a_download_goes_on_for_the_others_when_the_first_gives_up(cache: BlobCache, blobs: CountedBlobs) -> None:
    (ref,) = await put(blobs, 1)
    blobs.may_fetch.clear()
    first = asyncio.ensure_future(cache.path(ref.digest))
    async with asyncio.timeout(10):
        await blobs.is_asked.wait()
    second = asyncio.ensure_future(cache.path(ref.digest))

    first.cancel()
    blobs.may_fetch.set()

    assert (await second).exists()
    assert blobs.fetched == [ref.digest]


async def test_the_least_recently_used_goes_first(cache: BlobCache, blobs: CountedBlobs, folder: Path) -> None:
    refs = await put(blobs, 4)
    for ref in refs[:3]:
        await cache.path(ref.digest)
    await cache.path(refs[0].digest)

    await cache.path(refs[3].digest)

    assert cached(folder) == {refs[0].digest, refs[2].digest, refs[3].digest}


async def test_what_is_in_use_stays_though_it_exceeds_the_limit(
    cache: BlobCache, blobs: CountedBlobs, folder: Path
) -> None:
    refs = await put(blobs, 8)
    digests = [ref.digest for ref in refs]

    async with cache.use(digests[:5]) as paths:
        for digest in digests[5:]:
            await cache.path(digest)
        assert [path.read_bytes()[:1] for path in paths] == [bytes([number]) for number in range(5)]
        assert cached(folder) >= set(digests[:5])

    assert len(cached(folder)) == 3


async def test_a_blob_that_is_used_twice_stays_until_both_have_ended(
    cache: BlobCache, blobs: CountedBlobs, folder: Path
) -> None:
    refs = await put(blobs, 5)
    digests = [ref.digest for ref in refs]

    async with cache.use(digests[:1]):
        async with cache.use([digests[0], digests[0]]) as paths:
            assert paths[0] == paths[1]
        for digest in digests[1:]:
            await cache.path(digest)
        assert digests[0] in cached(folder)


async def test_many_users_at_once_never_lose_a_file(cache: BlobCache, blobs: CountedBlobs, folder: Path) -> None:
    refs = await put(blobs, 12)

    async def use(number: int) -> None:
        digests = [refs[(number + step) % 12].digest for step in range(3)]
        async with cache.use(digests) as paths:
            for digest, path in zip(digests, paths, strict=True):
                data = await asyncio.to_thread(path.read_bytes)
                assert digest_of(data) == digest

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(120):
            group.create_task(use(number))

    assert len(cached(folder)) <= 3


async def test_using_none_is_no_error(cache: BlobCache) -> None:
    async with cache.use([]) as paths:
        assert paths == []


async def test_what_is_missing_or_damaged_is_refused_and_the_rest_is_kept(
    cache: BlobCache, blobs: CountedBlobs, folder: Path
) -> None:
    refs = await put(blobs, 2)
    missing = digest_of(b"nobody ever put this")
    (place,) = (path for path in (folder.parent / "blobs").rglob("*") if path.name in refs[1].digest and path.is_file())
    place.chmod(0o644)
    place.write_bytes(b"scribbled")

    with pytest.raises(NotFound):
        async with cache.use([missing, refs[0].digest]):
            pass
    with pytest.raises(Invalid):
        await cache.path(refs[1].digest)
    with pytest.raises(Invalid):
        await cache.path("../../etc/passwd")

    assert cached(folder) == {refs[0].digest}


async def test_it_survives_a_restart(cache: BlobCache, blobs: CountedBlobs, folder: Path) -> None:
    refs = await put(blobs, 4)
    for ref in refs[:3]:
        await cache.path(ref.digest)
    again = BlobCache(blobs, folder, limit_bytes=3 * KILOBYTE)

    await again.path(refs[1].digest)
    await again.path(refs[3].digest)

    assert blobs.fetched == [ref.digest for ref in refs]
    assert len(cached(folder)) == 3


async def test_a_smaller_limit_after_a_restart_is_kept_to(cache: BlobCache, blobs: CountedBlobs, folder: Path) -> None:
    refs = await put(blobs, 3)
    for ref in refs:
        await cache.path(ref.digest)

    await BlobCache(blobs, folder, limit_bytes=KILOBYTE).path(refs[1].digest)

    assert cached(folder) == {refs[1].digest}


async def test_what_was_damaged_before_a_restart_is_fetched_again(
    cache: BlobCache, blobs: CountedBlobs, folder: Path
) -> None:
    (ref,) = await put(blobs, 1)
    path = await cache.path(ref.digest)
    path.chmod(0o644)
    path.write_bytes(b"")
    (folder / "00").mkdir(exist_ok=True)
    (folder / "00" / ".half").write_bytes(b"a download that never ended")

    again = await BlobCache(blobs, folder, limit_bytes=3 * KILOBYTE).path(ref.digest)

    assert digest_of(again.read_bytes()) == ref.digest
    assert cached(folder) == {ref.digest}


async def test_a_file_that_somebody_removed_is_fetched_again(cache: BlobCache, blobs: CountedBlobs) -> None:
    (ref,) = await put(blobs, 1)
    (await cache.path(ref.digest)).unlink()

    path = await cache.path(ref.digest)

    assert path.exists()
    assert blobs.fetched == [ref.digest] * 2
