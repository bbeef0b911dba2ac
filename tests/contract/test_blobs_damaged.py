"""What every home for blobs must do with blobs that are missing or damaged."""

from pathlib import Path

import pytest

from schemas.errors import Invalid, NotFound
from storage.ports import Blobs
from tests.contract.conftest import Shelf
from tests.contract.reading_blobs import LARGE, MISSING, streamed


async def test_a_missing_blob_is_not_found(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=MISSING):
        await blobs.get(MISSING)
    with pytest.raises(NotFound):
        await blobs.fetch(MISSING, tmp_path / "fetched")
    with pytest.raises(NotFound):
        await streamed(blobs, MISSING)
    with pytest.raises(NotFound):
        await streamed(blobs, MISSING, start=1)
    with pytest.raises(NotFound):
        await blobs.size(MISSING)

    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("digest", ["", "sha256:", "../../etc/passwd", "sha256:../" + "0" * 61, MISSING.upper()])
async def test_what_is_no_digest_is_refused(blobs: Blobs, digest: str) -> None:
    with pytest.raises(Invalid):
        await blobs.get(digest)
    with pytest.raises(Invalid):
        await blobs.remove(digest)


@pytest.mark.parametrize("size", [1, 9_000, 3 << 20])
async def test_a_damaged_blob_never_comes_out(shelf: Shelf, size: int, tmp_path: Path) -> None:
    ref = await shelf.blobs.put(LARGE[:size])
    await shelf.damage(ref.digest)

    with pytest.raises(Invalid, match=ref.digest) as caught:
        await shelf.blobs.get(ref.digest)
    with pytest.raises(Invalid):
        await shelf.blobs.fetch(ref.digest, tmp_path / "fetched")

    assert "back-up" in caught.value.step
    assert names_in(tmp_path) <= {"blobs"}


@pytest.mark.parametrize("size", [1, 9_000, (3 << 20) + 1])
async def test_a_damaged_blob_is_never_streamed_to_its_end(shelf: Shelf, size: int) -> None:
    ref = await shelf.blobs.put(LARGE[:size])
    await shelf.damage(ref.digest)
    received: list[bytes] = []

    with pytest.raises(Invalid, match="damaged"):
        await collect(shelf.blobs, ref.digest, received)

    assert sum(len(piece) for piece in received) < size


async def test_a_blob_that_was_found_damaged_is_healed_by_putting_it_again(shelf: Shelf, file: Path) -> None:
    ref = await shelf.blobs.put_file(file)
    await shelf.damage(ref.digest)
    with pytest.raises(Invalid):
        await shelf.blobs.get(ref.digest)

    await shelf.blobs.put_file(file)

    assert await shelf.blobs.get(ref.digest) == b"a picture"


async def test_a_large_blob_that_was_found_damaged_is_healed_too(shelf: Shelf, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    ref = await shelf.blobs.put_file(path)
    await shelf.damage(ref.digest)
    with pytest.raises(Invalid):
        await streamed(shelf.blobs, ref.digest)

    await shelf.blobs.put_file(path, digest=ref.digest)

    assert await shelf.blobs.get(ref.digest) == LARGE


async def collect(blobs: Blobs, digest: str, into: list[bytes]) -> None:
    async for piece in blobs.stream(digest):
        into += [piece]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
