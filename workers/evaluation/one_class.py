"""Measuring one class: who takes whom, what that makes, and what is left for the comparison across classes."""

from typing import Final, NamedTuple

import numpy as np

from schemas.evaluations import ClassCurves, ClassFigures, Figures, Measure, Recall
from schemas.model_parameters import EvaluateParameters
from workers.evaluation.across import Gathered
from workers.evaluation.attribute_values import AttributeValues, recall_by_value
from workers.evaluation.curves import class_curves
from workers.evaluation.layers import ClassObjects, LayerColumns, objects_of
from workers.evaluation.marks import MarksFile
from workers.evaluation.matching import NOTHING, Encounters, Floats, Matches, Overlaps, encounters, match, matches
from workers.evaluation.precision import THRESHOLDS, area_figures, class_figures, curves_of, judged, shown, voc_figure
from workers.evaluation.shapes import KeypointShapes, MaskShapes, keypoint_overlaps, mask_overlaps

DETECTIONS: Final = 100
KEYPOINT_DETECTIONS: Final = 20


class Layers(NamedTuple):
    """What is compared, and the values of an attribute of images by which it is broken down."""

    truths: LayerColumns
    predictions: LayerColumns
    values: AttributeValues | None


class Measured(NamedTuple):
    """What one class came to."""

    figures: ClassFigures
    curves: ClassCurves
    by_value: list[Figures]
    recalls: dict[str, Recall]


def detections_of(asked: EvaluateParameters, measure: Measure) -> int:
    """Return how many predictions of an image and class count."""
    if asked.max_detections is not None:
        return asked.max_detections
    return KEYPOINT_DETECTIONS if measure is Measure.KEYPOINTS else DETECTIONS


def measure_class(
    name: str, layers: Layers, asked: EvaluateParameters, *, marks: MarksFile, gathered: Gathered
) -> Measured:
    """Return the figures of a class, write its marks, and gather its objects. CPU-heavy: call it in a thread."""
    truths, predicted = objects_of(layers.truths, name), objects_of(layers.predictions, name)
    at_most = detections_of(asked, layers.truths.measure)
    met = encounters(
        truths.objects,
        predicted.objects,
        least=min(THRESHOLDS[0], asked.iou),
        at_most=at_most,
        measure=_overlaps(truths, predicted, asked),
    )
    found = matches(met, optional=truths.objects.optional, thresholds=np.append(THRESHOLDS, asked.iou))
    marks.add(name, truths, predicted, found, confidence=asked.confidence)
    gathered.add(len(gathered), truths, predicted, found, confidence=asked.confidence)
    whole = judged(truths.objects, predicted.objects, found)
    curves = curves_of(whole) if whole.total else None
    figures = class_figures(whole, confidence=asked.confidence, curves=curves).model_copy(
        update={**area_figures(truths.objects, predicted.objects, met), **_others(truths, predicted, met, at_most)}
    )
    return Measured(
        ClassFigures(class_name=name, **figures.model_dump()),
        class_curves(name, whole, curves),
        _by_value(truths, predicted, found, layers.values, asked.confidence),
        _recalls(truths, predicted, found, asked),
    )


def _overlaps(truths: ClassObjects, predicted: ClassObjects, asked: EvaluateParameters) -> Overlaps | None:
    match truths.shapes, predicted.shapes:
        case MaskShapes() as expected, MaskShapes() as found:
            return mask_overlaps(truths.objects, expected, predicted.objects, found)
        case KeypointShapes() as expected, KeypointShapes() as found:
            return keypoint_overlaps(truths.objects, expected, found, sigmas=asked.sigmas)
    return None


def _others(truths: ClassObjects, predicted: ClassObjects, met: Encounters, at_most: int) -> dict[str, float | None]:
    """Return the figures by other protocols than the one asked for."""
    if isinstance(truths.shapes, KeypointShapes):
        return {}
    told = {"ap_voc": voc_figure(truths.objects, predicted.objects, met)}
    if not isinstance(truths.shapes, MaskShapes) or truths.objects.optional.all():
        return told
    thresholds: Floats = np.append(THRESHOLDS, THRESHOLDS[0])
    by_boxes = match(truths.objects, predicted.objects, thresholds=thresholds, at_most=at_most)
    curves = curves_of(judged(truths.objects, predicted.objects, by_boxes))
    return {**told, "ap_boxes": float(curves.precision.mean())}


def _by_value(
    truths: ClassObjects, predicted: ClassObjects, found: Matches, values: AttributeValues | None, confidence: float
) -> list[Figures]:
    if values is None:
        return []
    whole = judged(truths.objects, predicted.objects, found)
    codes = [values.of_asset[side.objects.image] for side in (truths, predicted)]
    return [
        class_figures(
            shown(
                whole, found, optional=truths.objects.optional, truths=codes[0] == code, predictions=codes[1] == code
            ),
            confidence=confidence,
        )
        for code in range(len(values.names))
    ]


def _recalls(
    truths: ClassObjects, predicted: ClassObjects, found: Matches, asked: EvaluateParameters
) -> dict[str, Recall]:
    if asked.by_annotation is None or truths.attributes is None:
        return {}
    hit = np.zeros(len(truths.ids), np.bool_)
    met = found.met[-1][predicted.objects.score[found.kept] >= asked.confidence]
    hit[met[met != NOTHING]] = True
    return recall_by_value(asked.by_annotation, truths.attributes, ~truths.objects.optional, hit)
