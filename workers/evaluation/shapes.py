"""Masks and keypoints of one class, and how far they overlap; the mask API is that of faster-coco-eval."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import Invalid
from workers.evaluation.matching import Bools, Floats, Ints, Objects, Overlaps

Rle = dict[str, Any]

# How exactly people place the 17 points of COCO's persons; pycocotools has them from the annotators' deviations.
COCO_SIGMAS: Final = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
POINT_NUMBERS: Final = 3
OKS_AT_ONCE: Final = 2_000_000


class Sized(Protocol):
    """The pixels of images, by the number of the asset."""

    @property
    def height(self) -> Ints:
        """The rows of each."""

    @property
    def width(self) -> Ints:
        """The columns of each."""


class Shapes(Protocol):
    """What the objects of a class are beside their boxes."""

    @property
    def boxes(self) -> Floats:
        """The box around each."""

    @property
    def visible(self) -> Bools:
        """Whether there is anything to be found."""

    def area(self, boxes: Floats, *, is_truth: bool) -> Floats:
        """Return the pixels of each, where the annotation does not say, given the boxes."""


class MaskShapes(NamedTuple):
    """Masks in COCO's run-length encoding."""

    rles: Sequence[Rle]

    @property
    def boxes(self) -> Floats:
        """The box around each."""
        from faster_coco_eval.core import mask  # noqa: PLC0415 - only who measures masks needs it

        return np.asarray(mask.toBbox(list(self.rles)), np.float64).reshape(-1, 4)

    @property
    def visible(self) -> Bools:
        """Whether there is anything to be found."""
        return np.ones(len(self.rles), np.bool_)

    def area(self, _: Floats, *, is_truth: bool) -> Floats:  # noqa: ARG002 - masks are as large on either side
        """Return the pixels of each."""
        from faster_coco_eval.core import mask  # noqa: PLC0415 - only who measures masks needs it

        return np.asarray(mask.area(list(self.rles)), np.float64).reshape(-1)


class KeypointShapes(NamedTuple):
    """Keypoints, of shape (objects, points, 3): x, y, visibility; 0 where an object has fewer points than others."""

    points: Floats

    @property
    def boxes(self) -> Floats:
        """The box around all points of each."""
        if not self.points.size:
            return np.zeros((len(self.points), 4))
        low, high = self.points[:, :, :2].min(axis=1), self.points[:, :, :2].max(axis=1)
        return np.concatenate([low, high - low], axis=1)

    @property
    def visible(self) -> Bools:
        """Whether there is anything to be found."""
        return np.asarray((self.points[:, :, 2] > 0).any(axis=1), np.bool_)

    def area(self, boxes: Floats, *, is_truth: bool) -> Floats:
        """Return the pixels of the box: of a prediction COCO takes that around its points."""
        taken = boxes if is_truth else self.boxes
        area: Floats = taken[:, 2] * taken[:, 3]
        return area


def masks_of(tables: Sequence[pa.Table], order: Ints, image: Ints, sizes: Sized) -> MaskShapes:
    """Return the masks of rows of tables in an order, each on the image of which the number is given."""
    names = ("mask_height", "mask_width", "mask_counts", "polygons")
    columns = [[value for table in tables for value in table.column(name).to_pylist()] for name in names]
    heights, widths = sizes.height[image].tolist(), sizes.width[image].tolist()
    return MaskShapes(
        [
            _rle([column[row] for column in columns], height, width)
            for row, height, width in zip(order.tolist(), heights, widths, strict=True)
        ]
    )


def keypoints_of(tables: Sequence[pa.Table], order: Ints) -> KeypointShapes:
    """Return the keypoints of rows of tables in an order."""
    lists = [points for table in tables for points in table.column("keypoints").to_pylist()]
    points = max((len(one) for one in lists), default=0) // POINT_NUMBERS
    found = np.zeros((len(lists), points * POINT_NUMBERS))
    for row, one in enumerate(lists):
        found[row, : len(one)] = one
    return KeypointShapes(found[order].reshape(len(order), points, POINT_NUMBERS))


def mask_overlaps(truths: Objects, expected: MaskShapes, predictions: Objects, found: MaskShapes) -> Overlaps:
    """Return what tells the IoU of masks; it has to be asked for all ground truths of an image at once."""
    from faster_coco_eval.core import mask  # noqa: PLC0415 - only who measures masks needs it

    def on_one_image(chosen: Ints, others: Ints) -> NDArray[np.float64]:
        columns = int(np.count_nonzero(chosen == chosen[0]))
        rows, met = chosen[::columns].tolist(), others[:columns].tolist()
        crowd = truths.crowd[others[:columns]].astype(int).tolist()
        told = mask.iou([found.rles[row] for row in rows], [expected.rles[one] for one in met], crowd)
        return np.asarray(told, np.float64).reshape(-1)

    def measure(chosen: Ints, others: Ints) -> Floats:
        if not len(chosen):
            return np.zeros(0)
        cuts = np.flatnonzero(np.diff(predictions.image[chosen])) + 1
        parts = zip(np.split(chosen, cuts), np.split(others, cuts), strict=True)
        return np.concatenate([on_one_image(*part) for part in parts])

    return measure


def keypoint_overlaps(
    truths: Objects, expected: KeypointShapes, found: KeypointShapes, *, sigmas: Sequence[float] = ()
) -> Overlaps:
    """Return what tells the similarity of keypoints (OKS), as pycocotools does; raise Invalid for too few sigmas."""
    wanted, given = _as_wide([expected.points, found.points])
    count = wanted.shape[1]
    variances = (_sigmas(count, sigmas) * 2) ** 2
    at_once = max(1, OKS_AT_ONCE // max(1, count))

    def some(chosen: Ints, others: Ints) -> Floats:
        points, boxes = wanted[others], truths.boxes[others]
        seen = points[:, :, 2] > 0
        distance = given[chosen][:, :, :2] - points[:, :, :2]
        low, high = boxes[:, :2] - boxes[:, 2:], boxes[:, :2] + boxes[:, 2:] * 2
        place = given[chosen][:, :, :2]
        beyond = np.maximum(0, low[:, None] - place) + np.maximum(0, place - high[:, None])
        unseen = np.asarray(~seen.any(axis=1), np.bool_)
        distance[unseen] = beyond[unseen]
        error = (distance**2).sum(axis=2) / variances / (truths.area[others][:, None] + np.spacing(1)) / 2
        counted = seen | unseen[:, None]
        total: Floats = np.where(counted, np.exp(-error), 0).sum(axis=1) / np.maximum(1, counted.sum(axis=1))
        return total

    def measure(chosen: Ints, others: Ints) -> Floats:
        starts: Iterable[int] = range(0, len(chosen), at_once)
        found = [some(chosen[start : start + at_once], others[start : start + at_once]) for start in starts]
        return np.concatenate([np.zeros(0), *found])

    return measure


def _rle(said: Sequence[Any], height: int, width: int) -> Rle:
    """Return the mask of an annotation of which height, width and runs of a mask are said, and polygons."""
    from faster_coco_eval.core import mask  # noqa: PLC0415 - only who measures masks needs it

    mask_height, mask_width, counts, polygons = said
    if counts is not None:
        return {"size": [mask_height, mask_width], "counts": counts.encode()}
    parts = mask.frPyObjects(polygons, height, width)
    merged: Rle = parts[0] if len(parts) == 1 else mask.merge(parts)
    return merged


def _as_wide(points: Sequence[Floats]) -> list[Floats]:
    """Return keypoints with as many points each: those that are missing are not visible."""
    most = max(some.shape[1] for some in points)
    return [np.pad(some, ((0, 0), (0, most - some.shape[1]), (0, 0))) for some in points]


def _sigmas(count: int, given: Sequence[float]) -> Floats:
    if given and len(given) < count:
        message = f"There are {len(given)} sigmas, but objects with {count} keypoints."
        raise Invalid(f"/sigmas: {message}", step="Give one for each keypoint, in their order.")
    if given:
        return np.asarray(given[:count], np.float64)
    if count == len(COCO_SIGMAS):
        return np.asarray(COCO_SIGMAS)
    return np.full(count, 1 / max(1, count))
