"""Infer: an executor predicts on every image of a version."""

from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.model_parameters import InferParameters
from schemas.outcomes import Outcome
from schemas.reports import Report
from storage.cache import BlobCache
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import given, version_of
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
from workers.image_pool import ImagePool
from workers.work import Work

INFER = frozenset({Purpose.INFER})


async def infer(
    work: Work[InferParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    cache: BlobCache,
    runtimes: Runtimes,
    pool: ImagePool,
) -> Outcome:
    """Make a version with a layer of predictions; images with nothing on them are in it as empty.

    Predictions of classes that the model does not have are left out, and counted in the report.
    """
    parameters = work.parameters
    tools = Tools(library, blobs, database, cache, runtimes, pool)
    source = await given(work.task, "/source", library=library)
    ready = await prepared(work, parameters, source.content, model=parameters.model, purposes=INFER, tools=tools)
    layer = layer_name(parameters.layer, ready.found)
    ran = await executed(work, ready, phase="inferring", tools=tools)
    if ran.error is not None or ran.cancelled:
        return ran.outcome()
    try:
        found = await predictions(ready)
    except Invalid as error:
        return ran.outcome(error)
    content = await with_predictions(source.content, found, ready, layer=layer, tools=tools)
    summary: dict[str, JsonValue] = {
        "layer": layer,
        "predictions": sum(map(len, found.annotations.values())),
        "images_with_predictions": sum(map(bool, found.annotations.values())),
        "predictions_of_unknown_classes": dict(sorted(found.unknown_classes.items())),
    }
    outcome = await version_of(
        parameters,
        content,
        parents=[source.version],
        library=library,
        summary=summary,
        warnings=(*ready.warnings, *ran.warnings),
    )
    report = Report(summary=outcome.result.summary, findings=tuple(unknown_class_findings(found)))
    return outcome.model_copy(update={"log": ran.log, **await report_blob(report, tools=tools)})
