"""Compaction changes where rows are, never what a content says."""

from collections.abc import Iterator

import pytest
from hypothesis import given

from schemas.splits import Split
from storage.datasets import compaction
from storage.datasets.compaction import compacted
from storage.datasets.content import Content
from storage.datasets.manifests import manifest_digest, manifest_of
from storage.datasets.restriction import restricted
from tests.storage.datasets.worlds import ASSETS, Known, Parcel, Shelf, few_examples, parcels


@pytest.fixture(autouse=True, scope="module")
def _few_are_too_many() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "HARDLY_USED_AT_MOST", 0)
        patch.setattr(compaction, "SEGMENT_IMAGES", 2)
        yield


async def few_of(shelf: Shelf, source: Parcel) -> Content:
    content = await shelf.content(source)
    ids = await shelf.ids(content)
    first = {}
    for segment, mask in content.image_masks().items():
        few = mask.copy()
        few[1:] = False
        first[segment] = few
    return restricted(content, first, ids=ids).tidied()


@few_examples
@given(parcels())
async def test_a_compacted_content_says_the_same(source: Parcel) -> None:
    shelf = Shelf()
    content = await few_of(shelf, source)
    before = await shelf.plain(content)

    result = await compacted(content, shelf)

    assert await shelf.plain(result) == before


@few_examples
@given(parcels())
async def test_a_compacted_content_is_the_same_each_time_and_has_no_hardly_used_segment(source: Parcel) -> None:
    shelf = Shelf()
    content = await few_of(shelf, source)

    once, again = [await compacted(content, shelf) for _ in range(2)]
    twice = await compacted(once, shelf)

    digests = {manifest_digest(manifest_of(result)) for result in (once, again, twice)}
    assert len(digests) == 1


async def test_what_is_used_enough_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "HARDLY_USED_AT_MOST", 128)
    shelf = Shelf()
    plain = {asset: Known(Split.NONE, {}) for asset in ASSETS}
    content = await few_of(shelf, Parcel(plain, dict.fromkeys(plain, 0), apart=False, name="p"))

    assert await compacted(content, shelf) == content
