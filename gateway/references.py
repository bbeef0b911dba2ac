"""References: what still needs a model or a version, and keeps it from going for good."""

from collections.abc import AsyncIterator
from typing import Final

from gateway.views import Reference, References
from schemas.datasets import Tag, Version
from schemas.labeling import JobState, LabelingJob
from schemas.model_parameters import InferParameters, MineParameters
from schemas.models import Model
from schemas.parameters import Parameters
from schemas.tasks import Task
from storage.collection.unfinished import UNFINISHED, ids_in
from storage.paging import every
from storage.ports import Database, Query

TOLD_AT_MOST: Final = 100


async def references_to(subject: Model | Version, database: Database) -> References:
    """Return what refers to a model or a version: 100 at most, and whether there is more.

    Versions that need a model are those that a task made with it; what was made of these holds it as well, for as
    long as it has the layer of predictions.
    """
    found: list[Reference] = []
    kinds = _to_model(subject, database) if isinstance(subject, Model) else _to_version(subject, database)
    for references in (kinds, _tasks(subject, database)):
        async for reference in references:
            if len(found) == TOLD_AT_MOST:
                return References(items=tuple(found), is_cut=True)
            found.append(reference)
    return References(items=tuple(found))


async def _to_model(model: Model, database: Database) -> AsyncIterator[Reference]:
    async for other in every(database.documents(Model), Query(equal={"project": model.project})):
        if other.pretrained is not None and other.pretrained.id == model.id:
            yield Reference(kind="model", id=other.id, name=other.name, why="It was trained from this model.")
    async for version in _predicted(model, database):
        yield _version(version, why="It has predictions of this model.")


async def _to_version(version: Version, database: Database) -> AsyncIterator[Reference]:
    ours = Query(equal={"project": version.project})
    async for tag in every(database.documents(Tag), Query(equal={"version": version.id})):
        yield Reference(kind="tag", id=tag.id, name=tag.name, why="It names this version.")
    async for other in every(database.documents(Version), ours):
        if version.id in other.parents:
            yield _version(other, why="It was made of this version.")
    models = {model.task: model async for model in every(database.documents(Model), ours)}
    for task in await database.documents(Task).get_many(list(models)):
        if any(given.version == version.id for given in task.inputs):
            model = models[task.id]
            yield Reference(kind="model", id=model.id, name=model.name, why="It was trained on this version.")
    async for job in every(database.documents(LabelingJob), Query(equal={"state": JobState.OPEN})):
        if job.version == version.id:
            yield Reference(kind="labeling", id=job.id, name=job.tool, why="It is open, and has this version labeled.")


async def _tasks(subject: Model | Version, database: Database) -> AsyncIterator[Reference]:
    unfinished = Query(equal={"project": subject.project, "state": UNFINISHED})
    async for task in every(database.documents(Task), unfinished):
        if subject.id in ids_in(task):
            yield Reference(
                kind="task", id=task.id, name=task.parameters.type, why=f"It is {task.state}, and needs it."
            )


def _version(version: Version, *, why: str) -> Reference:
    return Reference(kind="version", id=version.id, name=f"{version.dataset_name}@{version.number}", why=why)


async def _predicted(model: Model, database: Database) -> AsyncIterator[Version]:
    using = Query(equal={"project": model.project, "parameters.type": ("infer", "mine")})
    async for task in every(database.documents(Task), using):
        if task.result.version and _predicts(task.parameters, model):
            for version in await database.documents(Version).get_many([task.result.version]):
                yield version


def _predicts(asked: Parameters, model: Model) -> bool:
    match asked:
        case InferParameters():
            return asked.model.id == model.id
        case MineParameters():
            return asked.keep_predictions and asked.model is not None and asked.model.id == model.id
    return False
