"""Three-way merge: what two contents made of a base, as one content; only what both changed is read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.conflicts import Take
from schemas.manifests import Predictions
from schemas.schema import AssetId, Digest
from schemas.splits import Split
from storage.datasets.asset_ids import AssetIds, asset_ids
from storage.datasets.bare_segments import BareSegments
from storage.datasets.comparison import rows_differ
from storage.datasets.content import Content, LayerContent
from storage.datasets.lookup import annotations_of
from storage.datasets.reading import Segments
from storage.datasets.reconcile import Clash, Reconciled, Rows, reconciled
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask, Masks, difference, intersection, tidied, union
from storage.datasets.space import Space
from storage.datasets.tallies import LayerTally, ThreeWay

BATCH: Final = 4_096
SPLITS: Final = tuple(Split)
MISSING: Final = -1

Numbers = NDArray[np.int64]


class AssetClash(NamedTuple):
    """A clash, and where it is."""

    layer: LayerName
    asset: AssetId
    clash: Clash


Decide = Callable[[Sequence[AssetClash]], Awaitable[Sequence[Rows] | None]]
"""Is given the clashes in order, some at a time; returns what settles each, or None to leave all of them open."""


class Sides(NamedTuple):
    """The three contents, or a part of each."""

    base: Content
    ours: Content
    theirs: Content


async def three_way(sides: Sides, *, decide: Decide, prefer: Take, ids: Ids, library: Segments) -> ThreeWay:
    """Return what two contents made of a base, as one.

    The images are united: one that a side lacks is not deleted. Of an image row and of a split, what one side alone
    changed is so; where both did, that of the side to ``prefer`` (``ours`` or ``theirs``).
    The annotations of an asset in a layer are those of the only side that has any there; else of the only side that
    changed them; else they are merged one by one, as ``reconciled`` does, and the clashes put to ``decide``. Layers of
    predictions are not merged one by one: where both sides changed them, those of the preferred side are kept whole.
    Rows in the same place are the same without being read; segments are kept for assets that both sides changed alone.
    """
    merge = await asyncio.to_thread(_Merge, sides, decide=decide, prefer=prefer, ids=ids, library=library)
    return await merge.result()


class _Merge:
    def __init__(self, sides: Sides, *, decide: Decide, prefer: Take, ids: Ids, library: Segments) -> None:
        self._sides = sides
        self._decide = decide
        self._prefers_theirs = prefer is Take.THEIRS
        self._library = library
        self._names = sorted({name for side in sides for name in side.layers})
        # Rows that all three have, in the same split, need not even be told apart.
        self._moving = union(*(_differing([side.images.get(split, {}) for side in sides]) for split in Split))
        self._changing = {name: _differing([side.layer_masks(name) for side in sides]) for name in self._names}
        self._space = Space.of_masks(self._moving, *self._changing.values(), ids=ids)
        self._result = ThreeWay()

    async def result(self) -> ThreeWay:
        images = await asyncio.to_thread(self._images)
        layers = {name: await self._layer(name) for name in self._names}
        self._result.content = Content(images, layers).tidied()
        return self._result

    def _images(self) -> dict[Split, Masks]:
        rows, splits = zip(*(self._image_rows(side) for side in self._sides), strict=True)
        row, _ = self._chosen(*rows)
        split, moved = self._chosen(*splits)
        self._result.added = int(np.count_nonzero((rows[1] < 0) & (rows[2] >= 0)))
        self._result.moved = self._space.names(row[moved])
        return {
            kind: union(
                difference(self._sides.ours.images.get(kind, {}), self._moving),
                self._masks(row[(row >= 0) & (split == code)]),
            )
            for code, kind in enumerate(SPLITS)
        }

    def _image_rows(self, side: Content) -> tuple[Numbers, Numbers]:
        """Return the row and the split of each asset of a side, among those that are not the same everywhere."""
        space = self._space
        rows = np.full(space.assets + 1, MISSING, np.int64)
        splits = np.full(space.assets + 1, MISSING, np.int64)
        for code, split in enumerate(SPLITS):
            found = space.row_of(space.flat(intersection(side.images.get(split, {}), self._moving)))
            rows[found >= 0] = found[found >= 0]
            splits[found >= 0] = code
        return rows, splits

    def _chosen(self, base: Numbers, ours: Numbers, theirs: Numbers) -> tuple[Numbers, Mask]:
        """Return what one side alone has or changed, else what is preferred; and where both changed it differently."""
        both = (ours >= 0) & (theirs >= 0) & (ours != theirs)
        clash = both & (ours != base) & (theirs != base)
        takes_theirs = (ours < 0) | (both & (ours == base)) | (clash if self._prefers_theirs else False)
        return np.where(takes_theirs, theirs, ours), clash

    async def _layer(self, name: LayerName) -> LayerContent:
        tally = self._result.layers[name] = LayerTally()
        base, ours, theirs = (
            self._space.row_of(self._space.flat(intersection(side.layer_masks(name), self._changing[name])))
            for side in self._sides
        )
        chosen, clash = self._chosen(base, ours, theirs)
        both = np.flatnonzero(clash)
        rows = np.stack([base[both], ours[both], theirs[both]])
        is_predicted = any(name in side.layers and side.layers[name].predictions for side in self._sides)
        chosen[both], changed = await self._settled_by_rows(rows)
        new: dict[Digest, Mask] = {}
        if is_predicted:
            tally.whole = self._space.names(ours[both[changed]])
            chosen[both[changed]] = (theirs if self._prefers_theirs else ours)[both[changed]]
        else:
            chosen[both[changed]], new = await self._merged(name, rows[:, changed], tally)
        tally.theirs = int(np.count_nonzero((chosen >= 0) & (chosen != ours) & (chosen == theirs)))
        kept = difference(self._sides.ours.layer_masks(name), self._changing[name])
        masks = union(kept, self._masks(chosen[chosen >= 0]), new)
        return LayerContent(masks, self._origin(name))

    async def _settled_by_rows(self, rows: Numbers) -> tuple[Numbers, Mask]:
        """Return the row of each asset with rows on both sides, as far as one says what base or the other does."""
        base, ours, theirs = rows
        result = np.full(len(ours), MISSING, np.int64)
        for left, right, taken in ((ours, theirs, ours), (ours, base, theirs), (theirs, base, ours)):
            open_ = np.flatnonzero((result < 0) & (left >= 0) & (right >= 0))
            if len(open_):
                same = ~await rows_differ(self._space, left[open_], right[open_], library=self._library)
                result[open_[same]] = taken[open_[same]]
        return result, result < 0

    async def _merged(self, name: LayerName, rows: Numbers, tally: LayerTally) -> tuple[Numbers, dict[Digest, Mask]]:
        """Return the row of each asset that both sides changed, or the segments with what they come to together."""
        chosen = np.full(rows.shape[1], MISSING, np.int64)
        writer = BareSegments(name, self._library)
        for start in range(0, rows.shape[1], BATCH):
            some = rows[:, start : start + BATCH]
            assets = asset_ids(self._space.raw_ids(some[1]))
            found = await self._annotations(name, assets)
            merged = await asyncio.to_thread(_reconciled, found, by_key=name == ATTRIBUTES)
            tally.joined += sum(one.joined for one in merged)
            answers = await self._answers(name, assets, merged, tally)
            if answers is None:
                self._result.is_open = True
            if self._result.is_open:
                continue  # nothing of it is kept; what comes now is only looked through for more conflicts
            for place, (side, settled) in enumerate(await asyncio.to_thread(_settled, found, merged, answers or ())):
                if side is None:
                    tally.merged += 1
                    await writer.add(assets.raw(place), settled)
                else:
                    chosen[start + place] = some[side, place]
        return chosen, await writer.finish()

    async def _answers(
        self, name: LayerName, assets: AssetIds, merged: Sequence[Reconciled], tally: LayerTally
    ) -> Sequence[Rows] | None:
        clashes = [
            AssetClash(name, assets.raw(place).hex(), clash)
            for place, one in enumerate(merged)
            for clash in one.clashes()
        ]
        tally.conflicts += len(clashes)
        return await self._decide(clashes) if clashes else ()

    async def _annotations(self, name: LayerName, assets: AssetIds) -> list[tuple[Rows, Rows, Rows]]:
        sides = [
            await annotations_of(
                assets, tidied(intersection(side.layer_masks(name), self._changing[name])), library=self._library
            )
            for side in self._sides
        ]
        return [(base or (), ours or (), theirs or ()) for base, ours, theirs in zip(*sides, strict=True)]

    def _masks(self, rows: Numbers) -> Masks:
        mask = np.zeros(self._space.rows, np.bool_)
        mask[rows] = True
        return self._space.masks(mask)

    def _origin(self, name: LayerName) -> Predictions | None:
        origins = [side.layers[name].predictions for side in self._sides[1:] if name in side.layers]
        if all(origin == origins[0] for origin in origins):
            return origins[0] if origins else None
        self._result.dropped_predictions.append(name)
        return None


def _differing(masks: Sequence[Masks]) -> dict[Digest, Mask]:
    """Return the rows that some of three contents select, and not all."""
    base, ours, theirs = masks
    return tidied(difference(union(base, ours, theirs), intersection(intersection(base, ours), theirs)))


def _reconciled(found: Sequence[tuple[Rows, Rows, Rows]], *, by_key: bool) -> list[Reconciled]:
    return [reconciled(*sides, by_key=by_key) for sides in found]


def _settled(
    found: Sequence[tuple[Rows, Rows, Rows]], merged: Sequence[Reconciled], answers: Sequence[Rows]
) -> list[tuple[int | None, Rows]]:
    """Return what each asset has in the end, and which side has just that, if one has."""
    given = iter(answers)
    settled = [one.settled(given) for one in merged]
    return [(_side_with(rows, ours, theirs), rows) for rows, (_, ours, theirs) in zip(settled, found, strict=True)]


def _side_with(rows: Rows, ours: Rows, theirs: Rows) -> int | None:
    """Return which side has just these annotations, in whatever order, if one has."""
    given = set(rows)
    for place, side in enumerate((ours, theirs), start=1):
        if len(side) == len(rows) and given == set(side):
            return place
    return None
