"""Overlaps: which images of a version others have as well."""

from pydantic import NonNegativeInt

from schemas.diffs import AssetChanges
from schemas.schema import Schema


class VersionOverlap(Schema):
    """How much of a version is in others, taken together."""

    images: NonNegativeInt
    """Of the version."""
    others: NonNegativeInt
    """Of the others, each asset once."""
    joint: AssetChanges
    residual: NonNegativeInt
    """What the others do not have."""
    across_splits: dict[str, NonNegativeInt] = {}
    """How many joint images the others put to another of training, validation and test: ``<theirs>-><its own>``."""
