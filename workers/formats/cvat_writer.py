"""One image as a CVAT document says it."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from pydantic import JsonValue

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, MaskRow
from workers.findings import Findings
from workers.formats.cvat_labels import CvatLabels
from workers.formats.cvat_shapes import IMAGE_TAG, USUAL_SOURCE
from workers.formats.datumaro_annotations import LABELS
from workers.formats.exporter import ExportedImage, attributes_of
from workers.formats.losses import Field, has_place, lost_fields
from workers.formats.parts import shapes_of
from workers.formats.voc_names import is_class_name
from workers.formats.xml_text import escaped, quoted

SOURCES: Final = frozenset({"auto", "semi-auto", "file", "consensus"})
DECIMALS: Final = 9
KEPT: Final = frozenset[Field]({"rotation", "polygons", "mask", "keypoints", "attributes"})


def image_xml(image: ExportedImage, *, number: int, subset: str, labels: CvatLabels, losses: Findings) -> str:
    """Return the element of an image; attributes that cannot be said as they are go to ``losses``."""
    writer = _Writer(image, labels, losses)
    group = 0
    for row in image.annotations or ():
        if row.class_name is None:
            continue
        shapes = [shape for shape in shapes_of(row) if shape.mask is None or _fits(shape.mask, image)]
        group += len(shapes) > 1
        for place, shape in enumerate(shapes):
            # What all shapes of an object lose is told once.
            writer.losing = row if place == 0 else None
            writer.shape(shape, row.class_name, group if len(shapes) > 1 else 0)
    writer.tags()
    head = (
        f'  <image id="{number}" name={quoted(image.name)} subset="{subset}" '
        f'width="{image.width}" height="{image.height}">\n'
    )
    return "".join((head, *writer.lines, "  </image>\n"))


def cvat_losses(row: AnnotationRow, image: ExportedImage) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a CVAT document cannot say of an annotation, its attributes apart."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
    elif not has_place(row):
        yield "annotations without a place", "It has no box, polygon, mask or key points, and is left out."
    else:
        yield from lost_fields(row, keeps=KEPT)
        if row.mask is not None and not _fits(row.mask, image):
            size = f"{row.mask.width} x {row.mask.height}"
            yield "masks of another size than the image", f"Its mask has {size} pixels."
        if any(seen == 0 and (x or y) for x, y, seen in _triples(row.keypoints)):
            yield "places of key points that are not there", "It has places of key points whose visibility is 0."


class _Writer:
    def __init__(self, image: ExportedImage, labels: CvatLabels, losses: Findings) -> None:
        self.lines: list[str] = []
        self.losing: AnnotationRow | None = None
        self._image = image
        self._labels = labels
        self._losses = losses
        self._is_image = False

    def shape(self, row: AnnotationRow, label: str, group: int) -> None:
        if not row.keypoints:
            self._labels.use(label)
        attributes = attributes_of(row)
        said = f" label={quoted(label)}"
        said += _source(attributes)
        if not row.keypoints:
            said += f' occluded="{self._flag(label, attributes)}"'
        z_order = attributes.get("z_order")
        level = attributes.pop("z_order") if type(z_order) is int and z_order else 0
        more = f' z_order="{level}"' + (f' group_id="{group}"' if group else "")
        name, place, inside = self._placed(row, label)
        body = "".join((inside, *self._values(label, attributes)))
        self.lines.append(f"    <{name}{said}{place}{more}>\n{body}    </{name}>\n")

    def tags(self) -> None:
        """Write the attributes of the whole image: classes as tags of their own."""
        self._is_image = True
        attributes = dict(self._image.attributes)
        given = attributes.get(LABELS)
        names = given if isinstance(given, list) else []
        texts = [name for name in names if isinstance(name, str) and is_class_name(name) and name != IMAGE_TAG]
        if texts and len(texts) == len(names) == len(set(texts)):
            del attributes[LABELS]
            for name in texts:
                self._tag(name, {})
        if attributes:
            self._tag(IMAGE_TAG, attributes)

    def _tag(self, label: str, attributes: dict[str, JsonValue]) -> None:
        self._labels.use(label)
        body = "".join(self._values(label, attributes))
        self.lines.append(f'    <tag label={quoted(label)} source="{USUAL_SOURCE}">\n{body}    </tag>\n')

    def _flag(self, label: str, attributes: dict[str, JsonValue]) -> int:
        value = attributes.get("occluded")
        if value not in (True, "1"):
            return 0
        del attributes["occluded"]
        if value is not True:
            self._lost(label, "occluded", value)
        return 1

    def _values(self, label: str, attributes: dict[str, JsonValue]) -> Iterator[str]:
        for key, value in attributes.items():
            text, stays = self._labels.attribute(label, key, value)
            if not stays:
                self._lost(label, key, value)
            yield f"      <attribute name={quoted(key)}>{escaped(text)}</attribute>\n"

    def _lost(self, label: str, key: str, value: JsonValue) -> None:
        detail = f"The attribute {key[:50]!r} of {label!r} is {str(value)[:50]!r}, which comes back as another value."
        if self._is_image:
            self._losses.add(self._image.subject(), detail, kind="types of attributes of images")
        elif self.losing is not None:
            self._losses.add(self._image.subject(self.losing), detail, kind="types of attributes")

    def _placed(self, row: AnnotationRow, label: str) -> tuple[str, str, str]:
        if row.box is not None:
            return "box", _box(row.box, row.rotation), ""
        if row.polygons:
            return "polygon", f' points="{_points(row.polygons[0])}"', ""
        if row.mask is not None:
            return "mask", _mask(row.mask), ""
        seen = set(row.keypoints[2::3])
        if seen in ({1.0}, {2.0}):
            places = _points([number for x, y, _ in _triples(row.keypoints) for number in (x, y)])
            self._labels.use(label)
            return "points", f' occluded="{int(seen == {1.0})}" points="{places}"', ""
        self._labels.use_skeleton(label, len(row.keypoints) // 3)
        return "skeleton", "", "".join(_skeleton(row.keypoints))


def _skeleton(keypoints: tuple[float, ...]) -> Iterator[str]:
    for number, (x, y, seen) in enumerate(_triples(keypoints), start=1):
        yield (
            f'      <points label="{number}" source="{USUAL_SOURCE}" outside="{int(seen == 0)}" '
            f'occluded="{int(seen == 1)}" points="{_number(x)},{_number(y)}"></points>\n'
        )


def _source(attributes: dict[str, JsonValue]) -> str:
    source = attributes.get("source")
    if source in SOURCES:
        del attributes["source"]
        return f' source="{source}"'
    return f' source="{USUAL_SOURCE}"'


def _box(box: tuple[float, float, float, float], rotation: float) -> str:
    x, y, width, height = box
    sides = zip(("xtl", "ytl", "xbr", "ybr"), (x, y, x + width, y + height), strict=True)
    turned = f' rotation="{_number(math.degrees(rotation) % 360)}"' if rotation else ""
    return "".join(f' {side}="{_number(value)}"' for side, value in sides) + turned


def _mask(mask: MaskRow) -> str:
    pixels = pixels_of(mask)
    down, across = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    # A mask of nothing is one pixel that is not set.
    top, bottom = (int(down[0]), int(down[-1]) + 1) if len(down) else (0, 1)
    left, right = (int(across[0]), int(across[-1]) + 1) if len(across) else (0, 1)
    flat = pixels[top:bottom, left:right].reshape(-1)
    edges = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    runs = [*([0] if flat[0] else []), *np.diff(edges).tolist()]
    sides = f'left="{left}" top="{top}" width="{right - left}" height="{bottom - top}"'
    return f' rle="{", ".join(map(str, runs))}" {sides}'


def _fits(mask: MaskRow, image: ExportedImage) -> bool:
    return (mask.width, mask.height) == (image.width, image.height)


def _triples(keypoints: tuple[float, ...]) -> Iterator[tuple[float, float, float]]:
    return zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True)


def _points(points: tuple[float, ...] | list[float]) -> str:
    return ";".join(f"{_number(x)},{_number(y)}" for x, y in zip(points[::2], points[1::2], strict=True))


def _number(value: float) -> str:
    # Rounded where binary fractions end.
    return repr(round(float(value), DECIMALS))
