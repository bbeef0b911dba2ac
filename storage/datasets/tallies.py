"""What a three-way merge came to, and how much came from where."""

from dataclasses import dataclass, field

from schemas.annotations import LayerName
from schemas.schema import AssetId
from storage.datasets.content import Content


@dataclass
class LayerTally:
    """How many assets of a layer came from where."""

    theirs: int = 0
    """Their annotations are not those of ours any more, but those of theirs."""
    merged: int = 0
    """Both sides changed them."""
    conflicts: int = 0
    joined: int = 0
    """Annotations of theirs that are left out because ours has the same."""
    whole: list[AssetId] = field(default_factory=list)
    """Assets on which both sides have other predictions: one side's are kept whole."""


@dataclass
class ThreeWay:
    """What a three-way merge came to."""

    content: Content = field(default_factory=Content)
    """Not to be kept where conflicts were left open."""
    added: int = 0
    """Images that ours has not."""
    moved: list[AssetId] = field(default_factory=list)
    """Assets that both sides put into another split."""
    layers: dict[LayerName, LayerTally] = field(default_factory=dict)
    dropped_predictions: list[LayerName] = field(default_factory=list)
    """Layers that hold the predictions of several models now, and so name none."""
    is_open: bool = False
