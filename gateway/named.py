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
from schemas.model_parameters import InferParameters, MineParameters, ModelStage, TrainParameters, UsesExecutor
from schemas.models import Model
from schemas.parameters import Parameters
from schemas.projects import Project
from schemas.schema import Id
from storage.ports import Query

PURPOSE_OF: Final[Mapping[type[Parameters], Purpose]] = {
    TrainParameters: Purpose.TRAINING,
    MineParameters: Purpose.MINING,
    InferParameters: Purpose.INFER,
}

TOOLS: Final = ("api",)


async def named_faults(parameters: Parameters, project: Project, services: Services) -> list[Fault]:
    """Return a fault for everything that some parameters name and that does not exist, or cannot be used."""
    faults: list[Fault] = []
    if isinstance(parameters, ImportParameters | ImportModelParameters):
        faults += await _source_faults(parameters.source, services)
    if isinstance(parameters, ImportModelParameters) and parameters.source.project is not None:
        faults.append(Fault("A model is imported from its package, not from a version.", "/source/project"))
    if isinstance(parameters, MergeParameters) and parameters.ours is not None:
        faults += _strategy_faults(parameters)
    if isinstance(parameters, LabelParameters) and parameters.tool not in TOOLS:
        faults.append(Fault(f"There is no labeling tool {parameters.tool!r}. There is: {', '.join(TOOLS)}.", "/tool"))
    if isinstance(parameters, UsesExecutor):
        faults += await _executor_faults(parameters, project, services)
    if isinstance(parameters, MineParameters | InferParameters):
        faults += await _model_faults(parameters.model, "/model", project.id, services)
    if isinstance(parameters, TrainParameters) and parameters.pretrained is not None:
        faults += await _model_faults(parameters.pretrained, "/pretrained", project.id, services)
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


async def _source_faults(source: ImportSource, services: Services) -> list[Fault]:
    if source.path is not None:
        return await path_faults(source.path, services.settings.import_roots)
    if source.upload is not None:
        try:
            await PartialUploads(services).whole(source.upload)
        except NotFound as error:
            return [fault_of(error, "/source/upload")]
    return []


async def _executor_faults(parameters: UsesExecutor, project: Project, services: Services) -> list[Fault]:
    page = await services.database.documents(Executor).list(Query(equal={"name": parameters.executor}), limit=1)
    if not page.items:
        known = await services.database.documents(Executor).list(order="name", limit=20)
        names = ", ".join(executor.name for executor in known.items)
        return [Fault(f"No executor of that name is registered. Registered: {names or 'none'}.", "/executor")]
    purpose = PURPOSE_OF.get(type(parameters))
    if purpose is not None and purpose not in page.items[0].templates_for(project.object_type):
        return [Fault(f"This executor has no template for {purpose}.", "/executor")]
    return []


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
