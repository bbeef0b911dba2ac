"""Merge, held to a model of dictionaries."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.algebra_parameters import Strategy
from schemas.annotations import GROUND_TRUTH
from schemas.manifests import Predictions
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.manifests import manifest_digest, manifest_of
from storage.datasets.merge import IMAGES, Merged, MergeSource, merged
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import (
    ASSETS,
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

BOX = AnnotationRow("cat", (0.0, 0.0, 1.0, 1.0))


async def merge(
    shelf: Shelf, *sources: MergeSource, strategy: Strategy = Strategy.HOST, exclude: tuple[Content, ...] = ()
) -> Merged:
    ids = await shelf.ids(*(source.content for source in sources), *exclude)
    return merged(sources, strategy=strategy, exclude=exclude, ids=ids)


def model(host: Plain, guest: Plain, strategy: Strategy) -> Plain:
    first, second = (host, guest) if strategy is Strategy.HOST else (guest, host)
    return {
        asset: Known(
            (first.get(asset) or second[asset]).split,
            {
                **(second[asset].layers if asset in second else {}),
                **(first[asset].layers if asset in first else {}),
            },
        )
        for asset in {*host, *guest}
    }


@few_examples
@given(st.lists(parcels(), min_size=1, max_size=3), st.sampled_from([Strategy.HOST, Strategy.GUEST]))
async def test_sources_are_folded_from_left_to_right_asset_by_asset(sources: list[Parcel], strategy: Strategy) -> None:
    shelf = Shelf()
    contents = [await shelf.content(source) for source in sources]

    result = await merge(shelf, *map(MergeSource, contents), strategy=strategy)

    expected = sources[0].plain
    for source in sources[1:]:
        expected = model(expected, source.plain, strategy)
    assert await shelf.plain(result.content) == expected
    assert not result.conflicts


@few_examples
@given(parcels(), st.sampled_from(Strategy))
async def test_a_merge_with_itself_is_the_identity(source: Parcel, strategy: Strategy) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    result = await merge(shelf, MergeSource(content), MergeSource(content), strategy=strategy)

    assert manifest_digest(manifest_of(result.content)) == manifest_digest(manifest_of(content))
    assert not result.conflicts


@few_examples
@given(parcels(), parcels())
async def test_stop_reports_every_asset_that_both_have_unless_the_row_is_the_same(host: Parcel, guest: Parcel) -> None:
    shelf = Shelf()
    contents = [await shelf.content(host), await shelf.content(guest)]
    ids = await shelf.ids(*contents)

    result = await merge(shelf, *map(MergeSource, contents), strategy=Strategy.STOP)

    expected = set()
    for role in (IMAGES, GROUND_TRUTH, PREDICTED):
        rows = [
            places(content.image_masks() if role == IMAGES else content.layer_masks(role), ids) for content in contents
        ]
        for asset in rows[0].keys() & rows[1].keys():
            moved = role == IMAGES and host.plain[asset].split is not guest.plain[asset].split
            if rows[0][asset] != rows[1][asset] or moved:
                expected.add((asset.hex(), role, 1))
    assert {tuple(conflict) for conflict in result.conflicts} == expected
    assert len(result.conflicts) == len(expected)


@few_examples
@given(parcels(), parcels(), parcels(), st.sampled_from([Strategy.HOST, Strategy.GUEST]))
async def test_every_image_that_two_sources_put_to_different_uses_is_told(
    host: Parcel, guest: Parcel, unwanted: Parcel, strategy: Strategy
) -> None:
    shelf = Shelf()
    contents = [await shelf.content(parcel) for parcel in (host, guest, unwanted)]

    result = await merge(shelf, *map(MergeSource, contents[:2]), strategy=strategy, exclude=(contents[2],))

    expected = {
        (asset.hex(), 1, host.plain[asset].split, guest.plain[asset].split)
        for asset in host.plain.keys() & guest.plain.keys() - unwanted.plain.keys()
        if len({host.plain[asset].split, guest.plain[asset].split} - {Split.NONE}) > 1
    }
    assert {tuple(crossing) for crossing in result.crossings} == expected
    assert len(result.crossings) == len(expected)


@few_examples
@given(st.data(), plains(), plains(), st.sampled_from([Strategy.HOST, Strategy.GUEST]))
async def test_nothing_is_dropped_silently(data: st.DataObject, host: Plain, guest: Plain, strategy: Strategy) -> None:
    shelf = Shelf()
    contents = [await shelf.content(data.draw(cuts(plain, name=name))) for plain, name in ((host, "a"), (guest, "b"))]

    result = await merge(shelf, *map(MergeSource, contents), strategy=strategy)

    assert (await shelf.plain(result.content)).keys() == {*host, *guest}
    assert result.joint.get(IMAGES, 0) == len(host.keys() & guest.keys())


@few_examples
@given(st.lists(parcels(), min_size=1, max_size=2), parcels())
async def test_the_assets_of_excluded_contents_are_removed_from_everything(
    sources: list[Parcel], excluded: Parcel
) -> None:
    shelf = Shelf()
    contents = [await shelf.content(source) for source in sources]
    unwanted = await shelf.content(excluded)

    whole = await merge(shelf, *map(MergeSource, contents))
    result = await merge(shelf, *map(MergeSource, contents), exclude=(unwanted,))

    expected = {
        asset: known for asset, known in (await shelf.plain(whole.content)).items() if asset not in excluded.plain
    }
    assert await shelf.plain(result.content) == expected
    ids = await shelf.ids(*contents)
    for name in result.content.layers:
        assert not places(result.content.layer_masks(name), ids).keys() & excluded.plain.keys()


@few_examples
@given(parcels(), parcels())
async def test_a_split_that_is_set_holds_for_all_assets_of_its_source(host: Parcel, guest: Parcel) -> None:
    shelf = Shelf()
    contents = [await shelf.content(host), await shelf.content(guest)]

    result = await merge(shelf, MergeSource(contents[0], Split.TEST), MergeSource(contents[1]))

    found = await shelf.plain(result.content)
    assert {found[asset].split for asset in host.plain} <= {Split.TEST}
    assert all(found[asset].split is known.split for asset, known in guest.plain.items() if asset not in host.plain)


async def test_an_unannotated_host_image_takes_the_guests_labels_and_one_annotated_as_empty_does_not() -> None:
    shelf = Shelf()
    unannotated, empty = ASSETS[:2]
    host: Plain = {unannotated: Known(Split.NONE, {}), empty: Known(Split.NONE, {GROUND_TRUTH: ()})}
    guest: Plain = {asset: Known(Split.NONE, {GROUND_TRUTH: (BOX,)}) for asset in (unannotated, empty)}
    contents = [
        await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=False, name=name))
        for plain, name in ((host, "host"), (guest, "guest"))
    ]

    result = await merge(shelf, *map(MergeSource, contents))

    found = await shelf.plain(result.content)
    assert found[unannotated].layers == {GROUND_TRUTH: (BOX,)}
    assert found[empty].layers == {GROUND_TRUTH: ()}


async def test_predictions_of_several_models_name_none_and_the_merge_says_so() -> None:
    shelf = Shelf()
    origins = [
        Predictions(model="sha256:" + digit * 64, stage="best", configuration="sha256:" + "0" * 64, classes=("cat",))
        for digit in "12"
    ]
    contents = []
    for asset, origin in zip(ASSETS, origins, strict=False):
        plain: Plain = {asset: Known(Split.NONE, {PREDICTED: (BOX,)})}
        content = await shelf.content(Parcel(plain, {asset: 0}, apart=True, name="p"))
        contents.append(content.with_layer(PREDICTED, LayerContent(content.layer_masks(PREDICTED), origin)))

    alone = await merge(shelf, MergeSource(contents[0]))
    mixed = await merge(shelf, *map(MergeSource, contents))

    assert alone.content.layers[PREDICTED].predictions == origins[0]
    assert mixed.content.layers[PREDICTED].predictions is None
    assert mixed.dropped_predictions == (PREDICTED,)
