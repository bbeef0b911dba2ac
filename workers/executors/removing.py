"""Finding containers of ours, and removing them so that they are gone and not only asked to go."""

import time
from typing import Any, Final, NamedTuple

import structlog

from schemas.errors import Unavailable, YmirError
from workers.executors.containers import DEPLOYMENT, EPOCH, TASK
from workers.executors.engine import Engine

INSIST_SECONDS: Final = 8.0
PAUSE_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


class Labelled(NamedTuple):
    """A container of a deployment, running or not, and the attempt that it is of."""

    id: str
    task: str
    epoch: int


async def labelled(engine: Engine, deployment: str, *, task: str = "") -> list[Labelled]:
    """Return the containers of a deployment, or of one of its tasks. Raises Unavailable."""
    wanted = [f"{DEPLOYMENT}={deployment}", *([f"{TASK}={task}"] if task else [])]
    return await engine.call(_listed, engine, wanted)


async def remove(engine: Engine, containers: list[Labelled]) -> None:
    """End containers by force and remove them with their volumes. Raises Unavailable if one is still there."""
    for container in containers:
        await engine.call(_removed, engine, container.id)


async def remove_attempts(engine: Engine, deployment: str, *, task: str, until: int, since: int = 0) -> None:
    """Remove what is left of a task's attempts with some epochs; never raise: a reaper finds what stays."""
    try:
        found = await labelled(engine, deployment, task=task)
        await remove(engine, [one for one in found if since <= one.epoch <= until])
    except YmirError as error:
        log.warning("a container is left to the reaper", task=task, error=error.detail)


def _listed(engine: Engine, wanted: list[str]) -> list[Labelled]:
    # Not the client's own list, which asks for each again and trips over one that goes meanwhile.
    found = engine.client.api.containers(all=True, filters={"label": wanted})
    return [Labelled(one["Id"], one["Labels"].get(TASK, ""), _number(one["Labels"].get(EPOCH))) for one in found]


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _removed(engine: Engine, container: str) -> None:
    from docker.errors import APIError, NotFound  # noqa: PLC0415 - as in the engine

    api: Any = engine.client.api
    until = time.monotonic() + INSIST_SECONDS
    while True:
        try:
            api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except APIError as error:  # another is removing it, or the disk of it is busy for a moment
            if time.monotonic() > until:
                raise Unavailable(f"A container does not go: {error}.") from error
            time.sleep(PAUSE_SECONDS)
