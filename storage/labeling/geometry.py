"""Geometry: whether an annotation lies inside its image and is of the kind that was asked for."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from schemas.annotations import Annotation, Box, Polygon
from schemas.errors import Fault

# VOC counts pixels from 1, so that what was imported from it may reach one pixel further; and tools
# that count in percent are a little off when they come back to pixels.
TOLERANCE_PIXELS: Final = 1.0


def kind_faults(
    annotation: Annotation, *, wanted: Literal["box", "polygon", "mask", "keypoints"], where: str
) -> Iterator[Fault]:
    """Yield what is wrong with the kind of an annotation; ``where`` is its JSON pointer."""
    field = "polygons" if wanted == "polygon" else wanted
    if not getattr(annotation, field):
        yield Fault(f"This job asks for {field}.", f"{where}/{field}")


def outside_faults(annotation: Annotation, *, width: int, height: int, where: str) -> Iterator[Fault]:
    """Yield what of an annotation does not lie inside an image of some pixels."""
    if annotation.box is not None and not _holds_box(annotation.box, annotation.rotation, width, height):
        yield Fault(f"The box is empty, or not inside the image of {width} x {height} pixels.", f"{where}/box")
    for position, polygon in enumerate(annotation.polygons):
        if not _hold(polygon[::2], width) or not _hold(polygon[1::2], height):
            detail = f"The polygon is not inside the image of {width} x {height} pixels."
            yield Fault(detail, f"{where}/polygons/{position}")
    yield from _other_faults(annotation, width=width, height=height, where=where)


def _other_faults(annotation: Annotation, *, width: int, height: int, where: str) -> Iterator[Fault]:
    mask = annotation.mask
    if mask is not None and (mask.width, mask.height) != (width, height):
        yield Fault(f"The mask is not of the image's size, {width} x {height} pixels.", f"{where}/mask")
    seen = _seen(annotation.keypoints)
    if not _hold(seen[::2], width) or not _hold(seen[1::2], height):
        yield Fault(f"A keypoint is not inside the image of {width} x {height} pixels.", f"{where}/keypoints")


def _holds_box(box: Box, rotation: float, width: int, height: int) -> bool:
    if not box.width or not box.height:
        return False
    if rotation:
        return _hold((box.x + box.width / 2,), width) and _hold((box.y + box.height / 2,), height)
    return _hold((box.x, box.x + box.width), width) and _hold((box.y, box.y + box.height), height)


def _seen(keypoints: Sequence[float]) -> Polygon:
    """Return x, y, … of the points that are marked in the image: COCO writes 0, 0 for those that are not."""
    triples = zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True)
    return tuple(value for x, y, visibility in triples if visibility for value in (x, y))


def _hold(values: Sequence[float], size: int) -> bool:
    return all(-TOLERANCE_PIXELS <= value <= size + TOLERANCE_PIXELS for value in values)
