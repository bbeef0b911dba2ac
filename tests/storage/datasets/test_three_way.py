"""Three-way merge of contents, held to a model of dictionaries."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.conflicts import Take
from schemas.manifests import Predictions
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.manifests import manifest_digest, manifest_of
from storage.datasets.reconcile import reconciled
from storage.datasets.rows import AnnotationRow
from storage.datasets.tallies import ThreeWay
from storage.datasets.three_way import AssetClash, Sides, three_way
from tests.storage.datasets.lines import LAYERS, Rows, fewer_examples, lines, said
from tests.storage.datasets.worlds import (
    ASSETS,
    Known,
    Parcel,
    Plain,
    Shelf,
)

OURS: Final = Take.OURS


class Judge:
    """Settles every clash with one choice (None: leaves it open), and remembers them."""

    def __init__(self, take: Take | None) -> None:
        self.take = take
        self.seen: list[AssetClash] = []

    async def __call__(self, clashes: Sequence[AssetClash]) -> Sequence[Rows] | None:
        self.seen += clashes
        return None if self.take is None else [clash.clash.taken(self.take) for clash in clashes]


async def merge(
    shelf: Shelf, base: Content, ours: Content, theirs: Content, *, take: Take | None = OURS, prefer: Take = OURS
) -> tuple[ThreeWay, list[AssetClash]]:
    judge = Judge(take)
    ids = await shelf.ids(base, ours, theirs)
    result = await three_way(Sides(base, ours, theirs), decide=judge, prefer=prefer, ids=ids, library=shelf)
    return result, judge.seen


Said = dict[bytes, tuple[Split, dict[str, set[AnnotationRow]]]]


def model(base: Plain, ours: Plain, theirs: Plain, prefer: Take) -> Said:
    """Return the merge of plain dictionaries, clashes settled as is preferred."""
    found: Said = {}
    for asset in {*ours, *theirs}:
        sides = [plain.get(asset) for plain in (base, ours, theirs)]
        old, mine, other = (None if side is None else side.split for side in sides)
        layers: dict[str, set[AnnotationRow]] = {}
        for name in LAYERS:
            rows = [None if side is None else side.layers.get(name) for side in sides]
            merged = model_layer(rows[0], rows[1], rows[2], name=name, prefer=prefer)
            if merged is not None:
                layers[name] = set(merged)
        found[asset] = (model_choice(old, mine, other, prefer), layers)
    return found


def model_choice(base: Split | None, ours: Split | None, theirs: Split | None, prefer: Take) -> Split:
    if ours is None or theirs is None:
        found = ours or theirs
        assert found is not None
        return found
    if ours is theirs or theirs is base:
        return ours
    return theirs if ours is base or prefer is Take.THEIRS else ours


def model_layer(base: Rows | None, ours: Rows | None, theirs: Rows | None, *, name: str, prefer: Take) -> Rows | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    merged = reconciled(base or (), ours, theirs, by_key=name == ATTRIBUTES)
    return merged.settled(clash.taken(prefer) for clash in merged.clashes())


@fewer_examples
@given(lines(), st.sampled_from([Take.OURS, Take.THEIRS]))
async def test_a_merge_is_that_of_each_asset(parcels: tuple[Parcel, Parcel, Parcel], prefer: Take) -> None:
    shelf = Shelf()
    contents = [await shelf.content(parcel) for parcel in parcels]

    result, clashes = await merge(shelf, *contents, take=prefer, prefer=prefer)

    base, ours, theirs = [await said(shelf, content) for content in contents]
    found = await said(shelf, result.content)
    assert {
        asset: (known.split, {name: set(rows) for name, rows in known.layers.items()}) for asset, known in found.items()
    } == model(base, ours, theirs, prefer)
    assert sum(tally.conflicts for tally in result.layers.values()) == len(clashes)
    assert not result.is_open


@fewer_examples
@given(lines())
async def test_conflicts_are_the_same_however_the_contents_are_cut_and_leave_the_merge_open(
    parcels: tuple[Parcel, Parcel, Parcel],
) -> None:
    shelf = Shelf()
    cut = [await shelf.content(parcel) for parcel in parcels]
    whole = [await shelf.content(parcel._replace(cut=dict.fromkeys(parcel.plain, 0), apart=True)) for parcel in parcels]

    result, clashes = await merge(shelf, *cut, take=None)
    other, same = await merge(shelf, *whole, take=None)

    assert clashes == same
    assert clashes == sorted(clashes, key=lambda clash: (clash.layer, clash.asset))
    assert result.is_open == other.is_open == bool(clashes)


@fewer_examples
@given(lines())
async def test_a_merge_with_itself_is_the_identity(parcels: tuple[Parcel, Parcel, Parcel]) -> None:
    shelf = Shelf()
    base, ours, _ = [await shelf.content(parcel) for parcel in parcels]

    result, clashes = await merge(shelf, base, ours, ours)

    assert manifest_digest(manifest_of(result.content)) == manifest_digest(manifest_of(ours))
    assert not clashes


@fewer_examples
@given(lines())
async def test_where_one_side_changed_nothing_it_has_the_rows_of_the_other(
    parcels: tuple[Parcel, Parcel, Parcel],
) -> None:
    shelf = Shelf()
    base, _, theirs = [await shelf.content(parcel) for parcel in parcels]

    forward, _ = await merge(shelf, base, base, theirs, take=None)
    back, _ = await merge(shelf, base, theirs, base, take=None)

    expected = await said(shelf, theirs)
    found = await said(shelf, forward.content)
    assert {asset: known.split for asset, known in found.items() if asset in expected} == {
        asset: known.split for asset, known in expected.items()
    }
    for asset, known in expected.items():
        assert known.layers.items() <= found[asset].layers.items()
    assert manifest_digest(manifest_of(forward.content)) == manifest_digest(manifest_of(back.content))
    # Nothing was written for it.
    assert set(forward.content.segments()) <= {*base.segments(), *theirs.segments()}


CAT = AnnotationRow("cat", (0.0, 0.0, 10.0, 10.0), id=b"c" * 16)
DOG = AnnotationRow("dog", (50.0, 0.0, 10.0, 10.0), id=b"d" * 16)
MOVED = CAT._replace(box=(1.0, 0.0, 10.0, 10.0))


async def of(
    shelf: Shelf, rows: Mapping[int, Rows | None], *, split: Split = Split.TRAINING, name: str = "p"
) -> Content:
    plain = {
        ASSETS[number]: Known(split, {} if found is None else {GROUND_TRUTH: found}) for number, found in rows.items()
    }
    return await shelf.content(Parcel(plain, dict.fromkeys(plain, 0), apart=False, name=name))


async def test_an_image_that_one_side_removed_is_not_deleted() -> None:
    shelf = Shelf()
    base, ours = await of(shelf, {0: (CAT,), 1: (DOG,)}), await of(shelf, {0: (MOVED,)})

    result, _ = await merge(shelf, base, ours, base)

    found = await said(shelf, result.content)
    assert {asset: known.layers[GROUND_TRUTH] for asset, known in found.items()} == {
        ASSETS[0]: (MOVED,),
        ASSETS[1]: (DOG,),
    }


async def test_a_side_that_has_not_annotated_an_image_has_changed_nothing_there_and_an_empty_one_has() -> None:
    shelf = Shelf()
    base = await of(shelf, {0: (CAT,), 1: (CAT,), 2: None, 3: None})
    ours = await of(shelf, {0: None, 1: (), 2: (), 3: None}, name="q")
    theirs = await of(shelf, {0: (MOVED,), 1: (CAT,), 2: (CAT,), 3: ()}, name="r")

    result, clashes = await merge(shelf, base, ours, theirs)

    found = await said(shelf, result.content)
    assert [found[asset].layers[GROUND_TRUTH] for asset in ASSETS[:4]] == [(MOVED,), (), (CAT,), ()]
    assert not clashes


@pytest.mark.parametrize(("prefer", "split"), [(Take.OURS, Split.TEST), (Take.THEIRS, Split.NONE)])
async def test_an_asset_that_both_moved_is_told_of_and_goes_where_is_preferred(prefer: Take, split: Split) -> None:
    shelf = Shelf()
    base = await of(shelf, {0: (), 1: ()})
    ours = await of(shelf, {0: (), 1: ()}, split=Split.TEST)
    theirs = await of(shelf, {0: (), 1: ()}, split=Split.NONE)

    result, _ = await merge(shelf, base, ours, theirs, prefer=prefer)

    assert result.moved == [asset.hex() for asset in ASSETS[:2]]
    assert {known.split for known in (await said(shelf, result.content)).values()} == {split}


async def test_predictions_are_taken_whole_and_name_their_model_only_if_it_is_one() -> None:
    shelf = Shelf()
    origins = [
        Predictions(model=f"sha256:{digit * 64}", stage="best", configuration=f"sha256:{digit * 64}", classes=("cat",))
        for digit in "12"
    ]
    base, ours, theirs = [
        predicted(await of(shelf, rows, name=name), origin)
        for rows, name, origin in (
            ({0: (CAT,), 1: (CAT,)}, "p", origins[0]),
            ({0: (MOVED,), 1: (CAT,)}, "q", origins[0]),
            ({0: (CAT, DOG), 1: (DOG,)}, "r", origins[1]),
        )
    ]

    result, clashes = await merge(shelf, base, ours, theirs)

    found = await said(shelf, result.content)
    assert [found[asset].layers[GROUND_TRUTH] for asset in ASSETS[:2]] == [(MOVED,), (DOG,)]
    assert result.layers[GROUND_TRUTH].whole == [ASSETS[0].hex()]
    assert (result.dropped_predictions, result.content.layers[GROUND_TRUTH].predictions) == ([GROUND_TRUTH], None)
    assert not clashes


def predicted(content: Content, origin: Predictions) -> Content:
    return content.with_layer(GROUND_TRUTH, LayerContent(content.layer_masks(GROUND_TRUTH), origin))


async def test_only_assets_that_both_changed_get_a_new_segment() -> None:
    shelf = Shelf()
    base = await of(shelf, {0: (CAT, DOG), 1: (CAT,), 2: (CAT,)})
    ours = await of(shelf, {0: (MOVED, DOG), 1: (MOVED,), 2: (CAT,)}, name="q")
    theirs = await of(shelf, {0: (CAT,), 1: (CAT,), 2: (MOVED,)}, name="r")

    result, _ = await merge(shelf, base, ours, theirs)

    new = set(result.content.segments()) - {*base.segments(), *ours.segments(), *theirs.segments()}
    [segment] = new
    assert int(np.count_nonzero(result.content.layer_masks(GROUND_TRUTH)[segment])) == 1
    assert shelf.readers[segment].document.annotation_rows == 1
    tally = result.layers[GROUND_TRUTH]
    assert (tally.theirs, tally.merged, tally.conflicts) == (1, 1, 0)
