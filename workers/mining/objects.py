"""Objects: what an executor found on the candidates, as columns: a distribution over the classes for each box."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.datasets.rows import AnnotationRow

ClassScores = Sequence[float] | None


class Objects(NamedTuple):
    """The boxes of all images, image after image."""

    image: NDArray[np.int64]
    """The place of each one's image, ascending."""
    shares: NDArray[np.float32]
    """For each the probability of every class and, last, of none of them; each row sums to 1."""


def objects_of(
    assets: Sequence[bytes],
    found: Mapping[bytes, Sequence[AnnotationRow]],
    class_scores: Mapping[bytes, Sequence[ClassScores]],
    *,
    classes: Sequence[str],
) -> Objects:
    """Return the objects on some images.

    A box that is listed for several classes is one object. Its distribution is what the executor wrote as its
    ``class_scores``, else the scores it is listed with; what is left of 1 is the share of being none of the classes.
    """
    index = {name: place for place, name in enumerate(classes)}
    images: list[int] = []
    rows: list[NDArray[np.float32]] = []
    for place, asset in enumerate(assets):
        told = found.get(asset, ())
        for scores in _by_box(told, class_scores.get(asset, (None,) * len(told)), index).values():
            images.append(place)
            rows.append(scores)
    scores = np.array(rows, np.float32).reshape(-1, len(classes))
    return Objects(np.array(images, np.int64), shares_of(scores))


def shares_of(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return distributions with the share of no class last; scores that sum to more than 1 are scaled down."""
    total = scores.sum(axis=1, keepdims=True)
    rest = np.maximum(1 - total, 0)
    return np.asarray(np.hstack([scores, rest]) / np.maximum(total, 1), np.float32)


def _by_box(
    rows: Sequence[AnnotationRow], told: Sequence[ClassScores], index: Mapping[str, int]
) -> dict[object, NDArray[np.float32]]:
    boxes: dict[object, NDArray[np.float32]] = {}
    whole: set[object] = set()
    for number, (row, scores) in enumerate(zip(rows, told, strict=True)):
        # Segmentations have no box of their own that would tell them apart.
        key: object = (row.box, row.rotation) if row.box is not None else number
        listed = boxes.setdefault(key, np.zeros(len(index), np.float32))
        if scores is not None:
            listed[:] = scores
            whole.add(key)
        elif key not in whole and (place := index.get(row.class_name or "")) is not None:
            listed[place] = max(listed[place], row.confidence or 0.0)
    return boxes
