"""One record of every kind that can name blobs."""

from schemas.annotations import ObjectType
from schemas.blobs import BlobRef
from schemas.conflicts import ConflictAnswer, ConflictList, ConflictSheet
from schemas.datasets import Tag, Version, tag_id
from schemas.evaluations import Evaluation, Figures
from schemas.labeling import LabelingItem, LabelingJob
from schemas.letters import DeadLetter, ForeignMessage
from schemas.models import Model, Stage
from schemas.outcomes import Outcome, TaskResult
from schemas.schema import new_id
from schemas.tasks import Task
from schemas.training_logs import TrainingLogs
from schemas.uploads import PartialUpload, Upload, UploadPart
from tests.factories import NOON, PROJECT, WORKER, a_task
from tests.storage.collection.worlds import World


async def every_kind_of_record(world: World) -> tuple[list[Version], list[BlobRef]]:
    """Keep a project with all that it can have; return its versions, and what else is named."""
    first = await world.version("pictures", ["a", "b"])
    second = await world.version("pictures", ["b", "c"], number=2, parents=(first.id,))
    await world.library.statistics(second.digest)
    named = {name: await world.blobs.put(name.encode()) for name in NAMES}
    await world.add(
        Tag(id=tag_id(first.dataset, "best"), project=PROJECT, dataset=first.dataset, name="best", version=first.id),
        Upload(id=new_id(), name="a.zip", blob=named["upload"], created_by="somebody", created_at=NOON),
        UploadPart.after(None, named["part"], upload=a_partial_upload()),
        DeadLetter.of(ForeignMessage("x", "y", b"?"), body=named["letter"], at=NOON),
        an_ended_task(named),
        a_sheet(named["answer"]),
        a_model(named["package"]),
        an_evaluation(second, named),
        *a_job(first),
    )
    return [first, second], [*named.values()]


NAMES = (
    "upload",
    "part",
    "letter",
    "report",
    "log",
    "archive",
    "lines",
    "places",
    "answer",
    "package",
    "table",
    "marks",
    "curves",
    "label_errors",
    "events",
    "scalars",
)


def a_partial_upload() -> PartialUpload:
    return PartialUpload(
        id=new_id(), name="a.zip", owner=new_id(), created_by="somebody", created_at=NOON, expires_at=NOON
    )


def an_ended_task(named: dict[str, BlobRef]) -> Task:
    conflicts = ConflictList(count=1, lines=named["lines"], places=named["places"])
    logs = TrainingLogs(events=named["events"], scalars=named["scalars"])
    result = TaskResult(archive=named["archive"], conflicts=conflicts, logs=logs)
    outcome = Outcome(result=result, report=named["report"], log=named["log"])
    return a_task().claimed(by=WORKER, at=NOON).ended(outcome, at=NOON)


def a_sheet(annotation: BlobRef) -> ConflictSheet:
    answer = ConflictAnswer(annotation=annotation, by="somebody", at=NOON)
    return ConflictSheet.empty(new_id(), 0, count=1).answered({0: answer})


def a_model(package: BlobRef, **changes: object) -> Model:
    fields = {
        "id": new_id(),
        "project": PROJECT,
        "name": "detector",
        "object_type": ObjectType.DETECTION,
        "classes": ("cat",),
        "stages": (Stage(name="best", digest=package.digest, files=("weights",)),),
        "best_stage": "best",
        "recommended_stage": "best",
        "package": package,
        "executor": "tiny-detector",
        "task": new_id(),
        "created_at": NOON,
    }
    return Model.model_validate({**fields, **changes})


def an_evaluation(version: Version, named: dict[str, BlobRef]) -> Evaluation:
    return Evaluation(
        id=new_id(),
        project=PROJECT,
        version=version.id,
        layer="detector@best",
        ground_truth="ground_truth",
        iou=0.5,
        confidence=0.3,
        max_detections=100,
        images=2,
        overall=Figures(),
        table=named["table"],
        marks=named["marks"],
        curves=named["curves"],
        label_errors=named["label_errors"],
        task=new_id(),
        created_at=NOON,
    )


def a_job(version: Version, **changes: object) -> tuple[LabelingJob, LabelingItem]:
    fields = {
        "id": new_id(),
        "project": PROJECT,
        "task": new_id(),
        "version": version.id,
        "tool": "api",
        "token": new_id(),
        "classes": ("cat",),
        "annotation": "box",
        "items": 1,
        "created_at": NOON,
    }
    job = LabelingJob.model_validate({**fields, **changes})
    item = LabelingItem(id=new_id(), job=job.id, position=0, asset="0" * 64, file_name="a.jpg", width=9, height=9)
    return job, item
