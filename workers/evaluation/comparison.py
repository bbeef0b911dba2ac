"""Comparing two layers of a content, class by class."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.annotations import ATTRIBUTES
from schemas.evaluations import ClassFigures, EvaluationTable, Figures
from schemas.model_parameters import EvaluateParameters
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.selections import Mask
from storage.datasets.space import Space
from workers.evaluation.attribute_values import AttributeValues, attribute_values
from workers.evaluation.layers import LayerColumns, layer_columns, objects_of
from workers.evaluation.marks import MarksFile, marks_file
from workers.evaluation.matching import Floats, match
from workers.evaluation.precision import THRESHOLDS, class_figures, mean_figures


class Coverage(NamedTuple):
    """How many images count: those that both layers cover; and how many lack one of them or both."""

    both: int
    only_ground_truth: int
    only_predictions: int
    neither: int


class Compared(NamedTuple):
    """All figures of a comparison."""

    coverage: Coverage
    overall: Figures
    table: EvaluationTable
    truths: LayerColumns
    predictions: LayerColumns
    values: AttributeValues | None


async def compare(
    content: Content,
    asked: EvaluateParameters,
    *,
    marks: Path,
    progress: Callable[[float], None],
    library: Library,
) -> Compared:
    """Return the figures of a layer against the ground truth by COCO's protocol, and write the marks into a file.

    Every class that occurs in either layer has figures; the mean is over those with ground truth. Predictions of equal
    score are in the order of their assets' ids, so that it does not matter how the content is cut into segments.
    """
    ids = await library.asset_ids(content)
    layers = [content.layer_masks(name) for name in (asked.ground_truth, asked.layer)]
    attributes = content.layer_masks(ATTRIBUTES) if asked.by is not None else {}
    space = await asyncio.to_thread(Space.of_masks, content.image_masks(), *layers, attributes, ids=ids)
    covered, coverage = _covered(content, space, asked)
    truths, predictions = [await layer_columns(masks, covered, space=space, library=library) for masks in layers]
    values = None
    if asked.by is not None:
        values = await attribute_values(asked.by, attributes, covered, space=space, library=library)
    classes = sorted(truths.classes | predictions.classes)
    figures: list[ClassFigures] = []
    by_value: dict[str, list[Figures]] = {name: [] for name in values.names} if values else {}
    with marks_file(marks, ground_truth=asked.ground_truth, predictions=asked.layer, space=space) as file:
        for done, name in enumerate(classes, start=1):
            measured = await asyncio.to_thread(_measured, name, truths, predictions, asked, values, file)
            figures.append(measured[0])
            for value, of_value in zip(by_value, measured[1], strict=True):
                by_value[value].append(of_value)
            progress(done / len(classes))
    table = EvaluationTable(
        classes=tuple(figures), by_value={value: mean_figures(some) for value, some in by_value.items()}
    )
    return Compared(coverage, mean_figures([*figures]), table, truths, predictions, values)


def _covered(content: Content, space: Space, asked: EvaluateParameters) -> tuple[Mask, Coverage]:
    images, truths, predictions = (
        space.assets_of(space.flat(masks))[:-1]
        for masks in (content.image_masks(), content.layer_masks(asked.ground_truth), content.layer_masks(asked.layer))
    )
    parts = (truths & predictions, truths & ~predictions, ~truths & predictions, ~truths & ~predictions)
    coverage = Coverage(*(int(np.count_nonzero(images & part)) for part in parts))
    # The last place of an asset mask stands for rows that nobody uses.
    return np.append(images & parts[0], [False]), coverage


def _measured(
    name: str,
    truths: LayerColumns,
    predictions: LayerColumns,
    asked: EvaluateParameters,
    values: AttributeValues | None,
    marks: MarksFile,
) -> tuple[ClassFigures, list[Figures]]:
    thresholds: Floats = np.append(THRESHOLDS, asked.iou)
    of_truths, of_predictions = objects_of(truths, name), objects_of(predictions, name)
    found, expected = of_predictions.objects, of_truths.objects
    matches = match(expected, found, thresholds=thresholds, at_most=asked.max_detections)
    marks.add(name, of_truths, of_predictions, matches, confidence=asked.confidence)
    whole = class_figures(expected, found, matches, confidence=asked.confidence)
    figures = ClassFigures(class_name=name, **whole.model_dump())
    if values is None:
        return figures, []
    return figures, [
        class_figures(
            expected,
            found,
            matches,
            confidence=asked.confidence,
            truths_shown=values.of_asset[expected.image] == code,
            predictions_shown=values.of_asset[found.image] == code,
        )
        for code in range(len(values.names))
    ]
