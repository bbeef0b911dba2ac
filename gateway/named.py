"""What a task names beside versions: paths, uploads, other projects, executors, models, evaluations."""

from collections.abc import Mapping
from typing import Final

from gateway.partial_uploads import PartialUploads
from gateway.services import Services
from gateway.sources import path_faults
from schemas.algebra_parameters import Conditions, FilterParameters, FuseParameters, MergeParameters, Strategy
from schemas.errors import Fault, NotFound, YmirError
from schemas.evaluations import Evaluation
from schemas.exchange_parameters import (
    ImportModelParameters,
    ImportParameters,
    ImportSource,
    LabelParameters,
)
from schemas.executors import Executor, Purpose
from schemas.mining import OF_EXECUTOR, WITHOUT_MODEL, strategy_fault, weights_of
from schemas.model_parameters import InferParameters, MineParameters, ModelStage, TrainParameters, UsesExecutor
from schemas.models import Model
from schemas.parameters import Parameters
from schemas.projects import Project
from schemas.schema import Id
from schemas.uploads import Upload
from storage.ports import Query

PURPOSE_OF: Final[Mapping[type[Parameters], Purpose]] = {
    TrainParameters: Purpose.TRAINING,
    InferParameters: Purpose.INFER,
}


async def named_faults(parameters: Parameters, project: Project, services: Services) -> list[Fault]:
    """Return a fault for everything that some parameters name and that does not exist, or cannot be used."""
    faults = await _files_faults(parameters, services)
    if isinstance(parameters, ImportModelParameters) and parameters.source.project is not None:
        faults.append(Fault("A model is imported from its package, not from a version.", "/source/project"))
    if isinstance(parameters, MergeParameters) and parameters.ours is not None:
        faults += _strategy_faults(parameters)
    tools = services.labeling.names
    if isinstance(parameters, LabelParameters) and parameters.tool not in tools:
        faults.append(Fault(f"There is no labeling tool {parameters.tool!r}. There is: {', '.join(tools)}.", "/tool"))
    if isinstance(parameters, MineParameters):
        faults += _mining_faults(parameters)
    if isinstance(parameters, UsesExecutor) and parameters.executor is not None:
        faults += await _executor_faults(parameters, project, services)
    for pointer, stage in _models(parameters).items():
        faults += await _model_faults(stage, pointer, project.id, services)
    if isinstance(parameters, FilterParameters):
        faults += await _evaluation_faults(parameters, "", project.id, services)
    if isinstance(parameters, FuseParameters) and parameters.conditions is not None:
        faults += await _evaluation_faults(parameters.conditions, "/conditions", project.id, services)
    return faults


def fault_of(error: YmirError, pointer: str) -> Fault:
    """Return an error as one of several faults."""
    return Fault(f"{error.detail} {error.step}".strip(), pointer)


def _strategy_faults(asked: MergeParameters) -> list[Fault]:
    # Not a rule of the parameters themselves: earlier releases kept tasks that break it, and those have to be read.
    if asked.strategy is Strategy.STOP:
        return []
    told = "strategy belongs to a merge of sources; of ours and theirs on_conflict says what is to be done."
    return [Fault(told, "/strategy")]


async def _files_faults(parameters: Parameters, services: Services) -> list[Fault]:
    if isinstance(parameters, ImportParameters | ImportModelParameters):
        return await _source_faults(parameters.source, services)
    return await _upload_faults(parameters, services) if isinstance(parameters, InferParameters) else []


def _models(parameters: Parameters) -> dict[str, ModelStage]:
    """Return the models that are named, after their JSON pointers."""
    named: dict[str, ModelStage | None] = {}
    if isinstance(parameters, MineParameters | InferParameters):
        named = {"/model": parameters.model}
    if isinstance(parameters, TrainParameters):
        named = {"/pretrained": parameters.pretrained}
    return {pointer: stage for pointer, stage in named.items() if stage is not None}


def _mining_faults(asked: MineParameters) -> list[Fault]:
    # Not rules of the parameters themselves: tasks that break them were kept, and later releases know more strategies.
    if fault := strategy_fault(asked.strategy):
        return [Fault(fault, "/strategy")]
    needing = sorted(weights_of(asked.strategy).keys() - set(WITHOUT_MODEL))
    wanted = f"The strategy {needing[0]!r}" if needing else "keep_predictions" if asked.keep_predictions else ""
    given = {"/model": asked.model, "/executor": asked.executor}
    return [Fault(f"{wanted} needs it.", pointer) for pointer, value in given.items() if wanted and value is None]


async def _source_faults(source: ImportSource, services: Services) -> list[Fault]:
    if source.path is not None:
        return await path_faults(source.path, services.settings.import_roots)
    if source.upload is not None:
        try:
            await PartialUploads(services).whole(source.upload)
        except NotFound as error:
            return [fault_of(error, "/source/upload")]
    return []


async def _upload_faults(asked: InferParameters, services: Services) -> list[Fault]:
    whole = {upload.id for upload in await services.database.documents(Upload).get_many(asked.uploads)}
    partial = PartialUploads(services)
    faults = []
    for position, upload in enumerate(asked.uploads):
        try:
            if upload not in whole:
                await partial.whole(upload)
        except NotFound as error:
            faults.append(fault_of(error, f"/uploads/{position}"))
    return faults


async def _executor_faults(parameters: UsesExecutor, project: Project, services: Services) -> list[Fault]:
    page = await services.database.documents(Executor).list(Query(equal={"name": parameters.executor}), limit=1)
    if not page.items:
        known = await services.database.documents(Executor).list(order="name", limit=20)
        names = ", ".join(executor.name for executor in known.items)
        return [Fault(f"No executor of that name is registered. Registered: {names or 'none'}.", "/executor")]
    able = page.items[0].templates_for(project.object_type)
    missing = sorted(_purposes(parameters) - set(able))
    return [Fault(f"This executor has no template for {purpose}.", "/executor") for purpose in missing]


def _purposes(parameters: UsesExecutor) -> set[Purpose]:
    """Return what the executor has to be able to do; a mining may leave it to the executor's templates."""
    if not isinstance(parameters, MineParameters):
        return {purpose for kind, purpose in PURPOSE_OF.items() if isinstance(parameters, kind)}
    weights = weights_of(parameters.strategy)
    purposes = {Purpose.MINING} if weights.keys() & set(OF_EXECUTOR) else set()
    if parameters.keep_predictions or weights.keys() - {*WITHOUT_MODEL, *OF_EXECUTOR}:
        purposes.add(Purpose.INFER)
    return purposes


async def _model_faults(wanted: ModelStage, pointer: str, project: Id, services: Services) -> list[Fault]:
    models = await services.database.documents(Model).get_many([wanted.id])
    if not models or models[0].project != project or models[0].removed_at is not None:
        return [Fault("There is no such model in this project.", f"{pointer}/id")]
    if models[0].stage(wanted.stage) is None:
        stages = ", ".join(stage.name for stage in models[0].stages)
        return [Fault(f"The model has no such stage. It has: {stages}.", f"{pointer}/stage")]
    return []


async def _evaluation_faults(conditions: Conditions, pointer: str, project: Id, services: Services) -> list[Fault]:
    if conditions.marked is None:
        return []
    found = await services.database.documents(Evaluation).get_many([conditions.marked.evaluation])
    if found and found[0].project == project:
        return []
    return [Fault("There is no such evaluation in this project.", f"{pointer}/marked/evaluation")]
