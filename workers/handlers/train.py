"""Train: an executor makes a model out of annotated versions."""

import asyncio
from collections import Counter

from pydantic import JsonValue

from schemas.annotations import ClassName
from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.executors import Purpose
from schemas.models import Model, Stage
from schemas.outcomes import ModelRecord, Outcome, TaskResult
from schemas.parameters import TrainParameters
from schemas.projects import Project
from schemas.reports import Finding, Report
from schemas.schema import derived_id
from storage.cache import BlobCache
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.executors.configured import Configured, configured, known_classes
from workers.executors.contract import export_format, object_type_number
from workers.executors.inputs import write_model
from workers.executors.models import find_stage
from workers.executors.runs import PREPARED, Executed, Run, Runtimes, execute, open_run
from workers.executors.training_input import TrainingInput, write_training_input
from workers.executors.training_result import TrainingResult, read_training_result
from workers.executors.training_sets import TrainingSets, training_sets
from workers.packages import MEDIA_TYPE, information, pack, stage_digest
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
) -> Outcome:
    """Train a model and return it with all its stages, those of a run that failed or was cancelled as well.

    Assets that are both learned from and validated on are always reported. Raise Invalid for what can never be
    trained on, before the executor is started.
    """
    parameters = work.parameters
    project = await database.documents(Project).get(work.task.project)
    classes = await known_classes(parameters.classes, project, database)
    work.progress(0.0, "preparing")
    run = await open_run(
        work, parameters, purposes=TRAINING, object_type=project.object_type, database=database, runtimes=runtimes
    )
    sets = await training_sets(work.task, parameters, library=library)
    models = await _pretrained(work, run, database=database, cache=cache)
    settings = await configured(
        work, parameters, run, purposes=TRAINING, classes=classes, object_type=project.object_type, models=models
    )
    written = await write_training_input(
        sets,
        run,
        layer=parameters.layer,
        classes=classes,
        export_format=export_format(settings.values),
        library=library,
        cache=cache,
    )
    work.progress(PREPARED, "training")
    executed = await execute(work, run, gpus=parameters.gpus, phase="training", blobs=blobs)
    outcome = await _collected(work, run, executed, project, settings, classes, sets, blobs=blobs)
    return await _told(outcome, run, executed, settings, sets, written, blobs=blobs)


async def _pretrained(
    work: Work[TrainParameters], run: Run, *, database: Database, cache: BlobCache
) -> tuple[str, ...]:
    if work.parameters.pretrained is None:
        return ()
    model, stage = await find_stage(work.parameters.pretrained, project=work.task.project, database=database)
    return await write_model(model, stage.name, run.folder, layout=run.layout, cache=cache)


async def _collected(
    work: Work[TrainParameters],
    run: Run,
    executed: Executed,
    project: Project,
    settings: Configured,
    classes: tuple[ClassName, ...],
    sets: TrainingSets,
    *,
    blobs: Blobs,
) -> Outcome:
    """Return the outcome with the stages that are there, however the run ended."""
    try:
        result = await asyncio.to_thread(read_training_result, run.folder.made / "models")
    except Invalid as error:
        return executed.outcome(error)
    if result is None:
        return executed.outcome(Invalid("The executor ended without writing models/result.yaml.", step="See its log."))
    package = await _package(run, result, settings, object_type=object_type_number(project.object_type), blobs=blobs)
    model = Model(
        id=derived_id("model", work.task.id),
        project=project.id,
        name=work.parameters.model,
        object_type=project.object_type,
        classes=classes,
        stages=await asyncio.to_thread(_stages, result),
        best_stage=result.best,
        recommended_stage=result.best,
        package=package,
        executor=run.executor.name,
        executor_digest=run.digest,
        config=settings.lasting,
        training=sets.training_versions,
        validation=sets.validation_versions,
        pretrained=work.parameters.pretrained,
        task=work.task.id,
        created_at=work.now(),
    )
    kept = {"records": (ModelRecord(model=model),), "result": TaskResult(summary=_summary(result))}
    return executed.outcome().model_copy(update=kept)


async def _package(
    run: Run, result: TrainingResult, settings: Configured, *, object_type: int, blobs: Blobs
) -> BlobRef:
    info = information(
        result.stages,
        best=result.best,
        config=settings.lasting,
        object_type=object_type,
        executor=run.executor.name,
    )
    path = run.folder.root / "package.tar.gz"
    await asyncio.to_thread(pack, path, result.stages, info)
    return await blobs.put_file(path, media_type=MEDIA_TYPE)


def _stages(result: TrainingResult) -> tuple[Stage, ...]:
    return tuple(
        Stage(
            name=stage.name,
            digest=stage_digest(stage.files),
            files=tuple(sorted(stage.files)),
            metrics=stage.metrics,
        )
        for stage in result.stages
    )


def _summary(result: TrainingResult) -> dict[str, JsonValue]:
    best = next(stage for stage in result.stages if stage.name == result.best)
    return {"stages": len(result.stages), "best_stage": result.best, "metrics": dict(best.metrics)}


async def _told(
    outcome: Outcome,
    run: Run,
    executed: Executed,
    settings: Configured,
    sets: TrainingSets,
    written: TrainingInput,
    *,
    blobs: Blobs,
) -> Outcome:
    """Return the outcome with its counts, warnings and report."""
    other: Counter[str] = written.training.other_classes + written.validation.other_classes
    summary: dict[str, JsonValue] = {
        **outcome.result.summary,
        "training_images": written.training.images,
        "training_annotations": written.training.annotations,
        "validation_images": written.validation.images,
        "validation_annotations": written.validation.annotations,
        "overlap": len(sets.overlap),
        "annotations_of_other_classes": dict(sorted(other.items())),
    }
    warnings = (*run.warnings, *settings.warnings, *sets.warnings, *executed.warnings)
    findings = [Finding(subject=asset, detail="It is in both sets.", kind="overlap") for asset in sets.overlap]
    findings += [Finding(subject="", detail=warning, kind="warning") for warning in warnings]
    report = Report(summary=summary, findings=tuple(findings[:FINDINGS]))
    return outcome.model_copy(
        update={
            "result": outcome.result.model_copy(update={"summary": summary}),
            "warnings": warnings,
            "report": await blobs.put(report.model_dump_json().encode(), media_type="application/json"),
        }
    )
