"""Statistics, held to a model of dictionaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.splits import Split
from schemas.statistics import Bin, ClassStatistics, LayerStatistics
from storage.datasets.content import whole_segment
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.statistics import chosen_classes, statistics_of
from storage.datasets.suggestions import suggestions_for
from tests.storage.datasets.worlds import CLASSES, Parcel, Shelf, few_examples, parcels


@few_examples
@given(parcels())
async def test_counts_are_those_of_the_rows(source: Parcel) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    found = await statistics_of(content, ids=await shelf.ids(content), library=shelf)

    assert found.images == len(source.plain)
    for split in Split:
        assert found.splits.get(split, 0) == sum(known.split is split for known in source.plain.values())
    for name, layer in found.layers.items():
        annotated = [(known.split, known.layers[name]) for known in source.plain.values() if name in known.layers]
        assert layer.assets == len(annotated)
        assert layer.positive == sum(bool(rows) for _, rows in annotated)
        assert layer.negative == sum(not rows for _, rows in annotated)
        assert layer.not_annotated == len(source.plain) - len(annotated)
        assert layer.annotations == sum(len(rows) for _, rows in annotated)
        assert sum(one.count for one in layer.histograms["annotations"]) == len(annotated)
        by_class = {one.class_name: one for one in layer.classes}
        for class_name in CLASSES:
            rows = [(split, row) for split, rows in annotated for row in rows if row.class_name == class_name]
            assets = [split for split, rows in annotated if any(row.class_name == class_name for row in rows)]
            one = by_class.get(class_name)
            assert (one.annotations if one else 0) == len(rows)
            assert (one.assets if one else 0) == len(assets)
            if one:
                for split in Split:
                    assert one.annotations_by_split.get(split, 0) == sum(of is split for of, _ in rows)
                    assert one.assets_by_split.get(split, 0) == assets.count(split)


async def test_histograms_have_the_bins_of_ymir() -> None:
    shelf = Shelf()
    images = [
        ImageRow(b"1" * 32, "a", width=400, height=300, size=1_200_000),
        ImageRow(b"2" * 32, "b", width=1000, height=2000, size=9_000_000),
    ]
    rows = [
        AnnotationRow("cat", (0.0, 0.0, 10.0, 5.0), quality=0.35, attributes='{"pose":"left"}'),
        AnnotationRow("dog", (0.0, 0.0, 400.0, 300.0), quality=1.0, attributes='{"pose":"left","old":true}'),
        AnnotationRow(None),
        AnnotationRow("cat", (0.0, 0.0, 10.0, 5.0), area=30.0),
    ]
    segment = await shelf.keep_segment(build_segment(images, [rows, []], layer=GROUND_TRUTH, described=True))
    content = whole_segment(segment, rows=2, layer=GROUND_TRUTH)

    found = await statistics_of(content, ids=await shelf.ids(content), library=shelf)

    layer = found.layers[GROUND_TRUTH]
    histograms = {**found.histograms, **layer.histograms}
    counts = {name: {one.least: one.count for one in bins if one.count} for name, bins in histograms.items()}
    assert counts == {
        "bytes": {1.0: 1, 5.0: 1},
        "area": {100_000: 1, 2_000_000: 1},
        "ratio": {0.7: 1, 1.5: 1},
        "box_area": {50: 2, 100_000: 1},
        "box_area_ratio": {0.0: 2, 1.0: 1},
        "quality": {0.3: 1, 1.0: 1},
        "annotations": {0: 1, 4: 1},
        "classes": {0: 1, 2: 1},
        "density": {4: 1},
        "mask_area": {1: 1},
    }
    assert found.bytes == 10_200_000
    assert layer.without_class == 1
    assert (layer.area, layer.mask_area) == (120_080, 30)
    assert [(one.name, one.count, one.distinct) for one in layer.attributes] == [("pose", 2, 1), ("old", 1, 1)]
    assert (layer.annotations_on_average, layer.classes_on_average, layer.area_on_average) == (2, 1, 60_040)
    assert {one.class_name: one.mask_area for one in layer.classes} == {"cat": 30, "dog": 0}
    assert found.average_bytes == 5_100_000


@few_examples
@given(parcels(), st.sets(st.sampled_from(CLASSES), min_size=1))
async def test_positive_are_the_images_with_any_of_the_chosen_classes(source: Parcel, chosen: set[str]) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    found = await chosen_classes(content, sorted(chosen), ids=await shelf.ids(content), library=shelf)

    for name, layer in found.items():
        annotated = [known.layers[name] for known in source.plain.values() if name in known.layers]
        meant = [[row for row in rows if row.class_name in chosen] for rows in annotated]
        assert layer.positive == sum(map(bool, meant))
        assert layer.negative == len(annotated) - layer.positive
        assert layer.not_annotated == len(source.plain) - len(annotated)
        assert layer.annotations == sum(map(len, meant))


def a_layer(objects: dict[str, int], density: tuple[int, int, int]) -> LayerStatistics:
    classes = [ClassStatistics(class_name=name, annotations=count, assets=1, area=0) for name, count in objects.items()]
    bins = tuple(Bin(least=least, count=count) for least, count in zip((1, 4, 11), density, strict=True))
    return LayerStatistics(
        assets=0,
        positive=0,
        negative=0,
        not_annotated=0,
        annotations=0,
        without_class=0,
        area=0,
        classes=tuple(classes),
        histograms={"density": bins},
    )


@pytest.mark.parametrize(
    ("objects", "density", "told"),
    [
        ({"ant": 499, "bee": 500}, (10, 10, 10), {("objects", "ant", 499, 500)}),
        ({"ant": 600, "bee": 6_001}, (100, 10, 9), {("balance", "ant", 600, 601), ("density", ">10", 9, 10)}),
        ({"ant": 600, "bee": 6_000}, (0, 1, 0), {("density", "1-3", 0, 1), ("density", ">10", 0, 1)}),
        ({}, (0, 0, 0), set()),
    ],
)
def test_suggestions_name_what_is_too_little_and_how_much_would_do(
    objects: dict[str, int], density: tuple[int, int, int], told: set[tuple[str, str, int, int]]
) -> None:
    found = suggestions_for(GROUND_TRUTH, a_layer(objects, density))

    assert {(one.lack.value, one.subject, one.count, one.target) for one in found.suggestions} == told
