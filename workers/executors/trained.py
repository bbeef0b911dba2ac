"""The model that a training left behind, its stages packed."""

import asyncio
from typing import NamedTuple

from schemas.annotations import ClassName
from schemas.blobs import BlobRef
from schemas.executors import Protocol
from schemas.model_parameters import TrainParameters
from schemas.models import Model, Stage
from schemas.places import PACKAGE_MEDIA_TYPE
from schemas.projects import Project
from schemas.schema import derived_id
from schemas.training_logs import TrainingLogs
from storage.ports import Blobs
from workers.executors.configured import Configured
from workers.executors.contract import object_type_number
from workers.executors.runs import Run
from workers.executors.scratch import scratch_errors
from workers.executors.training_result import TrainingResult
from workers.executors.training_sets import TrainingSets
from workers.packages import information, pack, stage_digest
from workers.work import Work


class Training(NamedTuple):
    """What a training was: what it ran on, and how it was set up."""

    project: Project
    classes: tuple[ClassName, ...]
    sets: TrainingSets
    run: Run
    settings: Configured
    warnings: tuple[str, ...] = ()


async def model_of(
    result: TrainingResult,
    training: Training,
    *,
    work: Work[TrainParameters],
    logs: TrainingLogs | None,
    blobs: Blobs,
) -> Model:
    """Pack all stages and return the model; only its id and its time tell one of two equal trainings from the other."""
    return Model(
        id=derived_id("model", work.task.id),
        project=training.project.id,
        name=work.parameters.model,
        object_type=training.project.object_type,
        classes=training.classes,
        stages=await asyncio.to_thread(stages_of, result),
        best_stage=result.best,
        recommended_stage=result.best,
        package=await _package(result, training, blobs=blobs),
        attachments=tuple(sorted(result.attachments)),
        logs=logs,
        evaluate_config=dict(result.evaluation),
        executor=training.run.executor.name,
        executor_reference=training.run.executor.reference,
        executor_digest=training.run.digest,
        config=training.settings.lasting,
        training=training.sets.training_versions,
        validation=training.sets.validation_versions,
        pretrained=work.parameters.pretrained,
        preprocess=training.settings.preprocess,
        protocol=str(training.run.executor.protocol or Protocol.V1_1),
        task=work.task.id,
        created_at=work.now(),
    )


async def _package(result: TrainingResult, training: Training, *, blobs: Blobs) -> BlobRef:
    info = information(
        result,
        config=training.settings.lasting,
        object_type=object_type_number(training.project.object_type),
        executor=training.run.executor.name,
        preprocess=training.settings.preprocess,
    )
    path = training.run.folder.root / "package.tar.gz"
    with scratch_errors():
        await asyncio.to_thread(pack, path, result, info)
    return await blobs.put_file(path, media_type=PACKAGE_MEDIA_TYPE)


def stages_of(result: TrainingResult) -> tuple[Stage, ...]:
    """Return the stages of a model as its document names them."""
    return tuple(
        Stage(
            name=stage.name,
            digest=stage_digest(stage.files),
            files=tuple(sorted(stage.files)),
            metrics=stage.metrics,
        )
        for stage in result.stages
    )
