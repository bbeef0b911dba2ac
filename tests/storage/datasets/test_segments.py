"""Segments: what goes in comes out, under a digest that follows from it alone."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from storage.datasets import segments
from storage.datasets.canonical import segment_digest
from storage.datasets.decoding import annotation_rows, image_rows
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import BuiltSegment, build_segment
from tests.storage.datasets.worlds import annotations, few_examples, texts

RED, BLUE = b"\x01" * 32, b"\x02" * 32
BOX = (1.0, 2.0, 3.0, 4.0)


def images(count: int) -> list[ImageRow]:
    return [ImageRow(bytes([number]) * 32, f"{number}.jpg", 640, 480) for number in range(count)]


def rows_of(built: BuiltSegment) -> list[tuple[ImageRow, list[AnnotationRow]]]:
    pictures = image_rows(pq.read_table(pa.BufferReader(built.images)))
    table = pq.read_table(pa.BufferReader(built.annotations))
    found: list[list[AnnotationRow]] = [[] for _ in pictures]
    for image, row in zip(table.column("image").to_pylist(), annotation_rows(table), strict=True):
        found[image].append(row)
    return list(zip(pictures, found, strict=True))


image_examples = st.builds(
    ImageRow,
    asset=st.binary(min_size=32, max_size=32),
    file_name=texts(),
    width=st.integers(0, 2**31 - 1),
    height=st.integers(0, 2**31 - 1),
    orientation=st.integers(1, 8),
    channels=st.integers(0, 4),
    size=st.integers(0, 2**63 - 1),
    media_type=st.sampled_from(["", "image/png"]),
    perceptual_hash=st.just(b"") | st.binary(min_size=32, max_size=32),
)
contents = st.dictionaries(
    st.binary(min_size=32, max_size=32), st.tuples(image_examples, st.lists(annotations(), max_size=3)), max_size=5
)


@few_examples
@given(contents)
def test_rows_come_back_as_they_went_in(example: dict[bytes, tuple[ImageRow, list[AnnotationRow]]]) -> None:
    given_rows = {asset: (image._replace(asset=asset), found) for asset, (image, found) in example.items()}

    built = build_segment(*_columns(given_rows), layer=GROUND_TRUTH, described=True)

    back = {image.asset: (image, [row._replace(id=None) for row in found]) for image, found in rows_of(built)}
    assert back == given_rows
    assert list(back) == sorted(back)


@few_examples
@given(contents, st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(
    example: dict[bytes, tuple[ImageRow, list[AnnotationRow]]], shuffle: random.Random
) -> None:
    rows = {asset: (image._replace(asset=asset), found) for asset, (image, found) in example.items()}
    shuffled = list(rows.items())
    shuffle.shuffle(shuffled)

    one = build_segment(*_columns(rows), layer=GROUND_TRUTH, described=True)
    other = build_segment(*_columns(dict(shuffled)), layer=GROUND_TRUTH, described=True)

    assert one == other


@few_examples
@given(contents)
def test_ids_are_never_twice_on_an_asset(example: dict[bytes, tuple[ImageRow, list[AnnotationRow]]]) -> None:
    rows = {asset: (image._replace(asset=asset), found * 2) for asset, (image, found) in example.items()}

    built = build_segment(*_columns(rows), layer=GROUND_TRUTH, described=False)

    for _, found in rows_of(built):
        assert len({row.id for row in found}) == len(found)


@few_examples
@given(contents)
def test_the_digest_is_that_of_what_is_read_back(example: dict[bytes, tuple[ImageRow, list[AnnotationRow]]]) -> None:
    rows = {asset: (image._replace(asset=asset), found) for asset, (image, found) in example.items()}
    built = build_segment(*_columns(rows), layer=GROUND_TRUTH, described=True)

    tables = [pq.read_table(pa.BufferReader(data)) for data in (built.images, built.annotations)]

    assert segment_digest(*tables) == built.document.digest


def test_the_digest_is_the_one_of_format_1() -> None:
    found = AnnotationRow("cat", BOX, polygons=((0.0, 0.0, 1.0, 0.0, 1.0, 1.0),), attributes='{"a":1}')

    described = build_segment(images(2), [[found], []], layer=GROUND_TRUTH, described=True)
    bare = build_segment(images(2), [[found], []], layer=GROUND_TRUTH, described=False)

    assert described.document.digest == "sha256:162828a4f59d1c3d32847982599e7f1ef7210b67d589c9b19e72c65728968662"
    assert bare.document.digest == "sha256:9005163329f3bb938238cee127e363987809f27c3757243cd5b61996694a5a02"


def test_the_layer_decides_on_ids_and_so_on_the_digest() -> None:
    one = build_segment(images(1), [[AnnotationRow("cat", BOX)]], layer=GROUND_TRUTH, described=True)
    other = build_segment(images(1), [[AnnotationRow("cat", BOX)]], layer="other", described=True)

    assert one.document.digest != other.document.digest


def test_equal_zeros_have_equal_digests() -> None:
    plus = AnnotationRow("cat", (0.0, 0.0, 0.0, 0.0), rotation=0.0, area=0.0)
    minus = AnnotationRow("cat", (-0.0, -0.0, -0.0, -0.0), rotation=-0.0, area=-0.0)

    one, other = (build_segment(images(1), [[row]], layer=GROUND_TRUTH, described=True) for row in (plus, minus))

    assert one.document.digest == other.document.digest


def test_an_id_that_is_given_is_kept_and_an_equal_annotation_gets_another() -> None:
    (_, [first]), *_ = rows_of(build_segment(images(1), [[AnnotationRow("cat", BOX)]], layer="a", described=False))

    again = build_segment(images(1), [[AnnotationRow("cat", BOX), first]], layer="a", described=False)

    [(_, [new, kept])] = rows_of(again)
    assert kept.id == first.id
    assert new.id not in {None, first.id}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (AnnotationRow("cat", (float("nan"), 0.0, 1.0, 1.0)), "x nan"),
        (AnnotationRow("cat", (0.0, 0.0, -1.0, 1.0)), "width -1.0"),
        (AnnotationRow("cat", BOX, area=float("inf")), "area inf"),
        (AnnotationRow("cat", BOX, polygons=((0.0, 0.0, 1.0, 0.0, 1.0, float("nan")),)), "polygons"),
        (AnnotationRow("cat", keypoints=(0.0, float("inf"), 2.0)), "keypoints"),
    ],
)
def test_a_number_that_cannot_be_is_refused_naming_the_asset(row: AnnotationRow, word: str) -> None:
    with pytest.raises(Invalid, match=word) as raised:
        build_segment([ImageRow(RED, "a/red.jpg")], [[row]], layer=GROUND_TRUTH, described=True)

    assert RED.hex() in raised.value.detail
    assert "a/red.jpg" in raised.value.detail
    assert raised.value.step


def test_an_asset_given_twice_is_refused() -> None:
    with pytest.raises(Invalid, match=RED.hex()):
        build_segment([ImageRow(RED), ImageRow(RED)], [[], []], layer=GROUND_TRUTH, described=False)


def test_an_asset_id_of_another_length_is_refused() -> None:
    with pytest.raises(Invalid, match="32 bytes"):
        build_segment([ImageRow(b"short")], [[]], layer=GROUND_TRUTH, described=False)


def test_an_annotation_id_of_another_length_is_refused() -> None:
    with pytest.raises(Invalid, match="16 bytes"):
        build_segment([ImageRow(RED)], [[AnnotationRow("cat", id=b"short")]], layer=GROUND_TRUTH, described=False)


def test_an_id_given_twice_on_an_asset_is_refused() -> None:
    row = AnnotationRow("cat", id=b"i" * 16)

    with pytest.raises(Invalid, match=row.id.hex() if row.id else ""):
        build_segment([ImageRow(RED)], [[row, row]], layer=GROUND_TRUTH, described=False)


def test_the_same_id_on_two_assets_is_fine() -> None:
    row = AnnotationRow("cat", id=b"i" * 16)

    built = build_segment([ImageRow(RED), ImageRow(BLUE)], [[row], [row]], layer=GROUND_TRUTH, described=False)

    assert built.document.annotation_rows == 2


def test_a_file_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(Invalid, match="file_name"):
        build_segment([ImageRow(RED, "caf\udce9.jpg")], [[]], layer=GROUND_TRUTH, described=True)


def test_too_many_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_IMAGES", 2)

    with pytest.raises(Invalid, match="at most 2 images"):
        build_segment(images(3), [[], [], []], layer=GROUND_TRUTH, described=True)


def _columns(
    rows: dict[bytes, tuple[ImageRow, list[AnnotationRow]]],
) -> tuple[list[ImageRow], list[list[AnnotationRow]]]:
    return [image for image, _ in rows.values()], [found for _, found in rows.values()]
