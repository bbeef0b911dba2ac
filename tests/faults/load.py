"""What users ask for while everything breaks: tasks of every type, over HTTP, round after round."""

import asyncio
from asyncio import Event
from pathlib import Path
from typing import Final

import pytest
from pydantic import JsonValue

from client.calls import Refused
from client.demo.annotator import KnownBoxes, answer, known_boxes
from client.demo.digits import CLASSES, build
from schemas.algebra_parameters import (
    Conditions,
    ExcludeParameters,
    FilterParameters,
    FuseParameters,
    MergeParameters,
    Portion,
    SampleParameters,
    SplitParameters,
    Strategy,
)
from schemas.exchange_parameters import BadImage, ExportParameters, ImportParameters, ImportSource, LabelParameters
from schemas.model_parameters import EvaluateParameters, InferParameters, MineParameters, ModelStage, TrainParameters
from schemas.parameters import Parameters
from schemas.projects import Project, ProjectSubmission
from schemas.refs import Source
from schemas.schema import Id
from schemas.splits import Split
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.faults.patient import Patient
from tests.faults.waiting import until

TASK_SECONDS = 120.0
EXECUTOR = "tiny-detector"
QUICK: Final[dict[str, JsonValue]] = {"image_size": 96, "hard_negative_rounds": 1, "iterations": 5, "max_scales": 2}
AT_ONCE = 6
BROKEN = "broken"


class Load:
    """The users of one project. Every task that was accepted is in ``accepted``, with the state that it must end in."""

    def __init__(self, client: Patient, project: str, folder: Path, *, seed: int) -> None:
        self.accepted: dict[Id, TaskState] = {}
        self.rounds = 0
        self._client = client
        self._project = project
        self._pictures = build(folder / project, seed=seed, training=10, validation=5, pool=10)
        (folder / project / BROKEN).mkdir()
        (folder / project / BROKEN / "half.jpg").write_bytes(b"\xff\xd8\xff")
        self._known: KnownBoxes = known_boxes(self._pictures.pool / "annotations")

    async def run(self, *, until_set: Event) -> None:
        """Ask for one round after the other, the last after the event has happened."""
        await self._client.post(Project, "/v1/projects", ProjectSubmission(name=self._project, classes=CLASSES))
        while True:
            is_last = until_set.is_set()
            self.rounds += 1
            await self._round(f"r{self.rounds}")
            if is_last:
                return

    async def _round(self, tag: str) -> None:
        folders = {"training": Split.TRAINING, "validation": Split.VALIDATION, "pool": Split.NONE}
        await asyncio.gather(
            *(
                self._succeeds(ImportParameters(dataset=name, tag=tag, source=self._folder(name), split=split))
                for name, split in folders.items()
            )
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._algebra(tag))
            group.create_task(self._labeling(tag))
            group.create_task(self._learning(tag))

    async def _algebra(self, tag: str) -> None:
        parts = (Source(ref=f"training@{tag}"), Source(ref=f"pool@{tag}"))
        everything = f"everything@{tag}"
        await self._succeeds(MergeParameters(dataset="everything", tag=tag, sources=parts, strategy=Strategy.HOST))
        fused = FuseParameters(
            dataset="few", sources=parts, conditions=Conditions(splits=(Split.TRAINING,)), portion=Portion(count=3)
        )
        broken = ImportParameters(
            dataset="never", source=self._folder(BROKEN), format="none", on_bad_image=BadImage.FAIL
        )
        # All of one dataset at once: each must get a number of its own.
        samples = (SampleParameters(dataset="few", source=everything, count=5, seed=seed) for seed in range(AT_ONCE))
        await asyncio.gather(
            self._succeeds(FilterParameters(dataset="few", source=everything, include_classes=CLASSES[:5])),
            self._succeeds(SplitParameters(dataset="dealt", source=everything, training=0.5, validation=0.5)),
            self._succeeds(ExcludeParameters(dataset="few", source=everything, exclude=(f"pool@{tag}",))),
            self._succeeds(ExportParameters(source=everything, format="coco")),
            self._succeeds(fused),
            self._fails(broken),
            *(self._succeeds(sample) for sample in samples),
        )

    async def _labeling(self, tag: str) -> None:
        asked = LabelParameters(dataset="answered", tag=tag, source=f"pool@{tag}", classes=CLASSES)
        task = await self._waiting(asked)
        assert task.result.labeling is not None
        await answer(self._client, project=self._project, job=task.result.labeling, known=self._known)
        await self._ended(task)
        unwanted = await self._waiting(asked.model_copy(update={"tag": None}))
        self.accepted[unwanted.id] = TaskState.CANCELLED
        await self._client.post(Task, f"/v1/tasks/{unwanted.id}/cancel")

    async def _learning(self, tag: str) -> None:
        trained = await self._succeeds(
            TrainParameters(
                training=(Source(ref=f"training@{tag}"),),
                validation=(f"validation@{tag}",),
                model="digits",
                classes=CLASSES,
                executor=EXECUTOR,
                config=QUICK,
            )
        )
        assert trained.result.model is not None
        model = ModelStage(id=trained.result.model)
        mined = MineParameters(dataset="mined", source=f"pool@{tag}", model=model, executor=EXECUTOR, top_k=3)
        predicted = InferParameters(
            dataset="predicted", tag=tag, source=f"validation@{tag}", model=model, executor=EXECUTOR, layer="found"
        )
        await asyncio.gather(self._succeeds(mined), self._succeeds(predicted))
        await self._succeeds(EvaluateParameters(source=f"predicted@{tag}", layer="found"))

    def _folder(self, name: str) -> ImportSource:
        return ImportSource(path=str(self._pictures.training.parent / name))

    async def _succeeds(self, asked: Parameters) -> Task:
        return await self._ended(await self._accepted(asked, TaskState.SUCCEEDED))

    async def _fails(self, asked: Parameters) -> None:
        task = await self._accepted(asked, TaskState.FAILED)
        with pytest.raises(Refused, match="nothing was imported"):
            await self._ended(task)

    async def _waiting(self, asked: LabelParameters) -> Task:
        task = await self._accepted(asked, TaskState.SUCCEEDED)

        async def waits() -> Task | None:
            current = await self._client.get(Task, f"/v1/tasks/{task.id}")
            assert not current.is_final, current
            return current if current.state is TaskState.WAITING else None

        return await until(waits, seconds=TASK_SECONDS)

    async def _accepted(self, asked: Parameters, end: TaskState) -> Task:
        task = await self._client.submit(self._project, asked)
        self.accepted[task.id] = end
        return task

    async def _ended(self, task: Task) -> Task:
        return await asyncio.wait_for(self._client.ended(task), TASK_SECONDS)
