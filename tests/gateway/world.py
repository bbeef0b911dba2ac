"""A world for the gateway's tests: what workers would have made."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from gateway.services import Services
from schemas.annotations import GROUND_TRUTH, ObjectType
from schemas.blobs import BlobRef
from schemas.datasets import Dataset, Version, dataset_id
from schemas.evaluations import ClassFigures, Evaluation, EvaluationTable, Figures
from schemas.executors import Executor, Purpose, Runtime
from schemas.labeling import LabelingItem, LabelingJob
from schemas.models import Model, Stage
from schemas.outcomes import Pause
from schemas.projects import ClassEntry, ClassList, Project
from schemas.schema import Document, derived_id, new_id
from schemas.splits import Split
from storage.datasets.content import whole_segment
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from tests.factories import NOON, WORKER, a_kept_version, a_task

WIDTH, HEIGHT = 64, 48
PROJECT = "birds"
CLASSES = ("robin", "wren", "great tit")
ALIASES = {"wren": ("winter wren",)}


def a_picture(shade: int) -> bytes:
    """Return a PNG that differs from those of other shades."""
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (shade, 255 - shade, 128)).save(file, "PNG")
    return file.getvalue()


class World:
    """One project, and ways to put things into it without a worker."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.project = Project(id=new_id(), name=PROJECT, object_type=ObjectType.DETECTION, created_at=NOON)

    async def begin(self) -> None:
        entries = [ClassEntry(name=name, aliases=ALIASES.get(name, ())) for name in CLASSES]
        await self.add(ClassList(id=self.project.id, classes=tuple(entries)))
        await self.add(self.project)

    async def add(self, document: Document) -> None:
        await self.services.database.documents(type(document)).add(document)

    async def version(
        self,
        dataset: str = "pool",
        *,
        number: int = 1,
        shades: Sequence[int] = (10, 20, 30),
        boxes: Mapping[int, Sequence[AnnotationRow]] | None = None,
        split: Split = Split.TRAINING,
        **changes: Any,  # noqa: ANN401 - a change may be of any field
    ) -> Version:
        """Keep a version of some pictures; those of ``boxes`` are annotated, the others not."""
        images = [await self._image(shade) for shade in shades]
        given = boxes if boxes is not None else {shades[0]: [AnnotationRow("robin", (4.0, 6.0, 20.0, 30.0))]}
        rows = [list(given.get(shade, ())) for shade in shades]
        built = build_segment(images, rows, layer=GROUND_TRUTH, described=True)
        segment = await self.services.library.keep_segment(built)
        content = whole_segment(segment, rows=len(images), layer=GROUND_TRUTH, split=split)
        kept = await self.services.library.keep(content)
        line = Dataset(id=dataset_id(self.project.id, dataset), project=self.project.id, name=dataset, created_at=NOON)
        if number == 1:
            await self.add(line)
        version = a_kept_version(kept, project=self.project.id, dataset=dataset, number=number, **changes)
        await self.add(version)
        return version

    async def _image(self, shade: int) -> ImageRow:
        data = a_picture(shade)
        await self.services.blobs.put(data, media_type="image/png")
        return ImageRow(
            hashlib.sha256(data).digest(),
            f"pictures/{shade}.png",
            WIDTH,
            HEIGHT,
            channels=3,
            size=len(data),
            media_type="image/png",
            perceptual_hash=bytes(32),
        )

    async def job(self, version: Version, *, shades: Sequence[int] = (10, 20, 30), **changes: Any) -> LabelingJob:  # noqa: ANN401 - as above
        """Keep an open labeling job, and the waiting task that it belongs to."""
        parameters = {"type": "label", "dataset": "labeled", "source": "pool", "classes": CLASSES}
        task = a_task(project=self.project.id, parameters=parameters).claimed(by=WORKER, at=NOON)
        task = task.paused(Pause(step="collect", waiting_for="labeling"), at=NOON)
        await self.add(task)
        fields: dict[str, Any] = {
            "id": derived_id("labeling", task.id),
            "project": self.project.id,
            "task": task.id,
            "version": version.id,
            "tool": "api",
            "token": f"token-{task.id}",
            "classes": CLASSES,
            "annotation": "box",
            "items": len(shades),
            "created_at": NOON,
        }
        job = LabelingJob.model_validate({**fields, **changes})
        for position, shade in enumerate(shades):
            asset = hashlib.sha256(a_picture(shade)).hexdigest()
            await self.add(
                LabelingItem(
                    id=derived_id(job.id, asset),
                    job=job.id,
                    position=position,
                    asset=asset,
                    file_name=f"pictures/{shade}.png",
                    width=WIDTH,
                    height=HEIGHT,
                )
            )
        await self.add(job)
        return job

    async def model(self, **changes: Any) -> Model:  # noqa: ANN401 - as above
        package = await self.services.blobs.put(b"a package", media_type="application/gzip")
        stages = tuple(Stage(name=name, digest=package.digest, files=("weights",)) for name in ("best", "last"))
        fields: dict[str, Any] = {
            "id": new_id(),
            "project": self.project.id,
            "name": "detector",
            "object_type": ObjectType.DETECTION,
            "classes": CLASSES,
            "stages": stages,
            "best_stage": "best",
            "recommended_stage": "best",
            "package": package,
            "executor": "tiny-detector",
            "task": new_id(),
            "created_at": NOON,
        }
        model = Model.model_validate({**fields, **changes})
        await self.add(model)
        return model

    async def evaluation(self, version: Version) -> Evaluation:
        table = EvaluationTable(classes=(ClassFigures(class_name="robin", ap=0.5),))
        blob = await self.services.blobs.put(table.model_dump_json().encode(), media_type="application/json")
        evaluation = Evaluation(
            id=new_id(),
            project=self.project.id,
            version=version.id,
            layer="detector@best",
            ground_truth=GROUND_TRUTH,
            iou=0.5,
            confidence=0.3,
            max_detections=100,
            images=3,
            overall=Figures(ap=0.5),
            table=blob,
            marks=BlobRef(digest=blob.digest, size=1),
            task=new_id(),
            created_at=NOON,
        )
        await self.add(evaluation)
        return evaluation

    async def executor(self, *purposes: Purpose) -> Executor:
        executor = an_executor("tiny-detector", *(purposes or tuple(Purpose)))
        await self.add(executor)
        return executor


def an_executor(name: str, *purposes: Purpose) -> Executor:
    return Executor(
        id=new_id(),
        name=name,
        runtime=Runtime.PROCESS,
        reference=f"/executors/{name}",
        object_types=(ObjectType.DETECTION,),
        templates={purpose: {"threads": 1} for purpose in purposes},
        created_at=NOON,
    )
