"""Evaluate: measure layers of predictions against the ground truth of the same version."""

import asyncio
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from schemas.annotations import ATTRIBUTES, ObjectType
from schemas.blobs import BlobRef
from schemas.counts import counted
from schemas.errors import Invalid
from schemas.evaluations import Evaluation, Measure
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord, Outcome, TaskResult
from schemas.projects import Project
from schemas.schema import Schema, derived_id
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import Given, given
from workers.evaluation.comparison import Compared, Ground, compare, ground_of
from workers.evaluation.layers import LayerColumns
from workers.evaluation.one_class import detections_of
from workers.work import Work

MEASURES: Final = {
    ObjectType.DETECTION: Measure.BOXES,
    ObjectType.MULTI_MODAL: Measure.BOXES,
    ObjectType.INSTANCE_SEGMENTATION: Measure.MASKS,
    ObjectType.SEMANTIC_SEGMENTATION: Measure.SEMANTIC,
    ObjectType.KEYPOINTS: Measure.KEYPOINTS,
}
SHAPES: Final = {
    Measure.BOXES: "box",
    Measure.MASKS: "mask or polygon",
    Measure.SEMANTIC: "mask or polygon",
    Measure.KEYPOINTS: "keypoint",
}
COMPARED: Final = 0.95
PARQUET: Final = "application/vnd.apache.parquet"


async def evaluate(work: Work[EvaluateParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Record an evaluation of each layer: figures by class and attribute, and a mark for each annotation.

    Only images that the ground truth and all the layers cover count; how many do not is in the summary. Raise Invalid
    if there are none.
    """
    asked = work.parameters
    project = await database.documents(Project).get(work.task.project)
    source = await given(work.task, "/source", library=library)
    _check(asked, source.content)
    ground = await ground_of(source.content, asked, _measure(asked, project), library=library)
    if not ground.coverage.both:
        both = f"both layers, {asked.ground_truth!r} and {asked.predicted[0]!r}"
        raise Invalid(
            f"No image is covered by {both if len(asked.predicted) == 1 else 'all the layers'}.",
            step="Infer on a version that is annotated, or annotate the one that was inferred on.",
        )
    records, summaries, warnings = list[EvaluationRecord](), list[dict[str, JsonValue]](), list[str]()
    for number, layer in enumerate(asked.predicted):
        compared, evaluation = await _evaluated(number, work, source, ground, library=library, blobs=blobs)
        records.append(EvaluationRecord(evaluation=evaluation))
        summaries.append(_figures(compared))
        warnings += _layer_warnings(layer, source, ground, compared)
    told: dict[str, JsonValue] = dict(zip(asked.predicted, summaries, strict=True))
    return Outcome(
        records=tuple(records),
        result=TaskResult(summary={**_images(ground), **(summaries[0] if len(told) == 1 else {"layers": told})}),
        warnings=(*_warnings(ground), *warnings),
    )


async def _evaluated(
    number: int, work: Work[EvaluateParameters], source: Given, ground: Ground, *, library: Library, blobs: Blobs
) -> tuple[Compared, Evaluation]:
    """Compare the layer at a place among those asked for, and keep what that comes to."""
    asked, count = work.parameters, len(work.parameters.predicted)
    layer = asked.predicted[number]
    marks, errors = (work.scratch / f"{name}-{number}.parquet" for name in ("marks", "errors"))
    compared = await compare(
        layer,
        ground,
        marks=marks,
        errors=errors,
        progress=lambda fraction: work.progress(COMPARED * (number + fraction) / count, "comparing"),
        library=library,
    )
    kept = None if compared.label_errors is None else await blobs.put_file(errors, media_type=PARQUET)
    evaluation = Evaluation(
        # The first has the id that the only one would have.
        id=derived_id("evaluation", work.task.id, *([layer] if number else [])),
        project=work.task.project,
        version=source.version,
        layer=layer,
        ground_truth=asked.ground_truth,
        iou=asked.iou,
        confidence=asked.confidence,
        max_detections=detections_of(asked, ground.measure),
        measure=ground.measure,
        images=ground.coverage.both,
        overall=compared.overall,
        table=await _kept(compared.table, blobs),
        marks=await blobs.put_file(marks, media_type=PARQUET),
        curves=await _kept(compared.curves, blobs),
        label_errors=kept,
        task=work.task.id,
        created_at=work.now(),
    )
    return compared, evaluation


async def _kept(value: Schema, blobs: Blobs) -> BlobRef:
    text = await asyncio.to_thread(value.model_dump_json)
    return await blobs.put(text.encode(), media_type="application/json")


def _measure(asked: EvaluateParameters, project: Project) -> Measure:
    measure = asked.measure or MEASURES.get(project.object_type)
    if measure is None:
        raise Invalid(
            f"Projects for {project.object_type} are not evaluated: their annotations have no place in the image.",
            step="Name a measure (boxes, masks, keypoints, semantic) if the version has such annotations.",
        )
    if measure is Measure.SEMANTIC and (asked.by is not None or asked.by_annotation is not None):
        raise Invalid("/by: pixels are not broken down by attributes.", step="Leave it out, or measure masks.")
    return measure


def _check(asked: EvaluateParameters, content: Content) -> None:
    layers = [f"/layers/{number}" for number in range(len(asked.layers))]
    named = zip(["/ground_truth", "/layer", *layers], [asked.ground_truth, asked.layer, *asked.layers], strict=True)
    for pointer, name in named:
        if name is not None and name not in content.layers:
            known = ", ".join(map(repr, sorted(content.layers))) or "none"
            raise Invalid(
                f"{pointer}: the version has no layer {name!r}.", step=f"Its layers are: {known}. Infer adds one."
            )
    if asked.by is not None and ATTRIBUTES not in content.layers:
        raise Invalid("/by: the images of the version have no attributes.", step="Leave out by.")


def _images(ground: Ground) -> dict[str, JsonValue]:
    coverage = ground.coverage
    return {
        "images": coverage.both,
        "images_without_predictions": coverage.only_ground_truth,
        "images_without_ground_truth": coverage.only_predictions,
        "images_without_both": coverage.neither,
    }


def _figures(compared: Compared) -> dict[str, JsonValue]:
    """Return what there is of the figures that people ask for first."""
    overall = compared.overall
    shown = (
        *(("iou", "accuracy", "pixel_accuracy") if overall.iou is not None else ("ap", "ap50", "ap75", "ar")),
        *("true_positives", "false_positives", "false_negatives"),
    )
    figures: dict[str, JsonValue] = {name: getattr(overall, name) for name in shown}
    return figures | ({} if compared.label_errors is None else {"likely_label_errors": compared.label_errors})


def _warnings(ground: Ground) -> Iterator[str]:
    coverage, asked, values = ground.coverage, ground.asked, ground.values
    missing = sum(coverage) - coverage.both
    if missing:
        layers = "both layers" if len(asked.predicted) == 1 else "all the layers"
        yield f"Not covered by {layers}, and not counted: {missing} of {counted(sum(coverage), 'image')}."
    yield from _not_counted(asked.ground_truth, ground.truths)
    if values is not None and values.left_out:
        yield f"The attribute has {values.left_out} more values, on fewer images; they are not shown."
    if values is not None and values.without:
        yield f"Without the attribute {asked.by!r}: {counted(values.without, 'image')}."


def _layer_warnings(layer: str, source: Given, ground: Ground, compared: Compared) -> Iterator[str]:
    yield from _not_counted(layer, compared.predictions)
    if compared.predictions.without_confidence and ground.measure is not Measure.SEMANTIC:
        yield f"Without a confidence, and taken as 1: {counted(compared.predictions.without_confidence, 'prediction')}."
    predictions = source.content.layers[layer].predictions
    beyond = ground.truths.classes - set(predictions.classes) if predictions is not None else set()
    if beyond:
        yield f"The model cannot predict {', '.join(sorted(beyond))}; these classes count as not found."


def _not_counted(name: str, layer: LayerColumns) -> Iterator[str]:
    for count, what in ((layer.without_class, "class"), (layer.without_shape, SHAPES[layer.measure])):
        if count:
            yield f"Not counted: {counted(count, 'annotation')} of the layer {name!r} without a {what}."
