"""Infer: an executor predicts on every image of a version."""

import asyncio

from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.outcomes import Outcome, TaskResult
from schemas.parameters import InferParameters
from schemas.projects import Project
from schemas.reports import Finding, Report
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import Given, given, version_draft
from workers.executors.candidates import Images, read_found, write_candidates
from workers.executors.configured import Configured, configured
from workers.executors.infer_result import Found
from workers.executors.inputs import write_model
from workers.executors.models import FoundStage, find_stage
from workers.executors.prediction_layers import keep_predictions, layer_name, predictions_of
from workers.executors.runs import PREPARED, Executed, Run, Runtimes, execute, open_run
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
) -> Outcome:
    """Make a version with a layer of predictions; images with nothing on them are in it as empty.

    Predictions of classes that the model does not have are left out, and counted in the report.
    """
    parameters = work.parameters
    project = await database.documents(Project).get(work.task.project)
    source = await given(work.task, "/source", library=library)
    found = await find_stage(parameters.model, project=project.id, database=database)
    layer = layer_name(parameters.layer, found)
    work.progress(0.0, "preparing")
    run = await open_run(
        work, parameters, purposes=INFER, object_type=project.object_type, database=database, runtimes=runtimes
    )
    models = await write_model(found.model, found.stage.name, run.folder, layout=run.layout, cache=cache)
    settings = await configured(
        work,
        parameters,
        run,
        purposes=INFER,
        classes=found.model.classes,
        object_type=project.object_type,
        models=models,
    )
    images = await write_candidates(source.content, run, library=library, cache=cache)
    work.progress(PREPARED, "inferring")
    executed = await execute(work, run, gpus=parameters.gpus, phase="inferring", blobs=blobs)
    if executed.error is not None or executed.cancelled:
        return executed.outcome()
    try:
        predicted = await asyncio.to_thread(read_found, run, images, classes=found.model.classes)
    except Invalid as error:
        return executed.outcome(error)
    kept = await keep_predictions(
        images, predicted.annotations, layer=layer, predictions=predictions_of(found, settings), library=library
    )
    content = source.content.with_layer(layer, kept)
    raise NotImplementedError
