"""Keeping: what annotators left as it was suggested is what was suggested, to the last digit and with its author."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from schemas.annotations import Annotation

# Tools count in percent: what comes back is off by less than what anybody can draw.
NEAR_PIXELS: Final = 1e-6
NEAR_RADIANS: Final = 1e-9


def as_kept(annotation: Annotation, suggestions: Mapping[str | None, Annotation], *, author: str) -> Annotation:
    """Return an annotation as it was suggested, if nobody changed it, else as the work of its author.

    A suggestion of a model, which has a confidence, is the work of whoever left it.
    """
    by = annotation.author or author
    suggested = suggestions.get(annotation.id) if annotation.id is not None else None
    if suggested is None or not _is_same(annotation, suggested):
        return annotation.model_copy(update={"author": by})
    if suggested.confidence is None:
        return suggested.model_copy(update={"author": suggested.author or by})
    return suggested.model_copy(update={"confidence": annotation.confidence, "author": by})


def _is_same(one: Annotation, other: Annotation) -> bool:
    if one.class_name != other.class_name or one.crowd != other.crowd or one.attributes != other.attributes:
        return False
    lengths, others = [*_lengths(one)], [*_lengths(other)]
    return (
        one.mask == other.mask
        and len(one.polygons) == len(other.polygons)
        and len(lengths) == len(others)
        and math.isclose(one.rotation, other.rotation, rel_tol=0, abs_tol=NEAR_RADIANS)
        and all(
            math.isclose(length, another, rel_tol=0, abs_tol=NEAR_PIXELS)
            for length, another in zip(lengths, others, strict=True)
        )
    )


def _lengths(annotation: Annotation) -> Iterator[float]:
    if annotation.box is not None:
        yield from (annotation.box.x, annotation.box.y, annotation.box.width, annotation.box.height)
    for polygon in annotation.polygons:
        yield from polygon
    yield from annotation.keypoints
