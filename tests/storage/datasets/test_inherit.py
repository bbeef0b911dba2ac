"""Annotations that come again keep the id they had."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.inherit import inherited, with_inherited_ids
from storage.datasets.rows import AnnotationRow, ImageRow
from tests.storage.datasets.worlds import ASSETS, Known, Parcel, Plain, Shelf, simple_annotations

ONE, TWO = b"1" * 16, b"2" * 16
CAT = AnnotationRow("cat", (0.0, 0.0, 10.0, 10.0))


def test_the_same_class_and_geometry_has_the_same_id() -> None:
    base = [CAT._replace(box=(1.0, 0.0, 10.0, 10.0), id=ONE), CAT._replace(id=TWO, confidence=0.5)]

    [heir] = with_inherited_ids([CAT], base)

    assert heir == CAT._replace(id=TWO)


def test_else_the_highest_overlap_of_the_same_class_has_it() -> None:
    base = [CAT._replace(box=(3.0, 0.0, 10.0, 10.0), id=ONE), CAT._replace(box=(1.0, 0.0, 10.0, 10.0), id=TWO)]

    assert [row.id for row in with_inherited_ids([CAT], base)] == [TWO]


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    base = [CAT._replace(id=ONE)]

    half = with_inherited_ids([CAT._replace(box=(0.0, 0.0, 10.0, 5.0))], base)
    less = with_inherited_ids([CAT._replace(box=(0.0, 0.0, 10.0, 4.9))], base)

    assert [row.id for row in (*half, *less)] == [ONE, None]


def test_another_class_inherits_nothing() -> None:
    assert with_inherited_ids([CAT._replace(class_name="dog")], [CAT._replace(id=ONE)])[0].id is None


def test_an_id_that_was_given_is_not_given_again() -> None:
    rows = with_inherited_ids([CAT._replace(id=ONE), CAT], [CAT._replace(id=ONE)])

    assert [row.id for row in rows] == [ONE, None]


def test_polygons_overlap_by_the_rectangles_about_them() -> None:
    square = AnnotationRow("cat", polygons=((0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0),))

    assert with_inherited_ids([square], [CAT._replace(id=ONE)])[0].id == ONE


def test_thousands_of_objects_on_one_image_take_little_memory() -> None:
    # Given an image with two thousand cells, each of which was moved a little
    base = [CAT._replace(box=(20.0 * cell, 0.0, 10.0, 10.0), id=cell.to_bytes(16, "big")) for cell in range(2_000)]
    rows = [CAT._replace(box=(20.0 * cell + 1, 0.0, 10.0, 10.0)) for cell in range(2_000)]

    # When they inherit
    tracemalloc.start()
    heirs = with_inherited_ids(rows, base)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Then each has the id that its cell had, and four million pairs were never in memory together
    assert [row.id for row in heirs] == [row.id for row in base]
    assert most < 200 * 2**20


@given(st.lists(simple_annotations(), max_size=5), st.lists(simple_annotations(), max_size=5))
def test_each_id_is_inherited_once_and_nothing_else_changes(
    rows: list[AnnotationRow], base: list[AnnotationRow]
) -> None:
    olds = [row._replace(id=bytes([number]) * 16) for number, row in enumerate(base)]

    heirs = with_inherited_ids(rows, olds)

    ids = [row.id for row in heirs if row.id is not None]
    assert len(ids) == len(set(ids))
    assert [row._replace(id=None) for row in heirs] == rows


async def test_each_image_inherits_from_the_base_whatever_the_order() -> None:
    shelf = Shelf()
    plain: Plain = {
        asset: Known(Split.NONE, {GROUND_TRUTH: (CAT._replace(id=asset[:15] + asset[-1:]),)}) for asset in ASSETS
    }
    base = await shelf.content(Parcel(plain, dict(zip(ASSETS, range(9), strict=True)), apart=True, name="p"))
    images = [ImageRow(asset) for asset in (*reversed(ASSETS), b"new" + bytes(29))]

    result = await inherited(images, [[CAT]] * len(images), base=base, layer=GROUND_TRUTH, library=shelf)

    assert [row.id for rows in result for row in rows] == [
        *(asset[:15] + asset[-1:] for asset in reversed(ASSETS)),
        None,
    ]
