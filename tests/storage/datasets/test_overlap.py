"""Overlap, held to a model of dictionaries."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.splits import Split
from storage.datasets.overlap import overlap_of
from tests.storage.datasets.worlds import Parcel, Shelf, few_examples, parcels


@few_examples
@given(parcels(), st.lists(parcels(), min_size=1, max_size=2))
async def test_joint_are_the_images_that_any_of_the_others_has(source: Parcel, others: list[Parcel]) -> None:
    shelf = Shelf()
    contents = [await shelf.content(parcel) for parcel in (source, *others)]

    found = overlap_of(contents[0], contents[1:], ids=await shelf.ids(*contents))

    theirs = {asset for other in others for asset in other.plain}
    joint = sorted(source.plain.keys() & theirs)
    assert found.joint.first == tuple(asset.hex() for asset in joint)
    assert (found.joint.count, found.residual) == (len(joint), len(source.plain) - len(joint))
    assert (found.images, found.others) == (len(source.plain), len(theirs))
    moves = {
        (asset, other.plain[asset].split, known.split)
        for asset, known in source.plain.items()
        for other in others
        if asset in other.plain
    }
    across = Counter(f"{a}->{b}" for _, a, b in moves if a is not b and Split.NONE not in {a, b})
    assert found.across_splits == across
