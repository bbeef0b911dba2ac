"""Filter, held to a model of dictionaries."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.algebra_parameters import Conditions
from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.asset_ids import asset_ids_of
from storage.datasets.content import Content
from storage.datasets.filter import filtered
from storage.datasets.manifests import manifest_digest, manifest_of
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import ASSETS, CLASSES, PREDICTED, Known, Parcel, Plain, Shelf, few_examples, parcels

LAYERS = (GROUND_TRUTH, PREDICTED, ATTRIBUTES)
bounds = st.tuples(st.sampled_from([None, 0.25, 0.5]), st.sampled_from([None, 0.5, 0.75]))


@st.composite
def conditions_on_classes(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    excluded = draw(st.sets(st.sampled_from(CLASSES), max_size=1))
    included = draw(st.sets(st.sampled_from(CLASSES))) - excluded
    return {"include_classes": tuple(included), "exclude_classes": tuple(excluded)}


conditions = st.builds(
    lambda classes, **others: Conditions(**classes, **others),
    conditions_on_classes(),
    layers=st.sampled_from([(GROUND_TRUTH,), (PREDICTED,), (GROUND_TRUTH, PREDICTED), ("no-such-layer",)]),
    attributes=st.sampled_from([{}, {}, {"a": 1}, {"a": True}, {"b": 1}]),
    area=st.tuples(st.sampled_from([None, 16.0, 17.0]), st.sampled_from([None, 17.0, 81.0])),
    confidence=bounds,
    quality=bounds,
    splits=st.sets(st.sampled_from(Split), max_size=2).map(tuple),
)


async def filter_by(shelf: Shelf, content: Content, wanted: Conditions) -> Content:
    return await filtered(content, wanted, ids=await shelf.ids(content), library=shelf)


def keeps(wanted: Conditions, known: Known) -> bool:
    rows = [row for name in wanted.layers for row in known.layers.get(name, ())]
    if wanted.splits and known.split not in wanted.splits:
        return False
    if any(row.class_name in wanted.exclude_classes for row in rows):
        return False
    bounded = any(bound is not None for bound in (*wanted.area, *wanted.confidence, *wanted.quality))
    asks_annotation = bool(wanted.include_classes) or bounded
    good = [row for row in rows if meets(wanted, row)]
    if not wanted.attributes:
        return bool(good) or not asks_annotation
    if any(has(wanted.attributes, row) for row in good):
        return True
    of_image = any(has(wanted.attributes, row) for row in known.layers.get(ATTRIBUTES, ()))
    return of_image and (bool(good) or not asks_annotation)


def meets(wanted: Conditions, row: AnnotationRow) -> bool:
    _, _, width, height = row.box or (0, 0, 0, 0)
    area = width * height if row.area is None else row.area
    return (
        (not wanted.include_classes or row.class_name in wanted.include_classes)
        and between(area, wanted.area)
        and between(row.confidence, wanted.confidence)
        and between(row.quality, wanted.quality)
    )


def between(value: float | None, bounds: tuple[float | None, float | None]) -> bool:
    least, greatest = bounds
    if (least, greatest) == (None, None):
        return True
    return value is not None and (least is None or value >= least) and (greatest is None or value <= greatest)


def has(wanted: dict[str, Any], row: AnnotationRow) -> bool:
    known = orjson.loads(row.attributes or "{}")
    return all(key in known and repr(known[key]) == repr(value) for key, value in wanted.items())


@few_examples
@given(parcels(layers=LAYERS), conditions, st.none() | st.sets(st.sampled_from(ASSETS)))
async def test_kept_are_the_assets_that_meet_the_conditions_and_they_are_kept_whole(
    source: Parcel, wanted: Conditions, marked: set[bytes] | None
) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    ids = await shelf.ids(content)
    assets = None if marked is None else asset_ids_of(list(marked))
    result = await filtered(content, wanted, ids=ids, library=shelf, marked=assets)

    expected = {
        asset: known
        for asset, known in source.plain.items()
        if keeps(wanted, known) and (marked is None or asset in marked)
    }
    assert await shelf.plain(result) == expected


@few_examples
@given(parcels(layers=LAYERS), conditions)
async def test_to_filter_twice_is_to_filter_once(source: Parcel, wanted: Conditions) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    once = await filter_by(shelf, content, wanted)
    twice = await filter_by(shelf, once, wanted)

    assert manifest_digest(manifest_of(twice.tidied())) == manifest_digest(manifest_of(once.tidied()))


@few_examples
@given(parcels(), st.sets(st.sampled_from(ASSETS)))
async def test_marked_assets_alone_are_kept(source: Parcel, marked: set[bytes]) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    result = await filtered(
        content, Conditions(), ids=await shelf.ids(content), library=shelf, marked=asset_ids_of(list(marked))
    )

    assert (await shelf.plain(result)).keys() == source.plain.keys() & marked


@pytest.mark.parametrize("apart", [False, True])
async def test_an_asset_annotated_as_empty_stays_so(apart: bool) -> None:
    shelf = Shelf()
    plain: Plain = {ASSETS[0]: Known(Split.NONE, {GROUND_TRUTH: ()}), ASSETS[1]: Known(Split.NONE, {})}
    content = await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=apart, name="p"))

    result = await filter_by(shelf, content, Conditions(exclude_classes=("cat",)))

    assert await shelf.plain(result) == plain


@pytest.mark.parametrize(
    "impossible",
    [{"area": (500.0, 100.0)}, {"confidence": (0.9, 0.1)}, {"include_classes": ("ant",), "exclude_classes": ("ant",)}],
)
def test_conditions_that_nothing_can_meet_are_refused(impossible: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Conditions(**impossible)
