"""Comparing a layer of a content with the ground truth, class by class or image by image."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import ATTRIBUTES
from schemas.evaluations import CurvesTable, EvaluationTable, Figures, Measure, Recall
from schemas.model_parameters import EvaluateParameters
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.selections import Mask
from storage.datasets.space import Space
from workers.evaluation.across import Gathered
from workers.evaluation.attribute_values import (
    VALUES_AT_MOST,
    AttributeValues,
    added,
    attribute_values,
    most_frequent,
)
from workers.evaluation.confusions import confusions
from workers.evaluation.coverage import Coverage, covered
from workers.evaluation.curves import best_over_all
from workers.evaluation.label_errors import write_label_errors
from workers.evaluation.layers import LayerColumns, Sizes, layer_columns, sizes_of
from workers.evaluation.marks import marks_file
from workers.evaluation.one_class import Layers, Measured, measure_class
from workers.evaluation.precision import mean_figures
from workers.evaluation.semantic import (
    IMAGES_AT_ONCE,
    Pixels,
    count_pixels,
    painting,
    pixel_confusions,
    pixel_figures,
)

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all layers of predictions are measured on: images, their ground truth and its attributes."""

    content: Content
    asked: EvaluateParameters
    measure: Measure
    space: Space
    covered: Mask
    coverage: Coverage
    sizes: Sizes
    truths: LayerColumns
    values: AttributeValues | None
    raw_ids: NDArray[np.uint8]


class Compared(NamedTuple):
    """All figures of a comparison."""

    overall: Figures
    table: EvaluationTable
    curves: CurvesTable
    predictions: LayerColumns
    label_errors: int | None
    """How many there are; the likeliest are in the file. None: such are not looked for."""


async def ground_of(content: Content, asked: EvaluateParameters, measure: Measure, *, library: Library) -> Ground:
    """Return the images that count, and their ground truth."""
    ids = await library.asset_ids(content)
    layers = [content.layer_masks(name) for name in (asked.ground_truth, *asked.predicted)]
    attributes = content.layer_masks(ATTRIBUTES) if asked.by is not None else {}
    space = await asyncio.to_thread(Space.of_masks, content.image_masks(), *layers, attributes, ids=ids)
    images, coverage = covered(content, space, ground_truth=asked.ground_truth, layers=asked.predicted)
    sizes = await sizes_of(content.image_masks(), space=space, library=library)
    values = None
    if asked.by is not None:
        values = await attribute_values(asked.by, attributes, images, space=space, library=library)
    return Ground(
        content=content,
        asked=asked,
        measure=measure,
        space=space,
        covered=images,
        coverage=coverage,
        sizes=sizes,
        truths=await layer_columns(
            layers[0], images, measure=measure, sizes=sizes, is_truth=True, space=space, library=library
        ),
        values=values,
        raw_ids=space.raw_ids(space.row_of(np.ones(space.rows, np.bool_))[:-1]),
    )


async def compare(
    layer: str, ground: Ground, *, marks: Path, errors: Path, progress: Progress, library: Library
) -> Compared:
    """Return the figures of a layer against the ground truth; write the marks and the likely errors into files.

    Every class that occurs in either layer has figures; the mean is over those with ground truth. Predictions of equal
    score are in the order of their assets' ids, so that it does not matter how the content is cut into segments.
    """
    predictions = await layer_columns(
        ground.content.layer_masks(layer),
        ground.covered,
        measure=ground.measure,
        sizes=ground.sizes,
        is_truth=False,
        space=ground.space,
        library=library,
    )
    if ground.measure is Measure.SEMANTIC:
        return await _pixel_by_pixel(layer, ground, predictions, marks=marks, progress=progress)
    return await _class_by_class(layer, ground, predictions, marks=marks, errors=errors, progress=progress)


async def _class_by_class(
    layer: str, ground: Ground, predictions: LayerColumns, *, marks: Path, errors: Path, progress: Progress
) -> Compared:
    asked, layers = ground.asked, Layers(ground.truths, predictions, ground.values)
    classes = sorted(ground.truths.classes | predictions.classes)
    found, gathered = list[Measured](), Gathered()
    with marks_file(marks, ground_truth=asked.ground_truth, predictions=layer, raw_ids=ground.raw_ids) as file:
        for done, name in enumerate(classes, start=1):
            found.append(await asyncio.to_thread(measure_class, name, layers, asked, marks=file, gathered=gathered))
            progress(done / (len(classes) + 1))
    figures, curves = [one.figures for one in found], tuple(one.curves for one in found)
    left = await asyncio.to_thread(gathered.remainder, iou=asked.iou)
    likely = await asyncio.to_thread(
        write_label_errors, errors, left, classes=classes, figures=figures, raw_ids=ground.raw_ids
    )
    best_f1, best_confidence = best_over_all(curves)
    overall = mean_figures(figures).model_copy(update={"best_f1": best_f1, "best_confidence": best_confidence})
    names = ground.values.names if ground.values else ()
    table = EvaluationTable(
        classes=tuple(figures),
        by_value={value: mean_figures([one.by_value[place] for one in found]) for place, value in enumerate(names)},
        recall_by_value=_recalls([one.recalls for one in found]),
    )
    return Compared(
        overall,
        table,
        CurvesTable(classes=curves, confusions=confusions(classes, figures, left)),
        predictions,
        likely,
    )


async def _pixel_by_pixel(
    layer: str, ground: Ground, predictions: LayerColumns, *, marks: Path, progress: Progress
) -> Compared:
    asked, counted = ground.asked, Pixels(Counter(), Counter())
    classes = sorted(ground.truths.classes | predictions.classes)
    truths = await asyncio.to_thread(painting, ground.truths, classes, confidence=0.0)
    found = await asyncio.to_thread(painting, predictions, classes, confidence=asked.confidence)
    images = np.flatnonzero(ground.covered).tolist()
    with marks_file(marks, ground_truth=asked.ground_truth, predictions=layer, raw_ids=ground.raw_ids) as file:
        for start in range(0, len(images), IMAGES_AT_ONCE):
            some = images[start : start + IMAGES_AT_ONCE]
            await asyncio.to_thread(
                count_pixels, truths, found, some, iou=asked.iou, marks=file, classes=classes, into=counted
            )
            progress(start / len(images))
    figures, whole = pixel_figures(counted, classes)
    overall = mean_figures(figures).model_copy(update={"pixel_accuracy": whole.pixel_accuracy})
    curves = CurvesTable(confusions=pixel_confusions(counted, classes))
    return Compared(overall, EvaluationTable(classes=tuple(figures)), curves, predictions, None)


def _recalls(by_class: Sequence[dict[str, Recall]]) -> dict[str, Recall]:
    """Return the sums over all classes of the most frequent values."""
    sums = dict[str, Recall]()
    for recalls in by_class:
        for value, one in recalls.items():
            sums[value] = added(sums.get(value, Recall()), one)
    frequent = most_frequent({value: one.ground_truths for value, one in sums.items()})
    return {value: sums[value] for value in frequent[:VALUES_AT_MOST]}
