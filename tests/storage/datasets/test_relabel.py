"""Relabel, held to a model of dictionaries."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.manifests import Predictions
from schemas.schema import digest_of
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.listing import asset_rows
from storage.datasets.manifests import manifest_digest, manifest_of
from storage.datasets.relabel import Relabeled, relabeled
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import (
    ASSETS,
    CLASSES,
    PREDICTED,
    Known,
    Parcel,
    Plain,
    Shelf,
    cuts,
    few_examples,
    parcels,
    places,
    plains,
)

changes = st.dictionaries(st.sampled_from(CLASSES), st.sampled_from([*CLASSES, "newt", ""]), min_size=1)


async def relabel(shelf: Shelf, content: Content, classes: dict[str, str]) -> Relabeled:
    return await relabeled(content, classes, layer=GROUND_TRUTH, library=shelf)


async def ids(shelf: Shelf, content: Content) -> dict[bytes, list[bytes | None]]:
    rows = asset_rows(content, layers=[GROUND_TRUTH], splits=None, library=shelf)
    return {row.image.asset: [one.id for one in row.layers.get(GROUND_TRUTH, ())] async for row in rows}


def model(plain: Plain, classes: dict[str, str]) -> Plain:
    return {
        asset: known._replace(
            layers={
                name: tuple(
                    row._replace(class_name=classes.get(row.class_name or "", row.class_name))
                    for row in rows
                    if name != GROUND_TRUTH or classes.get(row.class_name or "", row.class_name) != ""
                )
                if name == GROUND_TRUTH
                else rows
                for name, rows in known.layers.items()
            }
        )
        for asset, known in plain.items()
    }


@few_examples
@given(parcels(), changes)
async def test_classes_change_all_at_once_and_nothing_else_does(source: Parcel, classes: dict[str, str]) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    result = await relabel(shelf, content, classes)

    assert await shelf.plain(result.content) == model(source.plain, classes)
    rows = [row.class_name for known in source.plain.values() for row in known.layers.get(GROUND_TRUTH, ())]
    told = {(old, new): rows.count(old) for old, new in classes.items() if old != new and old in rows}
    assert result.annotations == told


@few_examples
@given(parcels())
async def test_there_and_back_is_where_it_began_with_the_same_ids(source: Parcel) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    there = await relabel(shelf, content, {"ant": "bee", "bee": "newt"})
    back = await relabel(shelf, there.content, {"bee": "ant", "newt": "bee"})

    assert await shelf.plain(back.content) == await shelf.plain(content)
    assert await ids(shelf, back.content) == await ids(shelf, there.content) == await ids(shelf, content)


@few_examples
@given(parcels(), changes)
async def test_images_without_a_class_that_changes_stay_in_their_segments(
    source: Parcel, classes: dict[str, str]
) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    result = await relabel(shelf, content, classes)

    ids = await shelf.ids(content, result.content)
    before, after = [places(one.layer_masks(GROUND_TRUTH), ids) for one in (content, result.content)]
    assert sum(before[asset] != place for asset, place in after.items()) == result.images
    assert before.keys() == after.keys()
    if not result.annotations:
        assert manifest_digest(manifest_of(result.content)) == manifest_digest(manifest_of(content.tidied()))


@few_examples
@given(st.data(), plains(), changes)
async def test_the_new_segment_is_the_same_however_the_content_is_cut(
    data: st.DataObject, plain: Plain, classes: dict[str, str]
) -> None:
    shelves = [Shelf(), Shelf()]
    contents = [await shelf.content(data.draw(cuts(plain))) for shelf in shelves]
    before = [set(content.segments()) for content in contents]

    results = [await relabel(shelf, content, classes) for shelf, content in zip(shelves, contents, strict=True)]

    new = [set(result.content.segments()) - old for result, old in zip(results, before, strict=True)]
    everything = all(
        any(classes.get(row.class_name or "", row.class_name) != row.class_name for row in known.layers[GROUND_TRUTH])
        for known in plain.values()
        if GROUND_TRUTH in known.layers
    )
    if everything:
        assert new[0] == new[1]


async def test_an_image_that_loses_all_its_annotations_is_annotated_as_empty() -> None:
    shelf = Shelf()
    plain: Plain = {ASSETS[0]: Known(Split.NONE, {GROUND_TRUTH: (AnnotationRow("ant"), AnnotationRow("ant"))})}
    content = await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=False, name="p"))

    result = await relabel(shelf, content, {"ant": ""})

    assert await shelf.plain(result.content) == {ASSETS[0]: Known(Split.NONE, {GROUND_TRUTH: ()})}
    assert result.annotations == {("ant", ""): 2}


async def test_what_a_model_can_predict_goes_by_its_new_name() -> None:
    shelf = Shelf()
    plain: Plain = {ASSETS[0]: Known(Split.NONE, {PREDICTED: (AnnotationRow("ant"),)})}
    content = await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=True, name="p"))
    digest = digest_of(b"")
    origin = Predictions(model=digest, stage="best", configuration=digest, classes=("ant", "bee", "cat"))
    content = content.with_layer(PREDICTED, LayerContent(content.layer_masks(PREDICTED), origin))

    result = await relabeled(content, {"ant": "bee", "cat": ""}, layer=PREDICTED, library=shelf)

    predictions = result.content.layers[PREDICTED].predictions
    assert predictions == origin.model_copy(update={"classes": ("bee",)})
