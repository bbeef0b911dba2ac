"""Evaluate: measure a layer of predictions against the ground truth of the same version."""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from schemas.annotations import ATTRIBUTES, ObjectType
from schemas.counts import counted
from schemas.errors import Invalid
from schemas.evaluations import Evaluation
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord, Outcome, TaskResult
from schemas.projects import Project
from schemas.schema import derived_id
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import Given, given
from workers.evaluation.comparison import Compared, compare
from workers.work import Work

MEASURED_BY_BOXES: Final = frozenset({ObjectType.DETECTION, ObjectType.MULTI_MODAL})
COMPARED: Final = 0.95


async def evaluate(work: Work[EvaluateParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Record an evaluation: figures by COCO's protocol, by class and attribute, and a mark for each annotation.

    Only images that both layers cover count; how many do not is in the summary. Raise Invalid if there are none.
    """
    parameters = work.parameters
    project = await database.documents(Project).get(work.task.project)
    source = await given(work.task, "/source", library=library)
    _check(parameters, source.content, project)
    marks = work.scratch / "marks.parquet"
    compared = await compare(
        source.content,
        parameters,
        marks=marks,
        progress=lambda fraction: work.progress(COMPARED * fraction, "comparing"),
        library=library,
    )
    if not compared.coverage.both:
        raise Invalid(
            f"No image is covered by both layers, {parameters.ground_truth!r} and {parameters.layer!r}.",
            step="Infer on a version that is annotated, or annotate the one that was inferred on.",
        )
    evaluation = Evaluation(
        id=derived_id("evaluation", work.task.id),
        project=project.id,
        version=source.version,
        layer=parameters.layer,
        ground_truth=parameters.ground_truth,
        iou=parameters.iou,
        confidence=parameters.confidence,
        max_detections=parameters.max_detections,
        images=compared.coverage.both,
        overall=compared.overall,
        table=await blobs.put(compared.table.model_dump_json().encode(), media_type="application/json"),
        marks=await blobs.put_file(marks, media_type="application/vnd.apache.parquet"),
        task=work.task.id,
        created_at=work.now(),
    )
    return Outcome(
        records=(EvaluationRecord(evaluation=evaluation),),
        result=TaskResult(summary=_summary(compared)),
        warnings=tuple(_warnings(parameters, source, compared)),
    )


def _check(parameters: EvaluateParameters, content: Content, project: Project) -> None:
    if project.object_type not in MEASURED_BY_BOXES:
        raise Invalid(
            f"Projects for {project.object_type} are not evaluated yet: only boxes are compared.",
            step="Evaluate in a project for detection.",
        )
    for pointer, name in (("/ground_truth", parameters.ground_truth), ("/layer", parameters.layer)):
        if name not in content.layers:
            known = ", ".join(sorted(content.layers)) or "none"
            raise Invalid(
                f"{pointer}: the version has no layer {name!r}.", step=f"Its layers are: {known}. Infer adds one."
            )
    if parameters.by is not None and ATTRIBUTES not in content.layers:
        raise Invalid("/by: the images of the version have no attributes.", step="Leave out by.")


def _summary(compared: Compared) -> dict[str, JsonValue]:
    overall, coverage = compared.overall, compared.coverage
    return {
        "images": coverage.both,
        "images_without_predictions": coverage.only_ground_truth,
        "images_without_ground_truth": coverage.only_predictions,
        "images_without_both": coverage.neither,
        "ap": overall.ap,
        "ap50": overall.ap50,
        "ap75": overall.ap75,
        "ar": overall.ar,
        "true_positives": overall.true_positives,
        "false_positives": overall.false_positives,
        "false_negatives": overall.false_negatives,
    }


def _warnings(parameters: EvaluateParameters, source: Given, compared: Compared) -> Iterator[str]:
    missing = sum(compared.coverage) - compared.coverage.both
    if missing:
        yield f"Not covered by both layers, and not counted: {missing} of {counted(sum(compared.coverage), 'image')}."
    for name, layer in ((parameters.ground_truth, compared.truths), (parameters.layer, compared.predictions)):
        for count, what in ((layer.without_class, "class"), (layer.without_box, "box")):
            if count:
                yield f"Not counted: {counted(count, 'annotation')} of the layer {name!r} without a {what}."
    if compared.predictions.without_confidence:
        yield f"Without a confidence, and taken as 1: {counted(compared.predictions.without_confidence, 'prediction')}."
    predictions = source.content.layers[parameters.layer].predictions
    beyond = compared.truths.classes - set(predictions.classes) if predictions is not None else set()
    if beyond:
        yield f"The model cannot predict {', '.join(sorted(beyond))}; these classes count as not found."
    if compared.values is not None and compared.values.left_out:
        yield f"The attribute has {compared.values.left_out} more values, on fewer images; they are not shown."
    if compared.values is not None and compared.values.without:
        yield f"Without the attribute {parameters.by!r}: {counted(compared.values.without, 'image')}."
