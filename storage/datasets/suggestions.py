"""Suggestions: what follows from the statistics of a layer."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.annotations import LayerName
from schemas.statistics import LayerStatistics
from schemas.suggestions import Lack, Suggestion, Suggestions

OBJECTS: Final = 500
SHARE: Final = 10
"""Less than one so many-th of the largest is too little."""
DENSITIES: Final = ("1-3", "4-10", ">10")


def suggestions_for(layer: LayerName, statistics: LayerStatistics) -> Suggestions:
    """Return what a layer has too little of, each with the least number that would be enough."""
    objects = {one.class_name: one.annotations for one in statistics.classes}
    images = dict(zip(DENSITIES, (one.count for one in statistics.histograms.get("density", ())), strict=False))
    found = [
        *_below(Lack.OBJECTS, objects, OBJECTS),
        *_below(Lack.BALANCE, objects, _enough(objects)),
        *_below(Lack.DENSITY, images, _enough(images)),
    ]
    return Suggestions(layer=layer, suggestions=tuple(found))


def _enough(counts: Mapping[str, int]) -> int:
    # Rounded up: what is a tenth of the largest is not less than that.
    return -(-max(counts.values(), default=0) // SHARE)


def _below(lack: Lack, counts: Mapping[str, int], target: int) -> Iterable[Suggestion]:
    few = sorted((count, subject) for subject, count in counts.items() if count < target)
    return [Suggestion(lack=lack, subject=subject, count=count, target=target) for count, subject in few]
