"""Datasets: named lines of immutable versions, and the tags that name them."""

from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeInt, StringConstraints

from schemas.annotations import LayerName
from schemas.blobs import BlobRef
from schemas.projects import Description
from schemas.schema import Digest, Document, Id, Instant, Schema, derived_id
from schemas.splits import Split

Keyword = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
Keywords = Annotated[tuple[Keyword, ...], Field(max_length=100)]


class LayerCounts(Schema):
    """How many assets a layer covers, and how many objects it has on them."""

    assets: NonNegativeInt
    annotations: NonNegativeInt


class VersionCounts(Schema):
    """What a version holds."""

    images: NonNegativeInt = 0
    splits: dict[Split, NonNegativeInt] = {}
    layers: dict[LayerName, LayerCounts] = {}


class Dataset(Document):
    """A named line of versions."""

    KIND: ClassVar[str] = "dataset"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "name", "created_at", "removed_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("project", "name"),)

    id: Id
    project: Id
    name: str
    description: str = ""
    last_number: NonNegativeInt = 0
    """The highest number of a version that went for good: it is never given again."""
    created_at: Instant
    removed_at: Instant | None = None


class Version(Document):
    """One immutable state of a dataset; only its message, keywords and whether it is shown can change."""

    KIND: ClassVar[str] = "version"
    INDEXED: ClassVar[tuple[str, ...]] = (
        "project",
        "dataset",
        "dataset_name",
        "number",
        "digest",
        "task",
        "created_at",
        "removed_at",
    )
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("dataset", "number"),)

    id: Id
    project: Id
    dataset: Id
    dataset_name: str
    number: int = Field(ge=1)
    digest: Digest
    """The digest of the canonical manifest, and so the name of its blob."""
    manifest: BlobRef
    parents: tuple[Id, ...] = ()
    task: Id
    made_by: str
    """The type of the task that made it."""
    message: str = ""
    keywords: tuple[str, ...] = ()
    counts: VersionCounts = VersionCounts()
    created_at: Instant
    removed_at: Instant | None = None


class DatasetChange(Schema):
    """What can change in a dataset; what is left out stays. ``removed`` hides it, or shows it again."""

    description: Description | None = None
    removed: bool | None = None


class VersionChange(Schema):
    """What can change in a version; what is left out stays. ``removed`` hides it, or shows it again."""

    message: Description | None = None
    keywords: Keywords | None = None
    removed: bool | None = None


class Tag(Document):
    """A name for one version of a dataset. One whose version does not exist (yet) names nothing."""

    KIND: ClassVar[str] = "tag"
    INDEXED: ClassVar[tuple[str, ...]] = ("dataset", "name", "version", "task")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("dataset", "name"),)

    id: Id
    project: Id
    dataset: Id
    name: str
    version: Id
    task: Id | None = None
    """The task that made the tag together with its version, if one did."""


class TagChange(Schema):
    """The number of the version that a tag is to name."""

    version: int = Field(ge=1)


class Statistics(Document):
    """Derived counts of one manifest, kept under its digest and the number of the computation."""

    KIND: ClassVar[str] = "statistics"

    body: BlobRef
    classes: dict[LayerName, tuple[str, ...]] | None = None
    """The classes in each layer, so that versions are found by them; null where they are too many for a document."""


def dataset_id(project: Id, name: str) -> Id:
    """Return the id of the dataset with a name."""
    return derived_id("dataset", project, name)


def tag_id(dataset: Id, name: str) -> Id:
    """Return the id of the tag with a name."""
    return derived_id("tag", dataset, name)
