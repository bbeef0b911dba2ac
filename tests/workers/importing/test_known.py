"""What is known of images that were inspected before, and that it is as good as inspecting them again."""

from pathlib import Path

import numpy as np
import pytest

from schemas.manifests import Segment
from storage.datasets.rows import ImageRow
from tests.workers.imports import Place, draft_of
from tests.workers.pictures import a_jpeg, a_voc_folder
from workers.image_pool import ImagePool
from workers.images import BadImage, Limits, inspect_image, inspect_unless_known
from workers.importing import knowledge
from workers.importing.knowledge import Knowledge
from workers.importing.known import RECORD, Known, write_known


def records(*assets: bytes) -> np.ndarray:
    found = np.zeros(len(assets), RECORD)
    for place, asset in enumerate(assets):
        found[place] = (asset, bytes([place]) * 32, 10 + place, 40, 30, 6, 3, b"image/jpeg")
    return found


def an_image(asset: bytes, place: int) -> ImageRow:
    return ImageRow(asset, "", 40, 30, 6, 3, 10 + place, "image/jpeg", bytes([place]) * 32)


def test_an_asset_is_found_among_those_with_the_same_beginning(tmp_path: Path) -> None:
    one, two, other = b"a" * 32, b"a" * 31 + b"b", b"\xff" * 32
    write_known(tmp_path / "0", records(other, two, one))

    known = Known((tmp_path / "0",))

    assert known.find(one) == an_image(one, 2)
    assert known.find(two) == an_image(two, 1)
    assert known.find(other) == an_image(other, 0)
    assert known.find(b"a" * 31 + b"c") is None
    assert known.find(bytes(32)) is None


def test_a_file_that_has_gone_is_as_good_as_unknown(tmp_path: Path) -> None:
    assert Known((tmp_path / "gone",)).find(b"a" * 32) is None


def test_what_is_known_is_not_decoded_again_but_held_to_the_limits(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(a_jpeg())
    row = inspect_image(tmp_path / "a.jpg", name="a.jpg", limits=Limits())
    assert isinstance(row, ImageRow)
    known = row._replace(file_name="", width=7, height=9)

    found, data = inspect_unless_known(tmp_path / "a.jpg", name="b.jpg", limits=Limits(), known=lambda _: known)
    large, _ = inspect_unless_known(tmp_path / "a.jpg", name="b.jpg", limits=Limits(pixels=62), known=lambda _: known)

    assert (found, data) == (known._replace(file_name="b.jpg"), None)
    assert large == BadImage("b.jpg", "it has 7 x 9 pixels, more than 62 in all")


async def test_what_imports_told_is_known_and_what_is_merged_stays_known(place: Place, pool: ImagePool) -> None:
    for name in ("one", "two", "three"):
        (place.folder / name / "images").mkdir(parents=True)
        (place.folder / name / "images" / "a.jpg").write_bytes(a_jpeg(len(name)))
    rows = []
    learned = Knowledge()
    for name in ("one", "three"):
        outcome = await place.imported(pool, place.folder / name)
        rows += [row.image for row in (await place.rows(outcome)).values()]
        known = await learned.about(1, database=place.database, blobs=place.blobs)

    assert [known.find(row.asset) for row in rows] == [row._replace(file_name="") for row in rows]
    assert len(known.files) == 1
    learned.close()


async def test_for_few_images_much_is_not_learned(
    place: Place, pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "WORTH", 1)
    await place.imported(pool, a_voc_folder(place.folder / "voc", images=3))
    learned = Knowledge()

    few = await learned.about(2, database=place.database, blobs=place.blobs)
    enough = await learned.about(3, database=place.database, blobs=place.blobs)

    assert (len(few.files), len(enough.files)) == (0, 1)
    learned.close()


async def test_a_known_image_whose_blob_was_collected_is_stored_again(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc", images=2)
    first = await place.imported(pool, folder)
    for row in (await place.rows(first)).values():
        await place.blobs.remove(f"sha256:{row.asset}")

    again = await place.imported(pool, folder)

    assert draft_of(again).digest == draft_of(first).digest
    for row in (await place.rows(again)).values():
        assert await place.blobs.size(f"sha256:{row.asset}") == row.image.size


async def test_a_segment_whose_files_have_gone_only_has_to_be_decoded_again(place: Place, pool: ImagePool) -> None:
    folder = a_voc_folder(place.folder / "voc", images=2)
    first = await place.imported(pool, folder)
    (segment,) = (await place.database.documents(Segment).list()).items
    await place.blobs.remove(segment.images.digest)
    learned = Knowledge()

    known = await learned.about(100, database=place.database, blobs=place.blobs)
    again = await place.imported(pool, folder)

    assert known.files == ()
    assert draft_of(again).digest == draft_of(first).digest
    learned.close()
