"""What is the folder's own: its layout, its leftovers, its faults."""

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import Invalid, NotFound, Unavailable
from schemas.schema import Digest
from storage import blob_files, disk
from storage.folder import FolderBlobs

DAY_SECONDS = 24 * 3600
HOUR_SECONDS = 3600
LARGE = b"large" * 500_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(root: Path) -> FolderBlobs:
    return FolderBlobs(root)


def file_of(root: Path, digest: Digest) -> Path:
    return root / digest[-2:] / digest.removeprefix("sha256:")


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("data", [b"a picture", LARGE])
async def test_a_blob_is_a_read_only_file_under_its_hex_digits(blobs: FolderBlobs, root: Path, data: bytes) -> None:
    ref = await blobs.put(data)

    path = file_of(root, ref.digest)
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert files(root) == [path]


async def test_blobs_are_there_after_a_restart(blobs: FolderBlobs, root: Path) -> None:
    ref = await blobs.put(b"a picture")

    assert await FolderBlobs(root).get(ref.digest) == b"a picture"


async def test_putting_again_refreshes_what_is_older_than_a_day(blobs: FolderBlobs, root: Path) -> None:
    old, young = await blobs.put(b"old"), await blobs.put(b"young")
    age(file_of(root, old.digest), DAY_SECONDS + HOUR_SECONDS)
    age(file_of(root, young.digest), DAY_SECONDS - HOUR_SECONDS)
    before = {blob.digest: blob.written_at async for blob in blobs.list()}

    await blobs.put(b"old")
    await blobs.put(b"young")

    after = {blob.digest: blob.written_at async for blob in blobs.list()}
    assert (after[old.digest] - before[old.digest]).total_seconds() > DAY_SECONDS
    assert after[young.digest] == before[young.digest]


async def test_putting_again_writes_nothing(blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = await blobs.put(b"a picture")
    number = file_of(root, ref.digest).stat().st_ino
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))

    await blobs.put(b"a picture")

    assert file_of(root, ref.digest).stat().st_ino == number


async def test_a_file_that_lost_its_end_is_written_anew(blobs: FolderBlobs, root: Path) -> None:
    ref = await blobs.put(b"a picture")
    file_of(root, ref.digest).chmod(0o644)
    file_of(root, ref.digest).write_bytes(b"")

    await blobs.put(b"a picture")

    assert await blobs.get(ref.digest) == b"a picture"


@pytest.mark.parametrize("data", [b"a picture", LARGE])
async def test_a_full_disk_says_so_and_leaves_nothing(
    blobs: FolderBlobs, root: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(Unavailable, match="full") as caught:
            await blobs.put(data)

    assert "free some space" in caught.value.step
    assert files(root) == []
    await blobs.put(data)
    assert len(files(root)) == 1


@pytest.mark.parametrize("data", [b"a picture", LARGE])
async def test_a_full_disk_leaves_nothing_of_a_file(
    blobs: FolderBlobs, root: Path, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(os, "write", failing(errno.EDQUOT))

    with pytest.raises(Unavailable, match="full"):
        await blobs.put_file(tmp_path / "file")

    assert files(root) == []


async def test_what_did_not_reach_the_disk_is_not_kept(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.put(b"before")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))

    with pytest.raises(Unavailable, match="does not answer"):
        await blobs.put(b"a picture")

    assert len(files(root)) == 1


async def test_what_did_not_reach_the_disk_together_is_not_kept(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_files, "sync", failing(errno.EIO))

    answers = await asyncio.gather(*(blobs.put(f"{number}".encode()) for number in range(50)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unavailable}
    assert files(root) == []


async def test_a_folder_that_cannot_be_written_to_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(Unavailable):
        await FolderBlobs(tmp_path / "file").put(b"a picture")


async def test_a_fetch_into_a_full_disk_leaves_nothing(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await blobs.put(b"a picture")
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC))

    with pytest.raises(Unavailable, match="full"):
        await blobs.fetch(ref.digest, tmp_path / "to" / "picture.jpg")

    assert files(tmp_path / "to") == []


async def test_what_writes_that_never_ended_left_behind_is_removed_after_a_day(blobs: FolderBlobs, root: Path) -> None:
    await blobs.put(b"a picture")
    old, young = root / "incoming" / "old", root / "incoming" / "young"
    old.write_bytes(b"half a pict")
    young.write_bytes(b"half a pict")
    age(old, DAY_SECONDS + HOUR_SECONDS)

    listed = [blob async for blob in blobs.list()]

    assert len(listed) == 1
    assert (old.exists(), young.exists()) == (False, True)


async def test_files_that_are_no_blobs_are_not_listed(blobs: FolderBlobs, root: Path) -> None:
    ref = await blobs.put(b"a picture")
    folder = file_of(root, ref.digest).parent
    (folder / "Thumbs.db").write_bytes(b"")
    (folder / ("0" * 64)).write_bytes(b"in the wrong folder")
    (root / "README").write_bytes(b"")

    assert [blob.digest async for blob in blobs.list()] == [ref.digest]


async def test_a_blob_whose_folder_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await FolderBlobs(tmp_path / "never").get(f"sha256:{'0' * 64}")


async def test_a_damaged_blob_that_cannot_be_marked_is_refused_all_the_same(
    blobs: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await blobs.put(b"a picture")
    file_of(root, ref.digest).chmod(0o644)
    file_of(root, ref.digest).write_bytes(b"b picture")
    monkeypatch.setattr(os, "utime", failing(errno.EROFS))

    with pytest.raises(Invalid, match="damaged"):
        await blobs.get(ref.digest)


async def test_a_few_files_are_waited_for_one_by_one_and_many_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    files = [os.open(tmp_path / f"{number}", os.O_CREAT | os.O_WRONLY) for number in range(disk.MANY)]

    disk.sync(files[:3])
    disk.sync(files)

    assert waited == files[:3]
    for file in files:
        os.close(file)


def test_a_file_system_that_cannot_be_waited_for_is_an_error() -> None:
    with pytest.raises(OSError, match="descriptor"):
        disk.sync([-1] * disk.MANY)
