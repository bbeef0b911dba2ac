"""Annotations packed into columns are the same annotations."""

from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.packing import Packed, joined, packed, part, unpacked
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import annotations

images = st.lists(st.lists(annotations(), max_size=3).map(tuple), max_size=4)


def pack_of(rows: list[tuple[AnnotationRow, ...]], first: int = 0) -> Packed:
    assets = [number.to_bytes(32, "big") for number in range(first, first + len(rows))]
    return packed(rows, assets=assets, layer="ground_truth")


@given(images)
def test_rows_come_back_as_they_were_packed(rows: list[tuple[AnnotationRow, ...]]) -> None:
    assert unpacked(pack_of(rows)) == rows


@given(images, images)
def test_packs_that_are_joined_hold_the_images_of_both(
    one: list[tuple[AnnotationRow, ...]], other: list[tuple[AnnotationRow, ...]]
) -> None:
    whole = joined([pack_of(one), pack_of(other, first=len(one))])

    assert unpacked(whole) == [*one, *other]
    assert whole.ids == pack_of([*one, *other]).ids


@given(images.filter(bool), st.data())
def test_a_part_is_one_image_alone(rows: list[tuple[AnnotationRow, ...]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))

    alone = part(pack_of(rows), place)

    assert unpacked(alone) == [rows[place]]
    assert alone.ids == pack_of(rows[place : place + 1], first=place).ids


def test_nothing_is_packed_too() -> None:
    assert unpacked(joined([])) == []
    assert unpacked(pack_of([(), ()])) == [(), ()]
