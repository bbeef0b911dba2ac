"""Infer: an executor predicts on every image of a version, or on uploaded pictures."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.model_parameters import InferParameters
from schemas.outcomes import Outcome, PredictedPictures, TaskResult
from schemas.schema import Id
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import AnnotationRow
from storage.ports import Blobs, Database
from workers.drafts import given, version_of
from workers.executors.infer_result import Found
from workers.executors.predicting import (
    Tools,
    executed,
    predictions,
    prepared,
    report_blob,
    unknown_class_findings,
    with_predictions,
)
from workers.executors.prediction_layers import layer_name
from workers.executors.runs import Runtimes
from workers.findings import Findings
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.importing.uploaded import Intake, uploaded_pictures
from workers.work import Work

INFER = frozenset({Purpose.INFER})
CLASSES_TOLD = 100


class _Source(NamedTuple):
    """What is predicted on; ``version`` is None for uploaded pictures."""

    content: Content
    version: Id | None
    findings: Findings


async def infer(
    work: Work[InferParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    cache: BlobCache,
    runtimes: Runtimes,
    pool: ImagePool,
    settings: ImportSettings,
) -> Outcome:
    """Make a version with a layer of predictions, or of uploaded pictures a content that the task alone names.

    Images with nothing on them are in the layer as empty. Predictions of classes that the model does not have are left
    out, and counted in the report, unless they are asked for.
    """
    parameters = work.parameters
    tools = Tools(library, blobs, database, cache, runtimes, pool)
    source = await _source(work, Intake(library, blobs, database, pool, settings))
    ready = await prepared(work, parameters, source.content, model=parameters.model, purposes=INFER, tools=tools)
    layer = layer_name(parameters.layer, ready.found)
    ran = await executed(work, ready, phase="inferring", tools=tools)
    if ran.error is not None or ran.cancelled:
        return ran.outcome()
    try:
        told = await predictions(ready, keep_others=parameters.keep_other_classes)
    except Invalid as error:
        return ran.outcome(error)
    found = _wanted(told, parameters)
    content = await with_predictions(source.content, found, ready, layer=layer, tools=tools)
    source.findings.add_all(unknown_class_findings(found))
    summary = _summary(layer, told, found, source.findings)
    warnings = (*_skipped(source.findings), *ready.warnings, *ran.warnings)
    outcome = await _outcome(work, content, source, summary=summary, warnings=warnings, library=library)
    report = source.findings.report(outcome.result.summary)
    return outcome.model_copy(update={"log": ran.log, **await report_blob(report, tools=tools)})


async def _source(work: Work[InferParameters], intake: Intake) -> _Source:
    if work.parameters.source is not None:
        source = await given(work.task, "/source", library=intake.library)
        return _Source(source.content, source.version, Findings())
    pictures = await uploaded_pictures(work, intake=intake)
    return _Source(pictures.content, None, pictures.findings)


def _wanted(found: Found, asked: InferParameters) -> Found:
    """Return the predictions that are sure enough, of each image the surest, in the order in which they were told."""
    return found._replace(
        annotations={asset: _surest(rows, asked) for asset, rows in found.annotations.items()},
    )


def _surest(rows: Sequence[AnnotationRow], asked: InferParameters) -> tuple[AnnotationRow, ...]:
    sure = [row for row in rows if (row.confidence or 0.0) >= asked.confidence]
    if asked.max_per_image is None or len(sure) <= asked.max_per_image:
        return tuple(sure)
    places = heapq.nsmallest(
        asked.max_per_image, range(len(sure)), key=lambda place: (-(sure[place].confidence or 0.0), place)
    )
    return tuple(sure[place] for place in sorted(places))


def _summary(layer: str, told: Found, found: Found, findings: Findings) -> dict[str, JsonValue]:
    kept = sum(map(len, found.annotations.values()))
    left_out = sum(map(len, told.annotations.values())) - kept
    return {
        "layer": layer,
        "predictions": kept,
        "images_with_predictions": sum(map(bool, found.annotations.values())),
        **({"predictions_left_out": left_out} if left_out else {}),
        "predictions_of_unknown_classes": dict(sorted(found.unknown_classes.items())[:CLASSES_TOLD]),
        **{
            name: findings.counts[kind]
            for name, kind in (("skipped", "bad image"), ("duplicates", "duplicate"))
            if findings.counts[kind]
        },
    }


def _skipped(findings: Findings) -> list[str]:
    return [
        f"{findings.counts[kind]} x {kind}: see the report."
        for kind in ("bad image", "duplicate")
        if findings.counts[kind]
    ]


async def _outcome(
    work: Work[InferParameters],
    content: Content,
    source: _Source,
    *,
    summary: dict[str, JsonValue],
    warnings: Sequence[str],
    library: Library,
) -> Outcome:
    asked = work.parameters.makes()
    if asked is not None and source.version is not None:
        return await version_of(
            asked, content, parents=[source.version], library=library, summary=summary, warnings=warnings
        )
    kept = await library.keep(content)
    predicted = PredictedPictures(manifest=kept.manifest, layer=str(summary["layer"]), pictures=kept.counts.images)
    result = TaskResult(summary={"pictures": kept.counts.images, **summary}, predictions=predicted)
    return Outcome(result=result, warnings=tuple(warnings))
