"""Merge: several contents as one, asset by asset, the images and each layer on their own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.algebra_parameters import Strategy
from schemas.annotations import LayerName
from schemas.manifests import Predictions
from schemas.schema import AssetId
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent
from storage.datasets.restriction import Ids
from storage.datasets.selections import Mask
from storage.datasets.space import Space

IMAGES: Final = "images"
SPLITS: Final = tuple(Split)


class MergeSource(NamedTuple):
    """A content to take from; with ``split``, all its assets are put to that use first."""

    content: Content
    split: Split | None = None


class MergeConflict(NamedTuple):
    """An asset that the sources so far and the next one both have."""

    asset: AssetId
    what: str
    """``images``, or the name of a layer."""
    source: int
    """The position of the later source; 1 is the second."""


class Crossing(NamedTuple):
    """An image that the sources so far and the next one put to two of training, validation and test."""

    asset: AssetId
    source: int
    """The position of the later source; 1 is the second."""
    before: Split
    after: Split


@dataclass(frozen=True)
class Merged:
    """What a merge came to."""

    content: Content
    """With conflicts it is not to be kept."""
    conflicts: tuple[MergeConflict, ...] = ()
    """Only under ``stop``: each of them, by source, then what, then asset."""
    joint: dict[str, int] = field(default_factory=dict)
    """How many assets of ``images`` and of each layer two sources had; identical rows are not counted."""
    crossings: tuple[Crossing, ...] = ()
    """Every image of the result that two sources put to different uses, by source, then asset."""
    dropped_predictions: tuple[LayerName, ...] = ()
    """Layers that hold the predictions of several models now, and so name none."""


def merged(sources: Sequence[MergeSource], *, strategy: Strategy, exclude: Sequence[Content] = (), ids: Ids) -> Merged:
    """Return the sources folded from left to right, without the assets of ``exclude``.

    An asset that both sides have is a conflict under ``stop``; ``host`` keeps what is there, ``guest`` takes what
    comes. The images and each layer are resolved independently: under ``host`` an un-annotated image takes the guest's
    annotations, one annotated as empty does not. The split goes with the image row that won. The same row of the same
    segment, put to the same use, is no conflict; an equal row of another segment is one.
    A layer keeps its predictions' origin if all sources that have the layer agree on it.
    It is CPU-heavy: call it in a thread. ``ids`` are those of all segments of all contents.
    """
    contents = [content if split is None else content.with_split(split) for content, split in sources]
    space = Space.of(*contents, *exclude, ids=ids)
    fold = _Fold(space, strategy)
    for position, content in enumerate(contents):
        fold.take(content, position)
    unwanted = np.zeros(space.assets + 1, np.bool_)
    for content in exclude:
        unwanted |= space.assets_of(space.flat(content.image_masks()))
    return fold.result(~unwanted[space.asset])


class _Role:
    """The rows of the images, or of one layer, that have won so far, and the split of each."""

    def __init__(self, rows: Mask, splits: NDArray[np.int8]) -> None:
        self.rows = rows
        self.splits = splits

    def take(self, guest: "_Role", space: Space, strategy: Strategy) -> NDArray[np.int64]:
        """Take in another's rows and return those of them whose asset both have, identical ones left out."""
        of_joint = guest.rows & space.rows_of(space.assets_of(self.rows))
        joint = np.flatnonzero(of_joint & ~(self.rows & (self.splits == guest.splits)))
        if strategy is Strategy.GUEST:
            self.rows &= ~space.rows_of(space.assets_of(of_joint))
            won = guest.rows
        else:
            won = guest.rows & ~of_joint
        self.rows |= won
        self.splits[won] = guest.splits[won]
        return joint


class _Crossed(NamedTuple):
    """Image rows of one source that cross from one split into another."""

    source: int
    rows: NDArray[np.int64]
    before: NDArray[np.int8]
    after: NDArray[np.int8]


class _Fold:
    """The sources taken in so far."""

    def __init__(self, space: Space, strategy: Strategy) -> None:
        self._space = space
        self._strategy = strategy
        self._roles: dict[str, _Role] = {}
        self._layers: dict[LayerName, _Role] = {}
        self._origins: dict[LayerName, set[Predictions | None]] = {}
        self._conflicts: list[MergeConflict] = []
        self._joint: dict[str, int] = {}
        self._crossed: list[_Crossed] = []

    def take(self, content: Content, position: int) -> None:
        """Take in the next source."""
        self._resolve(self._roles, IMAGES, _image_role(self._space, content), position)
        for name in sorted(content.layers):
            rows = self._space.flat(content.layers[name].masks)
            if rows.any():
                self._resolve(self._layers, name, _Role(rows, np.zeros(len(rows), np.int8)), position)
                self._origins.setdefault(name, set()).add(content.layers[name].predictions)

    def result(self, wanted: Mask) -> Merged:
        """Return what was folded, those rows alone that are wanted."""
        layers = {
            name: LayerContent(self._space.masks(role.rows & wanted), self._origin(name))
            for name, role in self._layers.items()
        }
        content = Content(_by_split(self._space, self._roles.get(IMAGES), wanted), layers).tidied()
        mixed = tuple(name for name in content.layers if len(self._origins[name]) > 1)
        return Merged(content, tuple(self._conflicts), self._joint, self._crossings(wanted), mixed)

    def _resolve(self, roles: dict[str, _Role], name: str, guest: _Role, position: int) -> None:
        host = roles.setdefault(name, guest)
        if host is guest:
            return
        if name == IMAGES:
            self._crossed.append(_crossed(self._space, host, guest, position))
        joint = host.take(guest, self._space, self._strategy)
        self._joint[name] = self._joint.get(name, 0) + len(joint)
        if self._strategy is Strategy.STOP:
            names = sorted(self._space.names(joint))
            self._conflicts += [MergeConflict(asset, name, position) for asset in names]

    def _crossings(self, wanted: Mask) -> tuple[Crossing, ...]:
        found: list[Crossing] = []
        for source, rows, before, after in self._crossed:
            kept = wanted[rows]
            names = self._space.names(rows[kept])
            splits = zip(names, before[kept].tolist(), after[kept].tolist(), strict=True)
            found += sorted(Crossing(asset, source, SPLITS[old], SPLITS[new]) for asset, old, new in splits)
        return tuple(found)

    def _origin(self, name: LayerName) -> Predictions | None:
        origins = self._origins[name]
        return next(iter(origins)) if len(origins) == 1 else None


def _image_role(space: Space, content: Content) -> _Role:
    splits = np.full(space.rows, -1, np.int8)
    for split, masks in content.images.items():
        splits[space.flat(masks)] = SPLITS.index(split)
    return _Role(splits >= 0, splits)


def _crossed(space: Space, host: _Role, guest: _Role, position: int) -> _Crossed:
    used = [np.flatnonzero(role.rows & (role.splits < SPLITS.index(Split.NONE))) for role in (host, guest)]
    split_of = np.full(space.assets + 1, -1, np.int8)
    split_of[space.asset[used[0]]] = host.splits[used[0]]
    before, after = split_of[space.asset[used[1]]], guest.splits[used[1]]
    crosses = (before >= 0) & (before != after)
    return _Crossed(position, used[1][crosses], before[crosses], after[crosses])


def _by_split(space: Space, images: _Role | None, wanted: Mask) -> dict[Split, dict[str, Mask]]:
    if images is None:
        return {}
    rows = images.rows & wanted
    return {split: space.masks(rows & (images.splits == code)) for code, split in enumerate(SPLITS)}
