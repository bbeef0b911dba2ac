"""Exclude and overlap."""

from hypothesis import given

from storage.datasets.exclude import excluded, overlap
from tests.storage.datasets.worlds import Parcel, Shelf, few_examples, parcels, places


@few_examples
@given(parcels(), parcels(), parcels())
async def test_what_is_left_shares_no_asset_with_what_was_excluded(source: Parcel, one: Parcel, other: Parcel) -> None:
    shelf = Shelf()
    contents = [await shelf.content(parcel) for parcel in (source, one, other)]

    result = excluded(contents[0], contents[1:], ids=await shelf.ids(*contents))

    unwanted = one.plain.keys() | other.plain.keys()
    expected = {asset: known for asset, known in source.plain.items() if asset not in unwanted}
    assert await shelf.plain(result) == expected
    for name in result.layers:
        assert places(result.layer_masks(name), await shelf.ids(*contents)).keys() <= expected.keys()


@few_examples
@given(parcels(), parcels())
async def test_the_overlap_is_what_both_have(left: Parcel, right: Parcel) -> None:
    shelf = Shelf()
    contents = [await shelf.content(left), await shelf.content(right)]
    ids = await shelf.ids(*contents)

    both = left.plain.keys() & right.plain.keys()

    assert overlap(*contents, ids=ids) == sorted(asset.hex() for asset in both)
