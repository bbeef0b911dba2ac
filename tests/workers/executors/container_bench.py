"""A bench for containers: scripts run in them, and what is left of them afterwards."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from schemas.annotations import ObjectType
from schemas.executors import Executor, Limits, Runtime
from schemas.schema import derived_id, new_id
from tests.factories import NOON
from tests.faults.waiting import until
from workers.executors.docker import DockerRuntime
from workers.executors.docker_settings import DockerSettings
from workers.executors.engine import Engine
from workers.executors.layout import LOG, RunFolder
from workers.executors.removing import Labelled, labelled
from workers.executors.runtime import Exit, Order

QUICK: Final = DockerSettings(grace_seconds=0.5, poll_seconds=0.05, log_bytes=100_000)
COMES_SECONDS: Final = 30.0
SCRIPT_SECONDS: Final = 60.0


class Bench:
    """Runs scripts in containers of a deployment of its own."""

    def __init__(self, engine: Engine, image: str, folder: Path, *, settings: DockerSettings = QUICK) -> None:
        self.engine = engine
        self.deployment = derived_id(folder)
        self.runtime = DockerRuntime(engine, deployment=self.deployment, settings=settings)
        self.task = new_id()
        self._image = image
        self._folder = folder
        self._numbers = itertools.count(1)

    def executor(self, reference: str = "", **limits: Any) -> Executor:  # noqa: ANN401 - any limit
        """Return an executor that runs scripts, or that is another image."""
        return Executor(
            id="0" * 32,
            name="script",
            runtime=Runtime.DOCKER,
            reference=reference or self._image,
            object_types=(ObjectType.DETECTION,),
            templates={},
            limits=Limits.model_validate(limits),
            created_at=NOON,
        )

    def order(self, script: str, *, epoch: int = 1, **limits: Any) -> Order:  # noqa: ANN401 - any limit
        """Return an attempt at running a script, in a folder of its own."""
        folder = RunFolder(self._folder / f"run-{next(self._numbers)}")
        folder.prepare()
        (folder.given / "script.sh").write_text(script)
        return Order(self.executor(**{"seconds": SCRIPT_SECONDS, **limits}), folder, self.task, epoch)

    async def ran(self, script: str, *, progress: Callable[[float], None] = lambda _: None, **limits: Any) -> Exit:  # noqa: ANN401 - any limit
        """Run a script in a folder that ``folder`` names afterwards."""
        order = self.order(script, **limits)
        self.folder = order.folder
        return await self.runtime.run(order, progress=progress)

    @property
    def log(self) -> str:
        """What the last script printed."""
        return (self.folder.made / LOG).read_text()

    async def containers(self) -> list[Labelled]:
        """Return all that there are."""
        return await labelled(self.engine, self.deployment)


async def comes(path: Path) -> None:
    """Wait until a script has made a file."""

    async def is_there() -> bool:
        return await asyncio.to_thread(path.exists)

    await until(is_there, seconds=COMES_SECONDS)
