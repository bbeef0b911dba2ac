"""Asset ids are found, whatever their first bytes are."""

from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.asset_ids import asset_ids_of, positions
from tests.storage.datasets.worlds import ASSETS

ids = st.lists(st.sampled_from(ASSETS) | st.binary(min_size=32, max_size=32))


@given(ids, ids)
def test_positions_are_those_of_a_dictionary(haystack: list[bytes], needles: list[bytes]) -> None:
    hay, sought = asset_ids_of(haystack), asset_ids_of(needles)

    found = positions(hay, sought)

    places = {asset: place for place, asset in enumerate(sorted(set(haystack)))}
    assert found.tolist() == [places.get(asset, -1) for asset in sorted(set(needles))]


@given(ids)
def test_ids_are_sorted_as_their_bytes_are(assets: list[bytes]) -> None:
    column = asset_ids_of(assets)

    assert [column.raw(row) for row in range(len(column.prefixes))] == sorted(set(assets))
    assert column.prefixes.tolist() == sorted(column.prefixes.tolist())
