"""The loop: train, measure, mine, label, merge, and train again; beside it the same with random picks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from client.api import Client
from client.demo.annotator import KnownBoxes, answer, known_boxes
from schemas.algebra_parameters import MergeParameters, Strategy
from schemas.datasets import Version
from schemas.evaluations import EvaluationReport
from schemas.exchange_parameters import ImportParameters, ImportSource, LabelParameters
from schemas.mining import AUTO
from schemas.model_parameters import EvaluateParameters, InferParameters, MineParameters, ModelStage, TrainParameters
from schemas.parameters import Parameters
from schemas.projects import Project, ProjectSubmission
from schemas.refs import Source
from schemas.splits import Split
from schemas.tasks import Task

EXECUTOR: Final = "tiny-detector"
MINED: Final = "mined"
RANDOM: Final = "random"
ARMS: Final = (MINED, RANDOM)
DETECTIONS_COUNTED: Final = 300  # the detector tells of every class of a box: COCO's 100 would cut them off

Watch = Callable[[str, Task], None]
Measured = Callable[[str, "Round"], None]


@dataclass(frozen=True)
class Pictures:
    """Where the pictures of one run are: three VOC folders, and the classes to look for."""

    training: Path
    validation: Path
    pool: Path
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """What was measured after one round; round 0 is the start, the same for both arms."""

    arm: str
    number: int
    training_images: int
    boxes_labeled: int
    model: ModelStage
    evaluation: EvaluationReport
    seconds: float
    predicted: str
    """The ref of the validation set with the round's predictions."""
    picked: str | None = None
    """The ref of the images that the round picked."""


@dataclass
class Run:
    """One seed's project, and the rounds measured in it."""

    seed: int
    project: str
    rounds: list[Round] = field(default_factory=list)

    def of(self, arm: str) -> list[Round]:
        """Return the rounds of an arm, from the common start."""
        return [measured for measured in self.rounds if measured.number == 0 or measured.arm == arm]


class Loop:
    """Runs the loop in one project, over HTTP only."""

    def __init__(self, client: Client, pictures: Pictures, run: Run, *, watch: Watch, measured: Measured) -> None:
        self._client = client
        self._pictures = pictures
        self._run = run
        self._watch = watch
        self._measured = measured
        self._known: KnownBoxes = known_boxes(pictures.pool / "annotations")

    async def start(self) -> None:
        """Make the project, bring the pictures in, and train and measure the first model."""
        project = ProjectSubmission(name=self._run.project, classes=self._pictures.classes)
        await self._client.post(Project, "/v1/projects", project)
        await asyncio.gather(
            self._import(self._pictures.training, "training", Split.TRAINING),
            self._import(self._pictures.validation, "validation", Split.VALIDATION),
            self._import(self._pictures.pool, "pool", Split.NONE, annotation_format="none"),
        )
        await self._measure(MINED, 0, training="training@initial", started_at=time.monotonic())

    async def rounds(self, arm: str, *, count: int, picks: int) -> None:
        """Run the rounds of one arm, each from the model before it."""
        model, training, boxes = self._run.rounds[0].model, "training@initial", 0
        labeled: list[str] = []
        for number in range(1, count + 1):
            started_at = time.monotonic()
            picked, answered = f"{arm}-picked@r{number}", f"{arm}-labeled@r{number}"
            await self._pick(arm, picked, model=model, picks=picks, labeled=labeled)
            boxes += await self._label(picked, answered)
            labeled.append(answered)
            training = await self._merge(training, answered, into=f"{arm}-training@r{number}")
            measured = await self._measure(
                arm, number, training=training, started_at=started_at, boxes=boxes, picked=picked
            )
            model = measured.model

    async def _import(self, folder: Path, dataset: str, split: Split, *, annotation_format: str = "voc") -> None:
        source = ImportSource(path=str(folder))
        asked = ImportParameters(dataset=dataset, tag="initial", source=source, format=annotation_format, split=split)
        await self._do(asked)

    async def _pick(self, arm: str, into: str, *, model: ModelStage, picks: int, labeled: Sequence[str]) -> None:
        dataset, _, tag = into.partition("@")
        await self._do(
            MineParameters(
                dataset=dataset,
                tag=tag,
                source="pool@initial",
                model=model,
                executor=EXECUTOR,
                strategy=AUTO if arm == MINED else RANDOM,
                top_k=picks,
                seed=self._run.seed,
                labeled=tuple(labeled),
            )
        )

    async def _label(self, source: str, into: str) -> int:
        dataset, _, tag = into.partition("@")
        asked = LabelParameters(dataset=dataset, tag=tag, source=source, classes=self._pictures.classes)
        task = await self._client.submit(self._run.project, asked)
        while task.result.labeling is None and not task.is_final:
            await asyncio.sleep(0.05)
            task = await self._client.get(Task, f"/v1/tasks/{task.id}")
        if task.result.labeling is None:
            task = await self._client.ended(task)
            message = "a label task that succeeded has a job"
            raise RuntimeError(message)
        boxes = await answer(self._client, project=self._run.project, job=task.result.labeling, known=self._known)
        await self._client.ended(task, watch=self._told)
        return boxes

    async def _merge(self, training: str, answered: str, *, into: str) -> str:
        dataset, _, tag = into.partition("@")
        sources = (Source(ref=training), Source(ref=answered, split=Split.TRAINING))
        await self._do(MergeParameters(dataset=dataset, tag=tag, sources=sources, strategy=Strategy.HOST))
        return into

    async def _measure(
        self,
        arm: str,
        number: int,
        *,
        training: str,
        started_at: float,
        boxes: int = 0,
        picked: str | None = None,
    ) -> Round:
        model = await self._train(arm, training)
        predicted = f"{arm}-predicted@r{number}"
        evaluation = await self._evaluate(model, predicted)
        images = await self._images_of(training)
        seconds = time.monotonic() - started_at
        measured = Round(arm, number, images, boxes, model, evaluation, seconds, predicted, picked)
        self._run.rounds.append(measured)
        self._measured(self._run.project, measured)
        return measured

    async def _train(self, arm: str, training: str) -> ModelStage:
        trained = await self._do(
            TrainParameters(
                training=(Source(ref=training, split=Split.TRAINING),),
                validation=("validation@initial",),
                model=arm,
                classes=self._pictures.classes,
                executor=EXECUTOR,
                config={"seed": self._run.seed},
            )
        )
        if trained.result.model is None:
            message = "a training that succeeded has a model"
            raise RuntimeError(message)
        return ModelStage(id=trained.result.model)

    async def _evaluate(self, model: ModelStage, into: str) -> EvaluationReport:
        dataset, _, tag = into.partition("@")
        source = "validation@initial"
        await self._do(
            InferParameters(
                dataset=dataset, tag=tag, source=source, model=model, executor=EXECUTOR, layer="predictions"
            )
        )
        asked = EvaluateParameters(source=into, layer="predictions", max_detections=DETECTIONS_COUNTED)
        task = await self._do(asked)
        path = f"/v1/projects/{self._run.project}/evaluations/{task.result.evaluation}"
        return await self._client.get(EvaluationReport, path)

    async def _images_of(self, ref: str) -> int:
        dataset, _, tag = ref.partition("@")
        path = f"/v1/projects/{self._run.project}/datasets/{dataset}/versions/{tag}"
        return (await self._client.get(Version, path)).counts.images

    async def _do(self, asked: Parameters) -> Task:
        task = await self._client.submit(self._run.project, asked)
        return await self._client.ended(task, watch=self._told)

    def _told(self, task: Task) -> None:
        self._watch(self._run.project, task)
