"""Views: answers that put several documents together."""

from typing import Literal

from pydantic import NonNegativeInt

from schemas.annotations import Annotation, LayerName
from schemas.conflicts import Conflict, Take
from schemas.datasets import Version
from schemas.models import Model
from schemas.pages import Page
from schemas.schema import AssetId, Instant, Schema
from schemas.splits import Split
from schemas.tasks import Input


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


class Lineage(Schema):
    """Where a model comes from."""

    model: Model
    inputs: tuple[Input, ...] = ()
    """What the refs of its training named."""
    versions: tuple[Version, ...] = ()
    """Those versions, as far as they still exist."""
    ancestors: tuple[Model, ...] = ()
    """The model that it was trained on from, that one's own, and so on."""


class Readiness(Schema):
    """That the service accepts tasks."""

    status: Literal["ready"] = "ready"
    missing: dict[str, str]
    """What is away although tasks are accepted: they run when it is back."""


class Health(Schema):
    """How the service is."""

    status: Literal["ok"] = "ok"
