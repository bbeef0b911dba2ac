"""Finding the stage of a model that a task names."""

from typing import NamedTuple

from schemas.errors import NotFound
from schemas.model_parameters import ModelStage
from schemas.models import Model, Stage
from schemas.schema import Id
from storage.ports import Database


class FoundStage(NamedTuple):
    """A model, and the stage of it that is meant."""

    model: Model
    stage: Stage


async def find_stage(named: ModelStage, *, project: Id, database: Database) -> FoundStage:
    """Return the stage that is named, or the recommended one; raise NotFound, naming the stages that there are."""
    model = await database.documents(Model).get(named.id)
    if model.project != project or model.removed_at is not None:
        raise NotFound("model", named.id, step="Name a model of this project.")
    stage = model.stage(named.stage)
    if stage is None:
        known = ", ".join(stage.name for stage in model.stages)
        raise NotFound("stage", named.stage, step=f"The stages of this model are: {known}.")
    return FoundStage(model, stage)
