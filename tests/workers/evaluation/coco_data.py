"""Data made to provoke every rule of COCO's protocol, and what pycocotools makes of it."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from schemas.evaluations import Measure
from storage.datasets.rows import AnnotationRow, MaskRow

CLASSES: Final = ("bird", "cat", "dog", "emu", "fox")
WIDTH, HEIGHT = 100, 80
# A step of the coordinates, so that ties of all kinds happen; three kinds of sizes.
STEP: Final = 4
KINDS: Final = {Measure.BOXES: "bbox", Measure.MASKS: "segm", Measure.KEYPOINTS: "keypoints"}
Rows = list[list[AnnotationRow]]


def some_data(measure: Measure, seed: int, *, images: int = 12) -> tuple[Rows, Rows]:
    """Return ground truths and predictions by image: some empty, a class on one side only, crowds, ties."""
    random = np.random.default_rng(seed)
    truths: Rows = []
    found: Rows = []
    for number in range(images):
        expected = [_row(measure, random, CLASSES[random.integers(4)]) for _ in range(random.integers(0, 7))]
        expected = [row._replace(crowd=bool(random.random() < 0.2)) for row in expected if row.class_name != "dog"]
        near = [_moved(measure, random, row) for row in expected for _ in range(random.integers(0, 3))]
        others = [_row(measure, random, CLASSES[random.integers(1, 5)]) for _ in range(random.integers(0, 5))]
        predicted = [
            row._replace(crowd=False, area=None, confidence=float(random.choice([0.1, 0.5, 0.5, 0.9, 1.0])))
            for row in [*near, *others]
        ]
        truths.append([] if number % 5 == 0 else expected)
        found.append([] if number % 7 == 0 else predicted)
    return truths, found


def stats(measure: Measure, truths: Rows, found: Rows, *, sigmas: Sequence[float] = ()) -> dict[str, float | None]:
    """Return the figures of pycocotools over all classes, by our names; None where it has nothing to measure."""
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCO()
        expected.dataset = _dataset(measure, truths)
        expected.createIndex()
        predicted = expected.loadRes(_results(measure, found)) if any(found) else COCO()
        evaluation = COCOeval(expected, predicted, KINDS[measure])
        if not any(found):
            evaluation.cocoDt.dataset = {**expected.dataset, "annotations": []}
            evaluation.cocoDt.createIndex()
        if sigmas:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.params.maxDets = [1, 10, 20 if measure is Measure.KEYPOINTS else 100]
        evaluation.params.areaRng = [[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]]
        evaluation.params.areaRngLbl = ["all", "small", "medium", "large"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    told = {"ap": precision[..., 0, 2], "ap50": precision[0, ..., 0, 2], "ap75": precision[5, ..., 0, 2]}
    told |= {"ar": recall[..., 0, 2], "ar_1": recall[..., 0, 0], "ar_10": recall[..., 0, 1]}
    for place, name in enumerate(("small", "medium", "large"), start=1):
        told |= {f"ap_{name}": precision[..., place, 2], f"ar_{name}": recall[..., place, 2]}
    return {name: _mean(values) for name, values in told.items()}


def _mean(values: NDArray[np.float64]) -> float | None:
    measured = values[values > -1]
    return float(measured.mean()) if measured.size else None


def _row(measure: Measure, random: np.random.Generator, name: str) -> AnnotationRow:
    x, y = (float(STEP * random.integers(0, 10)) for _ in "xy")
    width, height = (float(STEP * random.integers(1, (4, 8, 15)[random.integers(3)] + 1)) for _ in "wh")
    width, height = min(width, WIDTH - x), min(height, HEIGHT - y)
    row = AnnotationRow(class_name=name, box=(x, y, width, height))
    if measure is Measure.BOXES:
        # The area of what is in the box, as COCO has it; and boxes that are larger than any picture.
        return row._replace(area=width * height / 2) if random.random() < 0.5 else _huge(row, random)
    if measure is Measure.MASKS:
        return _mask(row, random)
    points = np.stack([random.integers(0, 50, 17), random.integers(0, 50, 17), random.integers(0, 3, 17)], axis=1)
    points[:, 2] *= random.random() < 0.8
    return row._replace(keypoints=tuple(points.astype(float).ravel().tolist()), area=width * height)


def _huge(row: AnnotationRow, random: np.random.Generator) -> AnnotationRow:
    x, y, width, height = row.box or (0, 0, 1, 1)
    return row._replace(box=(x, y, width * 50, height * 50)) if random.random() < 0.1 else row


def _mask(row: AnnotationRow, random: np.random.Generator) -> AnnotationRow:
    x, y, width, height = row.box or (0, 0, 1, 1)
    corners = (x, y, x + width, y, x + width, y + height / 2, x + width / 2, y + height)
    if random.random() < 0.5:
        return row._replace(polygons=(corners, (0.0, 0.0, 8.0, 0.0, 8.0, 8.0)))
    rle = masks.frPyObjects([list(corners)], HEIGHT, WIDTH)[0]
    return row._replace(mask=MaskRow(HEIGHT, WIDTH, rle["counts"].decode()))


def _moved(measure: Measure, random: np.random.Generator, row: AnnotationRow) -> AnnotationRow:
    if random.random() < 0.4:
        return row
    if measure is Measure.KEYPOINTS:
        points = np.array(row.keypoints).reshape(-1, 3) + np.append(random.normal(0, 2, 2), 0.0)
        return row._replace(keypoints=tuple(points.ravel().tolist()))
    x, y, width, height = row.box or (0, 0, 1, 1)
    moved = AnnotationRow(class_name=row.class_name, box=(max(0.0, x - STEP), y, width, height))
    return moved if measure is Measure.BOXES else _mask(moved, random)


def _segmentation(row: AnnotationRow) -> dict[str, Any]:
    if row.mask is not None:
        return {"size": [row.mask.height, row.mask.width], "counts": row.mask.counts.encode()}
    merged: dict[str, Any] = masks.merge(masks.frPyObjects([list(one) for one in row.polygons], HEIGHT, WIDTH))
    return merged


def _dataset(measure: Measure, truths: Rows) -> dict[str, Any]:
    annotations = list[dict[str, Any]]()
    for image, rows in enumerate(truths, start=1):
        for row in rows:
            x, y, width, height = row.box or (0, 0, 0, 0)
            one = {**_shape(measure, row), "bbox": [x, y, width, height], "iscrowd": int(row.crowd)}
            default = masks.area(one["segmentation"]) if measure is Measure.MASKS else width * height
            one |= {"area": float(default if row.area is None else row.area)}
            one |= {"num_keypoints": sum(visible > 0 for visible in row.keypoints[2::3])}
            one |= {"id": len(annotations) + 1, "image_id": image, "category_id": CLASSES.index(row.class_name or "")}
            annotations.append(one)
    images = [{"id": image, "width": WIDTH, "height": HEIGHT} for image in range(1, len(truths) + 1)]
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES)]
    return {"info": {}, "images": images, "categories": categories, "annotations": annotations}


def _results(measure: Measure, found: Rows) -> list[dict[str, Any]]:
    return [
        {
            **_shape(measure, row),
            "image_id": image,
            "category_id": CLASSES.index(row.class_name or ""),
            "score": row.confidence,
        }
        for image, rows in enumerate(found, start=1)
        for row in rows
    ]


def _shape(measure: Measure, row: AnnotationRow) -> dict[str, Any]:
    if measure is Measure.MASKS:
        return {"segmentation": _segmentation(row)}
    if measure is Measure.KEYPOINTS:
        return {"keypoints": list(row.keypoints)}
    return {"bbox": list(row.box or ())}
