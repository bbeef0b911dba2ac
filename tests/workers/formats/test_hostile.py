"""Files that are cut, torn, in another encoding or full of nonsense: every reader reads, or says what is wrong."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.errors import Fault, Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from tests.workers.formats.round_trips import PREDICTED, read, write
from workers.formats.registry import EXPORTERS, READERS
from workers.formats.rle import mask_of

FORMATS: Final = sorted(READERS.keys() & EXPORTERS.keys() - {"none"})
NONSENSE: Final = (
    *(
        b"",
        b"\0",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"<",
        b"</",
        b"&a;",
        b"-",
        b"\n",
        b"\xff\xfe",
        b"\xed\xa0\x80",
    ),
    *(b"NaN", b"Infinity", b"-1e400", b"1e308", b"9" * 400, b"null", b"true", b"[]", b"{}", b"[[", b"-0.0", b"\\ud800"),
    *(b"0 0.5 0.5 9e9 1\n", b"99999999999999999999 1 1 1 1\n", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"[" * 5_000),
)


def a_version() -> list[AssetRow]:
    pixels = np.zeros((12, 10), dtype=np.bool_)
    pixels[2:5, 3:9] = True
    rows = (
        AnnotationRow("dog", (1.0, 2.0, 3.0, 4.0), rotation=0.5, confidence=0.5, quality=0.25, author="someone"),
        AnnotationRow("big cat", (1.0, 1.0, 5.0, 5.0), polygons=((1, 1, 6, 1, 6, 6), (2, 2, 3, 2, 3, 3.5))),
        AnnotationRow("dog", (3.0, 2.0, 6.0, 3.0), mask=mask_of(pixels), attributes='{"a":"b","difficult":1}'),
        AnnotationRow("dog", (1.0, 1.0, 4.0, 4.0), keypoints=(1.0, 2.0, 2.0, 3.0, 3.0, 1.0)),
    )
    attributes = (AnnotationRow(attributes='{"weather":"rain"}'),)
    layers = {GROUND_TRUTH: rows, PREDICTED: rows[:1], ATTRIBUTES: attributes}
    return [AssetRow(ImageRow(b"\0" * 32, "a.jpg", 10, 12, 1, 3), Split.TRAINING, layers)]


@pytest.mark.parametrize("form", FORMATS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_a_file_that_is_damaged_is_read_or_refused(form: str, data: st.DataObject) -> None:
    version = a_version()
    with TemporaryDirectory() as name:
        folder = Path(name) / "there"
        (Path(name) / "scratch").mkdir()
        write(form, version, folder, Path(name) / "scratch")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jpg")
        path = data.draw(st.sampled_from(files), label="file")
        damaged = data.draw(damage(path.read_bytes()), label="content")
        path.write_bytes(damaged)

        faults = what_is_wrong(folder, version, form)

    assert all(fault.detail for fault in faults)


def what_is_wrong(folder: Path, version: list[AssetRow], form: str) -> Sequence[Fault]:
    try:
        return read(folder, version, form=form).faults
    except Invalid as error:
        return (Fault(error.detail), *error.faults)


def damage(content: bytes) -> st.SearchStrategy[bytes]:
    """Return what may become of a file."""
    place = st.integers(0, len(content))
    cut = place.map(lambda end: content[:end])
    torn = st.tuples(place, place, st.sampled_from(NONSENSE)).map(
        lambda found: content[: found[0]] + found[2] + content[min(len(content), found[0] + found[1] % 8) :]
    )
    encoded = st.sampled_from(("utf-16", "utf-32", "latin-1")).map(
        lambda encoding: content.decode().encode(encoding, "replace")
    )
    return st.one_of(cut, torn, torn, torn, encoded, st.binary(max_size=64))
