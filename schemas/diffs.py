"""Diffs: what differs between two versions."""

from enum import StrEnum

from pydantic import NonNegativeInt

from schemas.annotations import Annotation, LayerName
from schemas.schema import AssetId, Schema
from schemas.splits import Split


class AssetChanges(Schema):
    """How many assets changed in one way, and the first of them."""

    count: NonNegativeInt = 0
    first: tuple[AssetId, ...] = ()
    """In order of their ids, at most 100."""


class LayerDiff(Schema):
    """What differs in one layer, among the assets of either version."""

    annotated: AssetChanges = AssetChanges()
    """Annotated (perhaps as empty) only afterwards."""
    unannotated: AssetChanges = AssetChanges()
    """Annotated (perhaps as empty) only before."""
    changed: AssetChanges = AssetChanges()


class VersionDiff(Schema):
    """What is to be done to one version to get another."""

    added: AssetChanges = AssetChanges()
    removed: AssetChanges = AssetChanges()
    moved: AssetChanges = AssetChanges()
    """In both, in another split."""
    moves: dict[str, NonNegativeInt] = {}
    """How many moved, by ``<split before>-><split after>``."""
    layers: dict[LayerName, LayerDiff] = {}


class ChangeKind(StrEnum):
    """What happened to an asset between two versions."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    """It is in another split."""
    ANNOTATED = "annotated"
    """A layer has annotations of it (perhaps none: as empty) only afterwards."""
    UNANNOTATED = "unannotated"
    """A layer has annotations of it (perhaps none: as empty) only before."""
    CHANGED = "changed"
    """A layer has other annotations of it."""


class AnnotationChange(Schema):
    """One annotation that says something else afterwards; its id is the same."""

    fields: tuple[str, ...]
    """What differs, in the names that an annotation has."""
    before: Annotation
    after: Annotation


class AssetLayerDiff(Schema):
    """What happened to the annotations of an asset in a layer."""

    change: ChangeKind
    added: tuple[Annotation, ...] = ()
    removed: tuple[Annotation, ...] = ()
    changed: tuple[AnnotationChange, ...] = ()


class AssetDiff(Schema):
    """All that happened to one asset; an annotation is told from others by its id."""

    asset: AssetId
    before: Split | None
    """Its split before; None if it was not there."""
    after: Split | None
    changes: tuple[ChangeKind, ...]
    layers: dict[LayerName, AssetLayerDiff] = {}
