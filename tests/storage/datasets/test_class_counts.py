"""Counting the annotations of each class, against a model of plain dictionaries."""

from hypothesis import given

from storage.datasets.class_counts import class_counts
from tests.storage.datasets.worlds import CLASSES, Parcel, Shelf, few_examples, parcels


@few_examples
@given(parcels())
async def test_classes_are_counted_over_all_layers(parcel: Parcel) -> None:
    shelf = Shelf()

    counts = await class_counts(await shelf.content(parcel), library=shelf)

    rows = [row for known in parcel.plain.values() for found in known.layers.values() for row in found]
    assert counts == {name: count for name in CLASSES if (count := sum(row.class_name == name for row in rows))}
