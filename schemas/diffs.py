"""Diffs: what differs between two versions."""

from pydantic import NonNegativeInt

from schemas.annotations import LayerName
from schemas.schema import AssetId, Schema


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
