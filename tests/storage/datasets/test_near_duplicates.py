"""Near-duplicates of contents: kept together when drawn, found across splits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.algebra_parameters import Portion
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.near_duplicates import USED, Leakage, leakage, near_duplicate_groups
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.sample import sampled
from storage.datasets.segments import build_segment
from storage.datasets.selections import Mask, frozen
from storage.datasets.split import dealt
from storage.datasets.strata import strata_of
from tests.storage.datasets.worlds import ASSETS, Shelf, few_examples

DISTANCE = 2
LAYER = "ground_truth"
# 0, 1 and 7 lead to each other, f0 and f1 too; ff is alone, and an empty one is no hash.
HASHES = (b"\x00", b"\x01", b"\x07", b"\xf0", b"\xf1", b"\xff", b"")
pictures = st.dictionaries(
    st.sampled_from(ASSETS), st.tuples(st.sampled_from(HASHES), st.sampled_from(Split), st.sampled_from(["ant", "bee"]))
)
Pictures = dict[bytes, tuple[bytes, Split, str]]


async def content_of(shelf: Shelf, given: Pictures, cut: dict[bytes, int]) -> Content:
    """Return a content of images with hashes, cut into segments."""
    images: dict[Split, dict[str, Mask]] = {split: {} for split in Split}
    layer = {}
    for number in sorted({cut[asset] for asset in given}):
        here = sorted(asset for asset in given if cut[asset] == number)
        rows = [ImageRow(asset, str(number), perceptual_hash=_hash(given[asset][0])) for asset in here]
        found = [(AnnotationRow(given[asset][2]),) for asset in here]
        segment = await shelf.keep_segment(build_segment(rows, found, layer=LAYER, described=True))
        for split in Split:
            images[split][segment] = frozen(np.array([given[asset][1] is split for asset in here], np.bool_))
        layer[segment] = frozen(np.ones(len(here), np.bool_))
    return Content(images).tidied().with_layer(LAYER, LayerContent(layer)) if given else Content()


def _hash(first: bytes) -> bytes:
    return first and first + bytes(31)


def away(left: bytes, right: bytes) -> int:
    """Return how far two hashes are apart; one that is missing is far from all."""
    return (left[0] ^ right[0]).bit_count() if left and right else 256


def families(given: Pictures) -> set[frozenset[bytes]]:
    found = {asset: {asset} for asset in given}
    for one in given:
        for other in given:
            if one == other or away(given[one][0], given[other][0]) <= DISTANCE:
                joined = found[one] | found[other]
                for member in joined:
                    found[member] = joined
    return {frozenset(members) for members in found.values()}


def cuts_of(data: st.DataObject, given: Pictures) -> dict[bytes, int]:
    return {asset: data.draw(st.integers(0, 2)) for asset in sorted(given)}


@few_examples
@given(st.data(), pictures, st.booleans(), st.sampled_from([(0.5, 0.5, 0.0), (0.7, 0.2, 0.1), (0.4, 0.0, 0.0)]))
async def test_a_split_never_parts_near_duplicates_whatever_the_segments_are(
    data: st.DataObject, given: Pictures, stratify: bool, shares: tuple[float, float, float]
) -> None:
    shelf = Shelf()
    results = []
    for _ in range(2):
        content = await content_of(shelf, given, cuts_of(data, given))
        ids = await shelf.ids(content)
        grouping = await near_duplicate_groups(content, distance=DISTANCE, library=shelf)
        strata = await strata_of(content, ids=ids, library=shelf) if stratify else None
        training, validation, test = shares
        result = dealt(
            content,
            training=training,
            validation=validation,
            test=test,
            ids=ids,
            strata=strata,
            together=grouping.label,
        )
        results.append({asset: known.split for asset, known in (await shelf.plain(result)).items()})

    assert results[0] == results[1]
    assert results[0].keys() == given.keys()
    for family in families(given):
        assert len({results[0][asset] for asset in family}) == 1
    if shares[2] == 0:
        assert Split.TEST not in results[0].values()
    assert grouping.without_hash == sum(not first for first, _, _ in given.values())


@few_examples
@given(st.data(), pictures, st.integers(1, 8), st.booleans())
async def test_a_sample_has_whole_families_and_at_most_what_is_asked_for(
    data: st.DataObject, given: Pictures, count: int, stratify: bool
) -> None:
    shelf = Shelf()
    results = []
    for _ in range(2):
        content = await content_of(shelf, given, cuts_of(data, given))
        ids = await shelf.ids(content)
        grouping = await near_duplicate_groups(content, distance=DISTANCE, library=shelf)
        strata = await strata_of(content, ids=ids, library=shelf) if stratify else None
        portion = Portion(count=count, stratify=stratify)
        result = sampled(content, portion, ids=ids, strata=strata, together=grouping.label)
        results.append((await shelf.plain(result)).keys())

    assert results[0] == results[1]
    assert len(results[0]) <= count
    for family in families(given):
        assert not family & results[0] or family <= results[0]
    if count >= len(given):
        assert results[0] == given.keys()


@few_examples
@given(st.data(), pictures)
async def test_leakage_is_every_image_with_a_near_duplicate_in_an_earlier_split(
    data: st.DataObject, given: Pictures
) -> None:
    shelf = Shelf()
    content = await content_of(shelf, given, cuts_of(data, given))

    result: Leakage = await leakage(content, distance=DISTANCE, ids=await shelf.ids(content), library=shelf)

    used = {asset: one for asset, one in given.items() if one[1] is not Split.NONE}
    expected = {}
    for asset, (first, split, _) in used.items():
        earlier = [
            (away(first, other), USED.index(of), near)
            for near, (other, of, _) in used.items()
            if USED.index(of) < USED.index(split) and away(first, other) <= DISTANCE
        ]
        if earlier:
            distance, place, near = min(earlier)
            expected[asset.hex()] = (split, near.hex(), USED[place], distance)
    assert {one.asset: one[1:] for one in result.found} == expected
    assert [one.asset for one in result.found] == sorted(expected)
    assert result.looked_at == len(used)
    assert result.without_hash == sum(not first for first, _, _ in used.values())


async def test_images_that_came_without_files_have_no_near_duplicates() -> None:
    shelf = Shelf()
    segment = await shelf.keep_segment(
        build_segment([ImageRow(ASSETS[0]), ImageRow(ASSETS[1])], [(), ()], layer=LAYER, described=False)
    )
    content = Content({Split.NONE: {segment: frozen(np.ones(2, np.bool_))}})

    grouping = await near_duplicate_groups(content, distance=64, library=shelf)

    assert (grouping.label.tolist(), grouping.without_hash) == ([0, 1], 2)
