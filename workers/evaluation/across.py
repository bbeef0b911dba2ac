"""What is left when each class has found its own: objects of all classes, and how their boxes overlap."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workers.evaluation.layers import ClassObjects
from workers.evaluation.matching import NOTHING, Bools, Encounters, Floats, Ints, Matches, Objects, encounters, matches

LEAST: Final = 0.1
"""Boxes that overlap by less have nothing to do with each other."""
ALL: Final = 1 << 31
NO_OBJECTS: Final = Objects.of_boxes(np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.bool_), np.zeros(0))


class Side(NamedTuple):
    """The objects of all classes in one layer, sorted by image."""

    image: NDArray[np.int32]
    boxes: NDArray[np.float32]
    crowd: Bools
    score: NDArray[np.float32]
    code: NDArray[np.int32]
    """The place of the class."""
    ids: NDArray[np.uint8]
    astray: Bools
    """Ground truths that nothing found, and sure predictions of nothing."""


class Pairs(NamedTuple):
    """Ground truths and predictions on the same image that overlap."""

    truth: Ints
    prediction: Ints
    overlap: Floats


class Remainder(NamedTuple):
    """What no class found among its own, and what of it lies near what."""

    truths: Side
    predictions: Side
    swapped: Pairs
    """Ground truths and sure predictions of another class, each once."""
    near: Pairs
    """The same of one class, with less overlap than a match needs, each once."""
    is_touched: Bools
    """Of each ground truth: whether any prediction is near it, at whatever confidence and of whatever class."""
    is_known: Bools
    """Of each prediction: whether any ground truth is near it."""


class Gathered:
    """Takes the objects of one class after the other: 50 bytes of each."""

    def __init__(self) -> None:
        self._truths: list[Side] = []
        self._predictions: list[Side] = []

    def __len__(self) -> int:
        """Return how many classes there are so far."""
        return len(self._truths)

    def add(
        self, code: int, truths: ClassObjects, predicted: ClassObjects, found: Matches, *, confidence: float
    ) -> None:
        """Take a class with its matches, the last threshold of which counts."""
        score, met = predicted.objects.score[found.kept], found.met[-1]
        sure = score >= confidence
        missed = ~truths.objects.optional
        missed[met[sure & (met != NOTHING)]] = False
        astray = np.zeros(len(predicted.ids), np.bool_)
        astray[found.kept[sure & (met == NOTHING)]] = True
        self._truths.append(_side(code, truths, missed))
        self._predictions.append(_side(code, predicted, astray))

    def remainder(self, *, iou: float) -> Remainder:
        """Return what is left, and forget the rest."""
        truths, predictions = _joined(self._truths), _joined(self._predictions)
        self._truths, self._predictions = [], []
        met = encounters(_objects(truths), _objects(predictions), least=min(iou, LEAST), at_most=ALL)
        chooser = met.kept[np.repeat(np.arange(len(met.kept)), np.diff(met.pairs.first))]
        truth, overlap = met.pairs.truth, met.pairs.overlap
        lost = truths.astray[truth] & predictions.astray[chooser]
        same = truths.code[truth] == predictions.code[chooser]
        swapped = _each_once(met, lost & ~same & (overlap >= iou))
        lost &= ~_among(swapped.truth, truths)[truth] & ~_among(swapped.prediction, predictions)[chooser]
        near = _each_once(met, lost & same & (overlap < iou))
        return Remainder(truths, predictions, swapped, near, _among(truth, truths), _among(chooser, predictions))


def _side(code: int, found: ClassObjects, astray: Bools) -> Side:
    objects = found.objects
    return Side(
        objects.image.astype(np.int32),
        objects.boxes.astype(np.float32),
        objects.crowd,
        objects.score.astype(np.float32),
        np.full(len(objects.image), code, np.int32),
        found.ids,
        astray,
    )


def _joined(sides: Sequence[Side]) -> Side:
    if not sides:
        return _side(0, ClassObjects(NO_OBJECTS, np.zeros((0, 16), np.uint8)), np.zeros(0, np.bool_))
    order = np.argsort(np.concatenate([side.image for side in sides]), kind="stable")
    columns: Any = (np.concatenate(column)[order] for column in zip(*sides, strict=True))
    return Side(*columns)


def _objects(side: Side) -> Objects:
    return Objects.of_boxes(
        side.image.astype(np.int64), side.boxes.astype(np.float64), side.crowd, side.score.astype(np.float64)
    )


def _each_once(met: Encounters, wanted: Bools) -> Pairs:
    """Return which predictions take which ground truths, of the pairs that are wanted."""
    chooser = np.repeat(np.arange(len(met.kept)), np.diff(met.pairs.first))[wanted]
    first = np.searchsorted(chooser, np.arange(len(met.kept) + 1))
    pairs = met.pairs._replace(first=first, truth=met.pairs.truth[wanted], overlap=met.pairs.overlap[wanted])
    found = matches(
        met._replace(pairs=pairs), optional=np.zeros(len(met.crowd), np.bool_), thresholds=np.array([LEAST])
    )
    hit = np.flatnonzero(found.met[0] != NOTHING)
    return Pairs(found.met[0][hit], met.kept[hit], found.overlap[0][hit])


def _among(chosen: Ints, side: Side) -> Bools:
    found = np.zeros(len(side.image), np.bool_)
    found[chosen] = True
    return found
