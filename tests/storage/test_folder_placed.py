"""Blobs in several folders: each in the one of its type, and none twice."""

import shutil
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from schemas.places import PACKAGE_MEDIA_TYPE, Places
from schemas.schema import new_id
from storage.folder import FolderBlobs
from storage.folder_placed import PlacedBlobs


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("images", "older", "models"):
        (tmp_path / name).mkdir()
    images = (tmp_path / "images", tmp_path / "older")
    return Places(repository=new_id(), images=images, models=(tmp_path / "models",))


@pytest.fixture
def blobs(tmp_path: Path, places: Places) -> PlacedBlobs:
    return PlacedBlobs(tmp_path / "main", places=lambda: places)


def where(folder: Path) -> dict[str, str]:
    """Return the folder of each blob, by its bytes."""
    files = [path for path in folder.rglob("*") if path.is_file() and len(path.name) == 64]
    return {path.read_bytes().decode(): path.relative_to(folder).parts[0] for path in files}


async def test_the_type_says_where_a_blob_lies(blobs: PlacedBlobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a picture in a file")

    await blobs.put(b"a picture", media_type="image/png")
    await blobs.put_file(tmp_path / "file", media_type="image/jpeg")
    await blobs.put(b"a package", media_type=PACKAGE_MEDIA_TYPE)
    await blobs.put(b"a manifest", media_type="application/json")

    assert where(tmp_path) == {
        "a picture": "images",
        "a picture in a file": "images",
        "a package": "models",
        "a manifest": "main",
    }


@pytest.mark.parametrize("media_type", ["image/png", PACKAGE_MEDIA_TYPE, "text/plain"])
async def test_what_lies_somewhere_is_not_put_elsewhere(blobs: PlacedBlobs, media_type: str, tmp_path: Path) -> None:
    ref = await FolderBlobs(tmp_path / "older").put(b"known")

    await blobs.put(b"known", media_type=media_type)

    assert where(tmp_path) == {"known": "older"}
    assert await blobs.get(ref.digest) == b"known"


async def test_a_blob_of_two_folders_is_listed_once_and_goes_from_both(blobs: PlacedBlobs, tmp_path: Path) -> None:
    for name in ("main", "older"):
        ref = await FolderBlobs(tmp_path / name).put(b"twice")

    assert [blob.digest async for blob in blobs.list()] == [ref.digest]
    assert await blobs.remove(ref.digest)
    assert where(tmp_path) == {}


async def test_a_folder_that_has_gone_is_named_and_not_made_again(blobs: PlacedBlobs, tmp_path: Path) -> None:
    ref = await blobs.put(b"a picture", media_type="image/png")
    shutil.rmtree(tmp_path / "images")

    for work in (blobs.get(ref.digest), blobs.put(b"another", media_type="image/png"), blobs.remove(ref.digest)):
        with pytest.raises(Unavailable, match=r"images.*is gone") as caught:
            await work
        assert "mounted" in caught.value.step

    assert not (tmp_path / "images").exists()


async def test_a_folder_that_has_gone_does_not_keep_other_blobs_away(blobs: PlacedBlobs, tmp_path: Path) -> None:
    ref = await blobs.put(b"a manifest")
    shutil.rmtree(tmp_path / "images")

    await blobs.put(b"a report")

    assert await blobs.get(ref.digest) == b"a manifest"
