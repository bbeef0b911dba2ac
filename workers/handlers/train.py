"""Train: an executor makes a model out of annotated versions."""

import asyncio

from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.model_parameters import TrainParameters
from schemas.models import Model
from schemas.outcomes import ModelRecord, Outcome, TaskResult
from schemas.projects import Project
from schemas.reports import Finding, Report
from storage.cache import BlobCache
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.executors.configured import configured, known_classes
from workers.executors.contract import export_format, shared_memory_bytes
from workers.executors.preprocessing import preprocessor_of
from workers.executors.pretrained import write_pretrained
from workers.executors.runs import PREPARED, Executed, Runtimes, execute, open_run
from workers.executors.trained import Training, model_of
from workers.executors.training_input import TrainingInput, write_training_input
from workers.executors.training_logs import KeptLogs, keep_logs
from workers.executors.training_result import read_training_result
from workers.executors.training_sets import training_sets
from workers.image_pool import ImagePool
from workers.work import Work

FINDINGS = 1_000
TRAINING = frozenset({Purpose.TRAINING})


async def train(
    work: Work[TrainParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    cache: BlobCache,
    runtimes: Runtimes,
    pool: ImagePool,
) -> Outcome:
    """Train a model and return it with all its stages, those of a run that failed or was cancelled as well.

    Assets that are both learned from and validated on are always reported. Raise Invalid for what can never be
    trained on, before the executor is started.
    """
    parameters = work.parameters
    training = await _prepared(work, library=library, database=database, cache=cache, runtimes=runtimes)
    images = training.sets.training.image_count() + training.sets.validation.image_count()
    preprocessor = preprocessor_of(parameters.preprocess, work=work, total=images, pool=pool)
    written = await write_training_input(
        training.sets,
        training.run,
        layer=parameters.layer,
        classes=training.classes,
        export_format=export_format(training.settings.values, protocol=training.run.executor.protocol),
        library=library,
        cache=cache,
        preprocessor=preprocessor,
    )
    work.progress(PREPARED, "training")
    executed = await execute(
        work,
        training.run,
        shared_memory_bytes=shared_memory_bytes(training.settings.values),
        phase="training",
        blobs=blobs,
    )
    logs = await keep_logs(training.run, blobs=blobs, pool=pool)
    outcome = await _collected(work, training, executed, logs, blobs=blobs)
    return await _told(outcome, training, written, blobs=blobs)


async def _prepared(
    work: Work[TrainParameters], *, library: Library, database: Database, cache: BlobCache, runtimes: Runtimes
) -> Training:
    work.progress(0.0, "preparing")
    parameters = work.parameters
    project = await database.documents(Project).get(work.task.project)
    classes = await known_classes(parameters.classes, project, database)
    run = await open_run(
        work, parameters, purposes=TRAINING, object_type=project.object_type, database=database, runtimes=runtimes
    )
    sets = await training_sets(work.task, parameters, library=library)
    start = await write_pretrained(
        parameters, run, classes=classes, project=work.task.project, database=database, cache=cache
    )
    settings = await configured(
        work,
        parameters,
        run,
        purposes=TRAINING,
        classes=classes,
        object_type=project.object_type,
        models=start.files,
        preprocess=parameters.preprocess,
    )
    return Training(project, classes, sets, run, settings, start.warnings)


async def _collected(
    work: Work[TrainParameters], training: Training, executed: Executed, logs: KeptLogs, *, blobs: Blobs
) -> Outcome:
    """Return the outcome with the logs, and the stages that are there, however the run ended."""
    warnings = (*executed.warnings, *logs.warnings)
    result, fault = None, Invalid("The executor ended without writing models/result.yaml.", step="See its log.")
    try:
        result = await asyncio.to_thread(read_training_result, training.run.folder.made / "models")
    except Invalid as error:
        fault = error
        if executed.cancelled or executed.error is not None:
            warnings = (*warnings, f"No model was kept: {error.detail}")
    if result is None:
        kept = {"result": TaskResult(logs=logs.logs), "warnings": warnings}
        return executed.outcome(fault).model_copy(update=kept)
    model = await model_of(result, training, work=work, logs=logs.logs, blobs=blobs)
    kept = {
        "records": (ModelRecord(model=model),),
        "result": TaskResult(summary=_summary(model), logs=logs.logs),
        "warnings": (*warnings, *result.warnings),
    }
    return executed.outcome().model_copy(update=kept)


def _summary(model: Model) -> dict[str, JsonValue]:
    best = next(stage for stage in model.stages if stage.name == model.best_stage)
    return {"stages": len(model.stages), "best_stage": best.name, "metrics": dict(best.metrics)}


async def _told(outcome: Outcome, training: Training, written: TrainingInput, *, blobs: Blobs) -> Outcome:
    """Return the outcome with its counts, warnings and report."""
    sets = training.sets
    other = written.training.other_classes + written.validation.other_classes
    summary: dict[str, JsonValue] = {
        **outcome.result.summary,
        "training_images": written.training.images,
        "training_annotations": written.training.annotations,
        "validation_images": written.validation.images,
        "validation_annotations": written.validation.annotations,
        **({"resized_images": written.resized} if training.settings.preprocess else {}),
        "overlap": len(sets.overlap),
        **sets.guard.summary,
        "annotations_of_other_classes": dict(sorted(other.items())),
    }
    warnings = (
        *training.run.warnings,
        *training.warnings,
        *training.settings.warnings,
        *sets.warnings,
        *outcome.warnings,
    )
    findings = [Finding(subject="", detail=warning, kind="warning") for warning in warnings]
    findings += [
        Finding(subject=asset, detail="It is in both sets.", kind="overlap") for asset in sets.overlap[:FINDINGS]
    ]
    report = Report(summary=summary, findings=(*findings, *sets.guard.findings))
    return outcome.model_copy(
        update={
            "result": outcome.result.model_copy(update={"summary": summary}),
            "warnings": warnings,
            "report": await blobs.put(report.model_dump_json().encode(), media_type="application/json"),
        }
    )
