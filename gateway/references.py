"""References: what still needs a model, and keeps it from going for good."""

from collections.abc import AsyncIterator
from typing import Final

from gateway.views import Reference, References
from schemas.datasets import Version
from schemas.model_parameters import InferParameters, MineParameters
from schemas.models import Model
from schemas.parameters import Parameters
from schemas.tasks import Task
from storage.collection.every import every
from storage.collection.unfinished import UNFINISHED, ids_in
from storage.ports import Database, Query

TOLD_AT_MOST: Final = 100


async def references_to(model: Model, database: Database) -> References:
    """Return what refers to a model: 100 at most, and whether there is more.

    Versions are those that a task made with it; what was made of these holds it as well, for as long as it has the
    layer of predictions.
    """
    found: list[Reference] = []
    async for reference in _all(model, database):
        if len(found) == TOLD_AT_MOST:
            return References(items=tuple(found), is_cut=True)
        found.append(reference)
    return References(items=tuple(found))


async def _all(model: Model, database: Database) -> AsyncIterator[Reference]:
    async for other in every(database.documents(Model), Query(equal={"project": model.project})):
        if other.pretrained is not None and other.pretrained.id == model.id:
            why = "It was trained from this one."
            yield Reference(kind="model", id=other.id, name=other.name, why=why)
    unfinished = Query(equal={"project": model.project, "state": UNFINISHED})
    async for task in every(database.documents(Task), unfinished):
        if model.id in ids_in(task):
            yield Reference(kind="task", id=task.id, name=task.parameters.type, why=f"It is {task.state}, and uses it.")
    async for version in _predicted(model, database):
        name = f"{version.dataset_name}@{version.number}"
        yield Reference(kind="version", id=version.id, name=name, why="It has predictions of this model.")


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
            return asked.model.id == model.id and asked.keep_predictions
    return False
