"""Diff, held to a model of dictionaries."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.diffs import AssetChanges, VersionDiff
from storage.datasets.diff import diff
from storage.datasets.listing import asset_rows
from tests.storage.datasets.worlds import Known, Parcel, Plain, Shelf, cuts, few_examples, parcels, plains


async def compare(shelf: Shelf, before: Parcel, after: Parcel) -> VersionDiff:
    contents = [await shelf.content(before), await shelf.content(after)]
    return await diff(*contents, ids=await shelf.ids(*contents), library=shelf)


async def rows_of(shelf: Shelf, parcel: Parcel) -> Plain:
    """Return what a content says, annotation ids and all."""
    rows = asset_rows(await shelf.content(parcel), layers=None, splits=None, library=shelf)
    return {row.image.asset: Known(row.split, row.layers) async for row in rows}


def changes(assets: set[bytes]) -> AssetChanges:
    return AssetChanges(count=len(assets), first=tuple(sorted(asset.hex() for asset in assets)))


@few_examples
@given(parcels(), parcels())
async def test_a_diff_says_what_was_added_removed_moved_and_annotated(before: Parcel, after: Parcel) -> None:
    shelf = Shelf()

    found = await compare(shelf, before, after)

    old, new = [await rows_of(shelf, parcel) for parcel in (before, after)]
    both = old.keys() & new.keys()
    assert found.added == changes(new.keys() - old.keys())
    assert found.removed == changes(old.keys() - new.keys())
    assert found.moved == changes({asset for asset in both if old[asset].split is not new[asset].split})
    assert sum(found.moves.values()) == found.moved.count
    for name, layer in found.layers.items():
        olds = {asset: known.layers[name] for asset, known in old.items() if name in known.layers}
        news = {asset: known.layers[name] for asset, known in new.items() if name in known.layers}
        common = olds.keys() & news.keys()
        assert layer.annotated == changes(news.keys() - olds.keys())
        assert layer.unannotated == changes(olds.keys() - news.keys())
        assert layer.changed == changes({asset for asset in common if set(olds[asset]) != set(news[asset])})


@few_examples
@given(st.data(), plains())
async def test_the_same_cut_otherwise_has_no_difference(data: st.DataObject, plain: Plain) -> None:
    found = await compare(Shelf(), data.draw(cuts(plain)), data.draw(cuts(plain)))

    assert not any(change.count for change in (found.added, found.removed, found.moved))
    assert not any(
        change.count
        for layer in found.layers.values()
        for change in (layer.annotated, layer.unannotated, layer.changed)
    )
