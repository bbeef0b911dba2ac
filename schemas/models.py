"""Models: what training made, stage by stage."""

from typing import ClassVar

from pydantic import Field, JsonValue

from schemas.annotations import ClassName, ObjectType
from schemas.blobs import BlobRef
from schemas.model_parameters import ModelStage, Preprocess
from schemas.projects import Description
from schemas.schema import Digest, Document, Id, Instant, Schema
from schemas.training_logs import TrainingLogs


class Stage(Schema):
    """One checkpoint: its files (inside the package) and what the executor measured of it."""

    name: str
    digest: Digest
    """That of the names and bytes of its files: equal for equal content."""
    files: tuple[str, ...]
    metrics: dict[str, float] = {}
    """As the executor named them: ``mAP``, ``mAR``, ``mIoU``, ``maskAP``, …"""


class Model(Document):
    """A trained model; its package is a tar with ``ymir-info.yaml`` and a folder for each stage."""

    KIND: ClassVar[str] = "model"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "name", "task", "created_at", "removed_at")

    id: Id
    project: Id
    name: str
    object_type: ObjectType
    classes: tuple[ClassName, ...]
    stages: tuple[Stage, ...] = Field(min_length=1)
    best_stage: str
    recommended_stage: str
    package: BlobRef
    attachments: tuple[str, ...] = ()
    """Files beside the stages, by their paths in the package: ``attachments/<section>/<file>``."""
    logs: TrainingLogs | None = None
    """What the executor wrote for TensorBoard."""
    evaluate_config: dict[str, JsonValue] = {}
    """With which thresholds the metrics were measured, as the executor says."""
    executor: str
    executor_reference: str = ""
    """What the executor was at the time: an image, or a folder of the process runtime."""
    executor_digest: Digest | None = None
    config: dict[str, JsonValue] = {}
    training: tuple[Digest, ...] = ()
    """The digests of the versions that it was trained on."""
    validation: tuple[Digest, ...] = ()
    pretrained: ModelStage | None = None
    preprocess: Preprocess | None = None
    """What was done to the images that it learned from, and is done to those that it is used on."""
    protocol: str = ""
    """The version of the contract by which the executor was run."""
    task: Id
    created_at: Instant
    removed_at: Instant | None = None
    description: str = ""

    @property
    def paths(self) -> frozenset[str]:
        """The paths of all files in its package, but for ``ymir-info.yaml``."""
        return frozenset(self.attachments).union(
            f"{stage.name}/{file}" for stage in self.stages for file in stage.files
        )

    def stage(self, name: str | None) -> Stage | None:
        """Return the stage of a name, or the recommended one; None if there is none."""
        wanted = self.recommended_stage if name is None else name
        return next((stage for stage in self.stages if stage.name == wanted), None)


class ModelChange(Schema):
    """What can change in a model; what is left out stays. ``removed`` hides it, or shows it again."""

    description: Description | None = None
    recommended_stage: str | None = None
    removed: bool | None = None
