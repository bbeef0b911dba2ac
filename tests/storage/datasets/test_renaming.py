"""Renaming classes, against a model of plain dictionaries."""

from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.renaming import Names, class_counts, renamed
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import CLASSES, Known, Parcel, Shelf, few_examples, parcels

NAMES = st.dictionaries(st.sampled_from(CLASSES), st.none() | st.sampled_from((*CLASSES, "dog")))


def expected(known: Known, names: Names) -> Known:
    def after(rows: tuple[AnnotationRow, ...]) -> tuple[AnnotationRow, ...]:
        new = [row._replace(class_name=names.get(row.class_name or "", row.class_name)) for row in rows]
        return tuple(row for row in new if row.class_name is not None)

    return known._replace(layers={layer: after(rows) for layer, rows in known.layers.items()})


@few_examples
@given(parcels(), NAMES)
async def test_annotations_get_their_new_names_or_go_and_everything_else_stays(parcel: Parcel, names: Names) -> None:
    shelf = Shelf()
    content = await shelf.content(parcel)

    result = await renamed(content, names, library=shelf)

    assert await shelf.plain(result) == {asset: expected(known, names) for asset, known in parcel.plain.items()}
    assert result.images == content.images


@few_examples
@given(parcels())
async def test_classes_are_counted_over_all_layers(parcel: Parcel) -> None:
    shelf = Shelf()

    counts = await class_counts(await shelf.content(parcel), library=shelf)

    rows = [row for known in parcel.plain.values() for found in known.layers.values() for row in found]
    assert counts == {name: count for name in CLASSES if (count := sum(row.class_name == name for row in rows))}


@few_examples
@given(parcels())
async def test_names_that_no_annotation_has_change_nothing(parcel: Parcel) -> None:
    shelf = Shelf()
    content = await shelf.content(parcel)
    segments = dict(shelf.readers)

    result = await renamed(content, {"elephant": "dog", "ant": "ant"}, library=shelf)

    assert result == content
    assert shelf.readers == segments
