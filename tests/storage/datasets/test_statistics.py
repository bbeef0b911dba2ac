"""Statistics, held to a model of dictionaries."""

from hypothesis import given

from schemas.annotations import GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.content import whole_segment
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.statistics import statistics_of
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
        "box_area": {50: 1, 100_000: 1},
        "box_area_ratio": {0.0: 1, 1.0: 1},
        "quality": {0.3: 1, 1.0: 1},
        "annotations": {0: 1, 3: 1},
        "classes": {0: 1, 2: 1},
    }
    assert found.bytes == 10_200_000
    assert layer.without_class == 1
    assert layer.area == 120_050
    assert [(one.name, one.count, one.distinct) for one in layer.attributes] == [("pose", 2, 1), ("old", 1, 1)]
