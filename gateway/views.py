"""Views: answers that put several documents together."""

from typing import Literal

from pydantic import JsonValue, NonNegativeInt

from schemas.annotations import Annotation, LayerName
from schemas.conflicts import Conflict, Take
from schemas.datasets import Version
from schemas.model_parameters import Preprocess
from schemas.models import Model
from schemas.pages import Page
from schemas.refs import Ref
from schemas.schema import AssetId, Digest, Id, Instant, Schema
from schemas.splits import Split
from schemas.tasks import Input


class Received(Schema):
    """What a labeling tool told is kept."""

    delivery: Id
    """The same for what is told again."""


class AssetView(Schema):
    """One asset of a version; a layer that is missing has not annotated it, an empty one has found nothing on it."""

    asset: AssetId
    file_name: str
    width: NonNegativeInt
    height: NonNegativeInt
    size: NonNegativeInt
    media_type: str
    split: Split
    layers: dict[LayerName, tuple[Annotation, ...]]
    image: str
    """The address of the image; it works without a key, for a while."""
    thumbnail: str
    """The address of a small picture, which takes ``size`` and ``layers``; it works without a key, for a while."""


class ConflictAnswerView(Schema):
    """What settles a conflict, and who said so."""

    take: Take | None = None
    annotation: Annotation | None = None
    by: str
    at: Instant


class ConflictView(Conflict):
    """A conflict of a merge with its answer, if it has one."""

    answer: ConflictAnswerView | None = None
    image: str
    """The address of the image; it works without a key, for a while."""


class History(Page[Version]):
    """A version and what it was made of."""

    is_cut: bool = False
    """Older versions are left out, since there are too many: ask for the history of the last one here."""


class LearnedFrom(Schema):
    """A version that a model was trained or validated on."""

    use: Literal["training", "validation"]
    ref: Ref
    """What was asked for; a later version may bear the tag by now."""
    split: Split | None = None
    """What its assets were put to for this training; of a version named for training alone, those that were used."""
    version: Id
    digest: Digest | None
    dataset: str | None
    number: int | None
    """Those of the version; None if it has gone."""


class ExecutorUsed(Schema):
    """What trained a model."""

    name: str
    reference: str
    """An image, or a folder of the process runtime."""
    digest: Digest | None
    """That of the image, or of the files of the folder, as they were at the time."""
    protocol: str
    """The version of the contract by which it was run."""


class Lineage(Schema):
    """Where a model comes from."""

    model: Model
    task: Id
    """The task that made it."""
    learned_from: tuple[LearnedFrom, ...] = ()
    executor: ExecutorUsed
    configuration: dict[str, JsonValue]
    """What the executor was told, but for what belongs to that one run."""
    seed: JsonValue = None
    """What the configuration has as ``seed``."""
    preprocess: Preprocess | None = None
    """What was done to the images first."""
    metrics: dict[str, dict[str, float]]
    """By stage."""
    inputs: tuple[Input, ...] = ()
    """What the refs of its training named."""
    versions: tuple[Version, ...] = ()
    """Those versions, as far as they still exist."""
    ancestors: tuple[Model, ...] = ()
    """The model that it was trained on from, that one's own, and so on."""
    is_cut: bool = False
    """Older ancestors are left out, since there are too many: ask for the lineage of the last one here."""


class Reference(Schema):
    """Something that refers to something else."""

    kind: Literal["labeling", "model", "tag", "task", "version"]
    id: Id
    name: str
    """For people."""
    why: str


class References(Schema):
    """What refers to something: as long as it stays, so does what it refers to, hidden or not."""

    items: tuple[Reference, ...] = ()
    is_cut: bool = False
    """There are more than these."""


class Readiness(Schema):
    """That the service accepts tasks."""

    status: Literal["ready"] = "ready"
    missing: dict[str, str]
    """What is away although tasks are accepted: they run when it is back."""


class Health(Schema):
    """How the service is."""

    status: Literal["ok"] = "ok"
