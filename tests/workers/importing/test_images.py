"""What is found out of one image file, and by processes that may die of it."""

import io
import os
import select
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from storage.datasets.rows import ImageRow
from tests.workers.pictures import a_jpeg, a_picture
from workers import images
from workers.formats.format import FileRecord
from workers.formats.voc import parse_file
from workers.image_pool import ImagePool
from workers.images import BadImage, Limits, inspect_image
from workers.importing.inspecting import Batch, Found, inspect_files
from workers.importing.job import Job


@pytest.fixture
def pool() -> Iterator[ImagePool]:
    pool = ImagePool(processes=2)
    yield pool
    pool.close()


LIMITS = Limits()


def inspected(folder: Path, data: bytes, *, limits: Limits = LIMITS) -> ImageRow | BadImage:
    (folder / "a.jpg").write_bytes(data)
    return inspect_image(folder / "a.jpg", name="a.jpg", limits=limits)


async def inspected_by(pool: ImagePool, folder: Path, *names: str) -> list[Found]:
    job = Job(folder, tuple(map(FileRecord, names)), LIMITS, "ground_truth")
    return [found for batch in await pool.inspect(job) for found in batch.found]


def saved(kind: str, picture: Image.Image | None = None) -> bytes:
    buffer = io.BytesIO()
    (picture or a_picture()).save(buffer, kind)
    return buffer.getvalue()


def a_huge_png(side: int) -> bytes:
    """Return a PNG of side x side pixels that says so in its header, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["BMP", "JPEG", "PNG", "TIFF", "WEBP"])
def test_the_type_is_that_of_the_content_not_of_the_name(tmp_path: Path, kind: str) -> None:
    row = inspected(tmp_path, saved(kind))

    assert isinstance(row, ImageRow)
    assert row.media_type == f"image/{kind.lower()}"
    assert (row.width, row.height, row.channels, row.orientation) == (40, 30, 3, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_hash_are_those_of_the_image_as_displayed(tmp_path: Path, kind: str, orientation: int) -> None:
    # Large flat areas, so that the hash does not hang on how a decoder rounds.
    stored = a_picture(3).resize((400, 300), Image.Resampling.NEAREST)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    stored.save(buffer, kind, exif=exif, quality=95)
    displayed = ImageOps.exif_transpose(Image.open(buffer))
    assert displayed is not None

    row = inspected(tmp_path, buffer.getvalue())
    upright = inspected(tmp_path, saved("PNG", displayed))

    assert isinstance(row, ImageRow)
    assert isinstance(upright, ImageRow)
    assert (row.width, row.height) == displayed.size
    assert row.orientation == orientation
    assert _distance(row.perceptual_hash, upright.perceptual_hash) < 20


def test_a_smaller_copy_has_nearly_the_same_hash_and_another_picture_not(tmp_path: Path) -> None:
    rows = [
        inspected(tmp_path, saved("PNG", a_picture(seed).resize((width, width * 3 // 4))))
        for seed, width in ((1, 400), (1, 200), (2, 400))
    ]

    hashes = [row.perceptual_hash for row in rows if isinstance(row, ImageRow)]
    assert [len(value) for value in hashes] == [32] * 3
    assert _distance(hashes[0], hashes[1]) < 20
    assert _distance(hashes[0], hashes[2]) > 60


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes"),
        (b"no image at all", "no image of a known type"),
        (a_jpeg()[:400], "damaged"),
        (saved("PNG")[:600], "damaged"),
        (saved("GIF"), "no image of a known type"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "no image of a known type"),
        (a_huge_png(60_000), "too many pixels"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG", "GIF", "SVG", "bomb"],
)
def test_a_bad_image_is_told_with_its_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    found = inspected(tmp_path, data)

    assert isinstance(found, BadImage)
    assert found.path == "a.jpg"
    assert reason in found.reason


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    found = inspected(tmp_path, a_jpeg(), limits=Limits(size=100))

    assert isinstance(found, BadImage)


def test_a_file_that_is_not_there_is_a_bad_image(tmp_path: Path) -> None:
    found = inspect_image(tmp_path / "none.jpg", name="none.jpg", limits=Limits())

    assert isinstance(found, BadImage)


@given(data=st.data(), kind=st.sampled_from(["BMP", "JPEG", "PNG", "TIFF", "WEBP"]))
def test_an_image_that_was_changed_anywhere_is_read_or_bad(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    whole = saved(kind)
    place = data.draw(st.integers(0, len(whole)))
    changed = whole[:place] + data.draw(st.binary(max_size=8)) + whole[place + data.draw(st.integers(0, 50)) :]

    found = inspected(tmp_path_factory.mktemp("images"), changed, limits=Limits(pixels=1_000_000))

    assert isinstance(found, (ImageRow, BadImage))


def test_labels_are_read_beside_their_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(a_jpeg())
    (tmp_path / "a.xml").write_text("<annotation/>")
    (tmp_path / "b.xml").write_text("<annotation>")
    records = tuple(FileRecord("a.jpg", labels_file=name) for name in ("a.xml", "b.xml", "c.xml", None))

    batch = inspect_files(Job(tmp_path, records, LIMITS, "ground_truth", parse_file))

    assert all(isinstance(one.image, ImageRow) for one in batch.found)
    assert [one.annotated for one in batch.found] == [True, False, False, False]
    assert [len(one.faults) for one in batch.found] == [0, 1, 1, 0]
    assert batch.data == dict.fromkeys(range(4), a_jpeg())


async def test_a_picture_too_large_in_its_header_is_not_decoded(tmp_path: Path, pool: ImagePool) -> None:
    (tmp_path / "a.png").write_bytes(a_huge_png(60_000))

    (found,) = await inspected_by(pool, tmp_path, "a.png")

    assert found.image == BadImage("a.png", f"it has 60000 x 60000 pixels, more than {LIMITS.pixels} in all")


async def test_the_pool_answers_in_order(tmp_path: Path, pool: ImagePool) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(a_jpeg(number))

    found = await inspected_by(pool, tmp_path, *(f"{number}.jpg" for number in range(5)))

    assert [one.image.file_name for one in found if isinstance(one.image, ImageRow)] == [f"{n}.jpg" for n in range(5)]


async def test_a_file_that_kills_its_process_is_found_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.jpg" for number in range(6)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(a_jpeg(number))
    # The processes import this module by name, and so see what dies.
    monkeypatch.setattr("workers.image_pool.inspect_files", dying_on_3)
    pool = ImagePool(processes=1)

    found = await inspected_by(pool, tmp_path, *names)
    again = await inspected_by(pool, tmp_path, "0.jpg")

    pool.close()
    assert [type(one.image) for one in found] == [ImageRow] * 3 + [BadImage] + [ImageRow] * 2
    assert isinstance(again[0].image, ImageRow)


def test_the_processes_end_with_the_one_that_they_work_for(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(a_jpeg())
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = os.pidfd_open(int(owner.stdout.readline()))

        owner.kill()

        ended, _, _ = select.select([process], [], [], 20)
    os.close(process)
    assert ended


OWNER = """
import asyncio, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from workers.formats.format import FileRecord
from workers.image_pool import ImagePool
from workers.images import Limits
from workers.importing.job import Job

async def main():
    pool = ImagePool(processes=1)
    await pool.inspect(Job(Path(sys.argv[1]), (FileRecord("a.jpg"),), Limits(), "ground_truth"))
    print(*pool._executor._processes, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def dying_on_3(job: Job) -> Batch:
    """Inspect files in a process that does not survive the fourth."""
    if any(record.image == "3.jpg" for record in job.records):
        os._exit(3)
    return inspect_files(job)


def _distance(one: bytes, other: bytes) -> int:
    bits = np.unpackbits(np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8))
    return int(bits.sum())


def test_every_type_that_is_read_has_a_suffix() -> None:
    assert set(images.MEDIA_TYPES.values()) == set(images.SUFFIXES)
