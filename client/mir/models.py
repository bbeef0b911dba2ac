"""Models as `mir` names them: by the digest of their package, under which its file lies; perhaps with ``@stage``."""

from typing import Final, NamedTuple

from client.mir.codes import Code, MirError
from client.mir.repository import Entry, Repository
from client.mir.session import Session, looking
from schemas.models import Model

LETTERS_AT_LEAST: Final = 6
TOLD: Final = 5


class Staged(NamedTuple):
    """A model and the stage of it that is meant, the recommended one if none is named."""

    model: Model
    stage: str | None

    @property
    def parameters(self) -> dict[str, str]:
        """How a task names it."""
        return {"id": self.model.id, **({} if self.stage is None else {"stage": self.stage})}


def hash_of(model: Model) -> str:
    """Return what a model is called: the name of the file of its package."""
    return model.package.digest.removeprefix("sha256:")


async def model_named(session: Session, text: str) -> Staged:
    """Return the model of a ``hash``, the beginning of one, or an id, perhaps with ``@stage``; raise MirError."""
    name, _, stage = (part.strip() for part in text.partition("@"))
    models = [model async for model in session.client.items(Model, f"{session.path}/models")]
    found = [model for model in models if name in {hash_of(model), model.id}]
    if not found and len(name) >= LETTERS_AT_LEAST:
        found = [model for model in models if hash_of(model).startswith(name)]
    if not found or len({hash_of(model) for model in found}) > 1:
        known = "; ".join(f"{hash_of(model)} ({model.name})" for model in models[:TOLD])
        what = "several models" if found else "no model"
        step = f"Models: {known}." if known else "Train one first, or import one with `mir models`."
        raise MirError(Code.INVALID_MODEL, f"there is {what} {name!r}", step=step)
    # The same package may have come of two trainings: they are equal, and the list begins with the newest.
    model = found[0]
    if stage and model.stage(stage) is None:
        stages = ", ".join(one.name for one in model.stages)
        raise MirError(Code.INVALID_MODEL, f"the model has no stage {stage!r}", step=f"It has: {stages}.")
    return Staged(model, stage or None)


async def model_lines(repository: Repository, entry: Entry) -> list[str]:
    """Return what `mir show` says of the model that a command made, if it made one."""
    if entry.task is None:
        return []
    async with looking(repository) as session:
        model = await model_of_task(session, entry.task)
    if model is None:
        return []
    return [*lines_of(model), f"executor: {model.executor}", f"classes: {';'.join(model.classes)}"]


async def model_of_task(session: Session, task: str) -> Model | None:
    """Return the model that a task made."""
    async for model in session.client.items(Model, f"{session.path}/models", task=task):
        return model
    return None


def lines_of(model: Model) -> list[str]:
    """Return what is told of a model: its hash on a line of its own, then its stages."""
    lines = [f"model hash: {hash_of(model)}"]
    for stage in model.stages:
        marks = " (best)" if stage.name == model.best_stage else ""
        metrics = "".join(f", {name}: {value:.4f}" for name, value in sorted(stage.metrics.items()))
        lines.append(f"stage: {stage.name}{marks}{metrics}")
    return lines
