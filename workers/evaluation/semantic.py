"""Semantic segmentation: which class each pixel has, image by image."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.errors import Invalid
from schemas.evaluations import ClassFigures, Confusions, Figures, rates
from storage.datasets.columns import fixed_matrix
from workers.evaluation.confusions import CELLS_AT_MOST
from workers.evaluation.layers import NO_SCORE, LayerColumns
from workers.evaluation.marks import MarksFile
from workers.evaluation.matching import Floats, Ints
from workers.evaluation.runs import pixels_of
from workers.evaluation.shapes import Rle, masks_of

Labels = NDArray[np.uint16]
"""An image has far less classes than that."""

IMAGES_AT_ONCE: Final = 64


class Painting(NamedTuple):
    """The annotations of a layer, sorted by image, on one image in the order in which they cover each other."""

    layer: LayerColumns
    image: Ints
    code: Ints
    part: Ints
    row: Ints


class Pixels(NamedTuple):
    """What was counted: pixels by ground truth and prediction; annotations by class and mark."""

    cells: Counter[tuple[int, int]]
    annotations: Counter[tuple[int, str]]


class _OnImage(NamedTuple):
    code: Ints
    ids: NDArray[np.uint8]
    rles: Sequence[Rle]


def painting(layer: LayerColumns, classes: Sequence[str], *, confidence: float) -> Painting:
    """Return the annotations of a layer that are sure enough."""
    places = {name: code for code, name in enumerate(classes)}
    columns = [(np.zeros(0, np.int64),) * 4]
    for number, part in enumerate(layer.parts):
        code = np.zeros(len(part.row), np.int64)
        for name, (start, end) in part.bounds.items():
            code[start:end] = places.get(name, 0)
        sure = part.table.column("confidence").fill_null(NO_SCORE).to_numpy()[part.row] >= confidence
        columns.append((part.image[sure], code[sure], np.full(np.count_nonzero(sure), number), part.row[sure]))
    image, code, number_of, row = (np.concatenate(some) for some in zip(*columns, strict=True))
    order = np.lexsort((row, image))
    return Painting(layer, image[order], code[order], number_of[order], row[order])


def count_pixels(
    truths: Painting,
    predictions: Painting,
    images: Iterable[int],
    *,
    iou: float,
    marks: MarksFile,
    classes: Sequence[str],
    into: Pixels,
) -> None:
    """Count the pixels of some images; those that the ground truth leaves open do not count.

    Later annotations cover earlier ones. All annotations of a class on an image have one mark: whether the pixels of
    the class agree there by the IoU. CPU-heavy: call it in a thread.
    """
    for image in images:
        expected, found = _on_image(truths, image), _on_image(predictions, image)
        local, counts = _counts(expected, found, asset=marks.asset(image))
        for row, column in zip(*np.nonzero(counts), strict=True):
            code = int(local[column]) if column < len(local) else len(classes)
            into.cells[int(local[row]), code] += int(counts[row, column])
        overlap = dict(zip(local.tolist(), _overlaps(counts).tolist(), strict=True))
        for some, is_truth in ((expected, True), (found, False)):
            agreement = np.array([overlap[code] for code in some.code.tolist()])
            names = [classes[code] for code in some.code.tolist()]
            told = marks.add_pixels(image, names, some.ids, agreement, iou=iou, is_truth=is_truth)
            into.annotations.update(zip(some.code.tolist(), told, strict=True))


def pixel_figures(counted: Pixels, classes: Sequence[str]) -> tuple[list[ClassFigures], Figures]:
    """Return the figures of each class, and of all: means over the classes that occur, and the share of all pixels."""
    rows, columns = Counter[int](), Counter[int]()
    for (row, column), count in counted.cells.items():
        rows[row] += count
        columns[column] += count
    figures = [_class_figures(code, name, counted, rows[code], columns[code]) for code, name in enumerate(classes)]
    right = sum(counted.cells[code, code] for code in range(len(classes)))
    return figures, Figures(pixel_accuracy=right / rows.total() if rows else None)


def pixel_confusions(counted: Pixels, classes: Sequence[str]) -> Confusions:
    """Return the cells with a count, in pixels."""
    shown = sorted((*cell, count) for cell, count in counted.cells.most_common(CELLS_AT_MOST))
    return Confusions(classes=tuple(classes), cells=tuple(shown), left_out=len(counted.cells) - len(shown))


def _class_figures(code: int, name: str, counted: Pixels, pixels: int, given: int) -> ClassFigures:
    right, marks = counted.cells[code, code], counted.annotations
    found, missed, hits, misses = (marks[code, mark] for mark in ("mtp", "fn", "tp", "fp"))
    return ClassFigures(
        class_name=name,
        accuracy=right / pixels if pixels else None,
        iou=right / (pixels + given - right) if pixels else None,
        ground_truths=found + missed,
        predictions=hits + misses,
        true_positives=hits,
        false_positives=misses,
        false_negatives=missed,
        **rates(right, given - right, pixels),
    )


def _on_image(painted: Painting, image: int) -> _OnImage:
    start, end = np.searchsorted(painted.image, [image, image + 1])
    if start == end:
        return _OnImage(np.zeros(0, np.int64), np.zeros((0, 16), np.uint8), ())
    # A layer has an asset once: all its annotations are of one segment.
    table = painted.layer.parts[painted.part[start]].table.take(pa.array(painted.row[start:end]))
    numbers = np.arange(end - start)
    rles = masks_of([table], numbers, np.full(end - start, image), painted.layer.sizes).rles
    return _OnImage(painted.code[start:end], fixed_matrix(table.column("id").combine_chunks()), rles)


def _counts(expected: _OnImage, found: _OnImage, *, asset: str) -> tuple[Ints, Ints]:
    """Return the classes of an image, and its pixels by their places: rows of ground truth, a last column for none."""
    local = np.unique(np.concatenate([expected.code, found.code]))
    sizes = {tuple(rle["size"]) for rle in (*expected.rles, *found.rles)}
    if len(sizes) > 1:
        told = " and ".join(sorted(f"{width} x {height}" for height, width in sizes))
        raise Invalid(
            f"The masks on the image {asset} are of different sizes: {told}.",
            step="Correct the masks: each has the pixels of its image as displayed.",
        )
    background, shape = len(local), next(iter(sizes), (0, 0))
    rows, columns = (_painted(some, np.searchsorted(local, some.code), background, shape) for some in (expected, found))
    cells = np.bincount(rows.astype(np.int64) * (background + 1) + columns, minlength=(background + 1) ** 2)
    return local, cells.reshape(background + 1, background + 1)[:background]


def _painted(some: _OnImage, places: Ints, background: int, shape: tuple[int, int]) -> Labels:
    """Return the label of each pixel, column by column."""
    labels = np.full(shape[0] * shape[1], background, np.uint16)
    for rle, place in zip(some.rles, places.tolist(), strict=True):
        labels[pixels_of(rle["counts"])] = place
    return labels


def _overlaps(counts: Ints) -> Floats:
    right = np.diagonal(counts).astype(np.float64)
    united = counts.sum(axis=1) + counts.sum(axis=0)[: len(counts)] - right
    return np.asarray(np.divide(right, united, out=np.zeros_like(right), where=united > 0))
