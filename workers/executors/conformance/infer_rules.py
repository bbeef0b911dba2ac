"""Rules for what an inference leaves behind: infer-result.json."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from storage.datasets.rows import ImageRow
from workers.executors.checks import number
from workers.executors.conformance.pictures import CLASSES
from workers.executors.conformance.rules import Breaches
from workers.executors.conformance.trials import Trial
from workers.executors.infer_result import read_predictions
from workers.executors.inputs import image_path
from workers.executors.layout import INFER_RESULT

SLACK_PIXELS: Final = 1.0
"""How far a box may stand out: corners are counted and rounded in more than one way."""


def infer(trial: Trial) -> Breaches:
    """Return what is wrong with the result of an inference."""
    accepted = {"infer-accepted": _accepted(trial)}
    try:
        told = orjson.loads((trial.folder.made / INFER_RESULT).read_bytes())
    except FileNotFoundError:
        return {"found-written": [f"There is no {INFER_RESULT}."], **accepted}
    except orjson.JSONDecodeError as error:
        return {"found-written": [f"{INFER_RESULT}, line {error.lineno}: {error.msg}."], **accepted}
    if trial.asked.object_type is not ObjectType.DETECTION:
        return {"found-written": [], **accepted}
    found = told.get("detection") if isinstance(told, dict) else None
    if not isinstance(found, dict):
        return {"found-written": [f"{INFER_RESULT}: there is no object under detection."], **accepted}
    return {"found-written": [], **_detections(found, trial), **accepted}


def _accepted(trial: Trial) -> list[str]:
    images = {picture.row.image.asset: picture.row.image for picture in trial.asked.pictures}
    try:
        read_predictions(trial.folder.made / INFER_RESULT, images=images, classes=CLASSES)
    except Invalid as error:
        return [error.detail]
    return []


def _detections(found: Mapping[str, Any], trial: Trial) -> Breaches:
    images = {PurePosixPath(image_path(one.row)).name: one.row.image for one in trial.asked.pictures}
    breaches: Breaches = {"found-names": [], "found-boxes": [], "found-classes": [], "found-scores": []}
    breaches["found-names"] += [f"{INFER_RESULT}: {name!r} is no candidate." for name in found if name not in images]
    for name, where, box in _boxes(found):
        told = box if isinstance(box, dict) else {}
        score = number(told.get("score"))
        if score is None or not 0 <= score <= 1:
            breaches["found-scores"].append(f"{where}.score is {told.get('score')!r}.")
        if told.get("class_name") not in CLASSES:
            breaches["found-classes"].append(f"{where}.class_name is {told.get('class_name')!r}, none of {CLASSES}.")
        if "class_scores" in told:
            breaches.setdefault("class-scores", []).extend(_class_scores(told["class_scores"], where))
        if fault := _misplaced(told.get("box"), images.get(name)):
            breaches["found-boxes"].append(f"{where}.box {fault}")
    return breaches


def _boxes(found: Mapping[str, Any]) -> Iterator[tuple[str, str, object]]:
    for name, entry in found.items():
        boxes = entry.get("boxes", entry.get("annotations", [])) if isinstance(entry, dict) else []
        for position, box in enumerate(boxes if isinstance(boxes, list) else []):
            yield name, f"{INFER_RESULT}: detection[{name!r}].boxes[{position}]", box


def _class_scores(told: object, where: str) -> list[str]:
    scores = [number(score) for score in told] if isinstance(told, list) else []
    if len(scores) == len(CLASSES) and all(score is not None and 0 <= score <= 1 for score in scores):
        return []
    return [f"{where}.class_scores: it must be {len(CLASSES)} numbers from 0 to 1, in the order of class_names."]


def _misplaced(told: object, image: ImageRow | None) -> str:
    sides = [number(told.get(side)) for side in ("x", "y", "w", "h")] if isinstance(told, dict) else []
    x, y, width, height = sides or [None] * 4
    if x is None or y is None or width is None or height is None:
        return "lacks one of x, y, w and h, finite numbers."
    if width <= 0 or height <= 0:
        return f"is {width:g} x {height:g}."
    if image is None:
        return ""
    right, lower = image.width + SLACK_PIXELS, image.height + SLACK_PIXELS
    if x < -SLACK_PIXELS or y < -SLACK_PIXELS or x + width > right or y + height > lower:
        return f"leaves the image of {image.width} x {image.height} pixels."
    return ""
