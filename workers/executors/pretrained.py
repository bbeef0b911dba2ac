"""The model that a training starts from: its files for the executor, and in what it differs from what is trained."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas.annotations import ClassName
from schemas.model_parameters import TrainParameters
from schemas.models import Model
from schemas.schema import Id
from storage.cache import BlobCache
from storage.ports import Database
from workers.executors.inputs import write_model
from workers.executors.models import find_stage
from workers.executors.runs import Run


class Pretrained(NamedTuple):
    """The files that a training starts from, as the executor sees them; none if it starts from nothing."""

    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


async def write_pretrained(
    parameters: TrainParameters,
    run: Run,
    *,
    classes: Sequence[ClassName],
    project: Id,
    database: Database,
    cache: BlobCache,
) -> Pretrained:
    """Unpack the stage to start from, if one is named; raise NotFound for one that is not there."""
    if parameters.pretrained is None:
        return Pretrained()
    model, stage = await find_stage(parameters.pretrained, project=project, database=database)
    files = await write_model(model, stage.name, run.folder, layout=run.layout, cache=cache)
    return Pretrained(files, tuple(_differences(model, parameters, classes=classes)))


def _differences(model: Model, parameters: TrainParameters, *, classes: Sequence[ClassName]) -> Iterator[str]:
    new = [name for name in classes if name not in model.classes]
    gone = [name for name in model.classes if name not in classes]
    if new or gone:
        told = f"new are: {', '.join(new) or 'none'}; no longer there are: {', '.join(gone) or 'none'}"
        yield f"The model to start from finds other classes; {told}."
    elif tuple(classes) != model.classes:
        yield f"The model to start from has its classes in another order: {', '.join(model.classes)}."
    if model.executor != parameters.executor:
        yield (
            f"The model to start from was trained by {model.executor or 'another program'}, not by "
            f"{parameters.executor}, which may not be able to read it."
        )
    if model.preprocess != parameters.preprocess:
        told = "as they are" if model.preprocess is None else f"{model.preprocess.long_side} pixels long"
        yield f"The model to start from learned from images {told}; preprocess says otherwise here."
