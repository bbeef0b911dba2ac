"""Tasks that take exactly as long as a test wants: their executor waits at a gate."""

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

from client.demo.digits import CLASSES, build
from schemas.exchange_parameters import ImportParameters, ImportSource
from schemas.model_parameters import TrainParameters
from schemas.projects import Project, ProjectSubmission
from schemas.refs import Source
from schemas.splits import Split
from schemas.tasks import Task
from tests.faults.deployment import DETECTOR
from tests.faults.load import QUICK
from tests.faults.patient import Patient
from tests.faults.waiting import until

PROJECT = "gated"
SECONDS = 60.0
START = """#!/usr/bin/env bash
echo came >> '{came}'
until [ -e '{opened}' ]; do sleep 0.05; done
exec bash '{detector}/start.sh'
"""
TRAINING = TrainParameters(
    training=(Source(ref="training"),),
    validation=("validation",),
    model="digits",
    classes=CLASSES,
    executor="gated",
    config=QUICK,
)


class Gate(NamedTuple):
    """The detector behind a gate: a folder of an executor, and two files that tell of the gate."""

    executor: Path
    came: Path
    opened: Path

    def open(self) -> None:
        """Let everybody through, from now on."""
        self.opened.touch()

    async def reached(self, *, times: int = 1, seconds: float = SECONDS) -> None:
        """Wait until so many runs of the executor have come to the gate."""

        async def came() -> bool:
            return await self.runs() >= times

        await until(came, seconds=seconds)

    async def runs(self) -> int:
        """Return how many runs have come to the gate so far."""
        return len(await asyncio.to_thread(self._lines))

    def _lines(self) -> list[str]:
        return self.came.read_text().splitlines() if self.came.exists() else []


def built(folder: Path) -> Gate:
    """Make an executor that workers can register."""
    gate = Gate(folder / "gated", folder / "came", folder / "opened")
    shutil.copytree(DETECTOR / "img-man", gate.executor / "img-man")
    start = START.format(came=gate.came, opened=gate.opened, detector=DETECTOR)
    (gate.executor / "start.sh").write_text(start)
    return gate


async def stocked(client: Patient, folder: Path) -> None:
    """Make a project with what a training takes."""
    await client.post(Project, "/v1/projects", ProjectSubmission(name=PROJECT, classes=CLASSES))
    pictures = await asyncio.to_thread(build, folder / "pictures", seed=0, training=10, validation=5, pool=0)
    for path, split in ((pictures.training, Split.TRAINING), (pictures.validation, Split.VALIDATION)):
        source = ImportSource(path=str(path))
        await client.ended(
            await client.submit(PROJECT, ImportParameters(dataset=path.name, source=source, split=split))
        )


async def current(client: Patient, task: Task) -> Task:
    """Return a task as it is now."""
    return await client.get(Task, f"/v1/tasks/{task.id}")
