"""infer-result.json: what an executor found on each image, checked."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.annotations import ClassName
from schemas.errors import Fault, Invalid
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.executors.checks import Faults, number
from workers.executors.coco_result import coco_predictions
from workers.executors.layout import INFER_RESULT
from workers.executors.mining_result import asset_in

NEXT_STEP: Final = "Have the executor write what protocol 1.1.0 asks for."
CLASS_NAME: Final[TypeAdapter[str]] = TypeAdapter(ClassName)


ClassScores = tuple[float, ...] | None


class Found(NamedTuple):
    """Predictions by asset, and how many were dropped for a class that the model was not asked for."""

    annotations: Mapping[bytes, tuple[AnnotationRow, ...]]
    unknown_classes: Counter[str]
    class_scores: Mapping[bytes, tuple[ClassScores, ...]] = {}
    """For each prediction the score of every class in the order of the model's, or None where it was not written."""


def read_predictions(path: Path, *, images: Mapping[bytes, ImageRow], classes: Collection[str] | None) -> Found:
    """Return what ``infer-result.json`` says, in pixels of the images as the executor saw them.

    The form is the one for detection, or COCO's for segmentation. Images that it leaves out have nothing found on
    them. Of other classes than ``classes`` nothing is kept; None keeps all that can be names of classes. Raise Invalid
    naming the path inside the file of everything that breaks a rule.
    """
    try:
        told = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise Invalid(f"The executor did not write {INFER_RESULT}.", step=NEXT_STEP) from error
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{INFER_RESULT}, line {error.lineno}: it is not JSON: {error.msg}.", step=NEXT_STEP) from error
    faults = Faults(INFER_RESULT)
    found: dict[bytes, list[AnnotationRow]] = {}
    scores: dict[bytes, list[ClassScores]] = {}
    if isinstance(told, dict) and isinstance(told.get("detection"), dict):
        _detections(told["detection"], images, found, scores, faults, classes=None if classes is None else len(classes))
    elif isinstance(told, dict) and isinstance(told.get("annotations"), list):
        coco_predictions(told, images, found, faults)
    else:
        faults.add("", "It must hold an object under detection, or images, categories and annotations.")
    if faults.told:
        first: Fault = faults.told[0]
        raise Invalid(f"{first.pointer}: {first.detail}", step=NEXT_STEP, faults=faults.told)
    names = {row.class_name or "" for rows in found.values() for row in rows}
    wanted = set(filter(_can_be_name, names)) if classes is None else {name.strip().lower() for name in classes}
    return _of_classes(found, scores, wanted)


def _of_classes(
    found: Mapping[bytes, list[AnnotationRow]], scores: Mapping[bytes, list[ClassScores]], classes: Collection[str]
) -> Found:
    unknown: Counter[str] = Counter()
    kept, told = {}, {}
    for asset, rows in found.items():
        unknown.update(row.class_name or "" for row in rows if row.class_name not in classes)
        kept[asset] = tuple(row for row in rows if row.class_name in classes)
        if any(of_box is not None for of_box in scores.get(asset, ())):
            both = zip(rows, scores[asset], strict=True)
            told[asset] = tuple(of_box for row, of_box in both if row.class_name in classes)
    return Found(kept, unknown, told)


def _can_be_name(name: str) -> bool:
    try:
        return CLASS_NAME.validate_python(name) == name
    except ValidationError:
        return False


def _detections(
    told: Mapping[str, Any],
    images: Mapping[bytes, ImageRow],
    found: dict[bytes, list[AnnotationRow]],
    scores: dict[bytes, list[ClassScores]],
    faults: Faults,
    *,
    classes: int | None,
) -> None:
    for name, entry in told.items():
        where = f"detection[{name!r}]"
        asset = asset_in(name)
        image = None if asset is None else images.get(asset)
        if asset is None or image is None:
            faults.add(where, "There is no such image among the candidates.")
            continue
        boxes = entry.get("boxes", entry.get("annotations", [])) if isinstance(entry, dict) else None
        if not isinstance(boxes, list):
            faults.add(where, "It must hold a list of boxes.")
            continue
        if asset in found:
            faults.add(where, "The image is there twice.")
            continue
        found[asset], scores[asset] = [], []
        for position, box in enumerate(boxes):
            row = _row(box, image, f"{where}.boxes[{position}]", faults)
            if row is not None:
                found[asset].append(row)
                scores[asset].append(_class_scores(box, classes, f"{where}.boxes[{position}]", faults))


def _row(told: object, image: ImageRow, where: str, faults: Faults) -> AnnotationRow | None:
    if not isinstance(told, dict) or not isinstance(told.get("box"), dict):
        faults.add(where, "It must hold a box, a class_name and a score.")
        return None
    name = told.get("class_name")
    if not isinstance(name, str) or not name.strip():
        faults.add(f"{where}.class_name", "It must be a text.")
        return None
    box = told["box"]
    sides = [number(box.get(side)) for side in ("x", "y", "w", "h")]
    rotation, score = number(box.get("rotate_angle", 0.0)), number(told.get("score"))
    if score is None or not 0 <= score <= 1:
        faults.add(f"{where}.score", f"It must be a number from 0 to 1, not {told.get('score')!r}.")
        return None
    x, y, width, height = sides
    if x is None or y is None or width is None or height is None or rotation is None:
        faults.add(f"{where}.box", "x, y, w, h and rotate_angle must be finite numbers.")
        return None
    if fault := _misplaced(x, y, width, height, image):
        faults.add(f"{where}.box", fault)
        return None
    return AnnotationRow(
        class_name=name.strip().lower(), box=(x, y, width, height), rotation=rotation, confidence=score
    )


def _class_scores(box: Mapping[str, Any], classes: int | None, where: str, faults: Faults) -> ClassScores:
    told = box.get("class_scores")
    if told is None or classes is None:
        return None
    numbers = [number(score) for score in told] if isinstance(told, list) else []
    scores = tuple(score for score in numbers if score is not None and 0 <= score <= 1)
    if len(scores) != classes or len(numbers) != classes:
        faults.add(f"{where}.class_scores", f"It must be a list of {classes} numbers from 0 to 1, one for each class.")
        return None
    return scores


def _misplaced(x: float, y: float, width: float, height: float, image: ImageRow) -> str:
    if width < 0 or height < 0:
        return f"A box is not negative: it is {width:g} x {height:g}."
    # Segments without a description do not know how large the image is.
    if image.width and (x > image.width or y > image.height or x + width < 0 or y + height < 0):
        return f"The box lies outside of the image of {image.width} x {image.height} pixels."
    return ""
