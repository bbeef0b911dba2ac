"""Export of LabelMe: a JSON file beside each annotated image."""

import base64
import io
import math
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
import orjson
from PIL import Image

from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, MaskRow
from workers.formats.exporter import ExportedImage, Member, Order, attributes_of
from workers.formats.labelme_shapes import DESCRIPTION, OCCLUDED, ROTATED
from workers.formats.losses import Field, has_place, lost_fields, tell_of_image
from workers.formats.parts import shapes_of

VERSION: Final = "5.5.0"
"""The release whose files these are like; later ones read them too."""
KEPT: Final = frozenset[Field](
    {"rotation", "polygons", "mask", "keypoints", "confidence", "attributes", "annotation ids"}
)


class LabelMeExporter:
    """``images/<stem>.json`` for each annotated image, so that LabelMe opens the folder as it is.

    LabelMe shows images as their EXIF says, so coordinates are those of the displayed picture. What it does not know,
    such as attributes that are no flags, stands under keys of its own, which it keeps.
    """

    displayed: ClassVar = True

    def __init__(self, order: Order) -> None:
        self._losses = order.losses

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the file of an image, none if it is not annotated."""
        tell_of_image(image, self._losses, attributes=image.annotations is not None, splits=False)
        if image.annotations is None:
            return
        for row in image.annotations:
            for kind, detail in labelme_losses(row, image):
                self._losses.add(image.subject(row), detail, kind=kind)
        yield Member(f"images/{image.stem}.json", [_file(image)])

    def finish(self) -> Iterator[Member]:
        """Yield nothing."""
        yield from ()


def labelme_losses(row: AnnotationRow, image: ExportedImage) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a LabelMe file cannot say of an annotation."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
    elif not has_place(row):
        yield "annotations without a place", "It has no box, polygon, mask or key points, and is left out."
    else:
        yield from lost_fields(row, keeps=KEPT)
        if row.rotation and row.box is not None and not any(row.box[2:]):
            yield "rotation", f"Its rotation of {row.rotation} is lost: its box has no size."
        if any(seen == 0 for seen in row.keypoints[2::3]):
            yield "key points that are not there", "Its key points whose visibility is 0 are lost."
        if row.mask is not None and not _has_picture(row.mask, image):
            yield "masks that LabelMe cannot hold", "Its mask is empty or of another size than the image."


def _file(image: ExportedImage) -> bytes:
    flags = {key: value for key, value in image.attributes.items() if isinstance(value, bool)}
    more = {key: value for key, value in image.attributes.items() if not isinstance(value, bool)}
    document: dict[str, Any] = {
        "version": VERSION,
        "flags": flags,
        "shapes": [*_shapes(image)],
        "imagePath": image.name,
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
    }
    if more:
        document["attributes"] = more
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _shapes(image: ExportedImage) -> Iterator[dict[str, Any]]:
    group = 0
    for row in image.annotations or ():
        if row.class_name is None:
            continue
        said = _said(row)
        places = [place for shape in shapes_of(row) for place in _places(shape, image)]
        group += len(places) > 1
        for place in places:
            yield {**said, "group_id": group if len(places) > 1 else None, **place}


def _said(row: AnnotationRow) -> dict[str, Any]:
    attributes = attributes_of(row)
    text = attributes.get(DESCRIPTION)
    description = attributes.pop(DESCRIPTION) if isinstance(text, str) and text else ""
    # The flag of that name is a key point's.
    flags = {key: value for key, value in attributes.items() if isinstance(value, bool) and not row.keypoints}
    more = {key: value for key, value in attributes.items() if key not in flags}
    said: dict[str, Any] = {"label": row.class_name, "description": description, "flags": flags, "mask": None}
    if more:
        said["attributes"] = more
    if row.confidence is not None:
        said["score"] = row.confidence
    if row.id is not None:
        said["annotation_id"] = row.id.hex()
    return said


def _places(row: AnnotationRow, image: ExportedImage) -> Iterator[dict[str, Any]]:
    if row.box is not None and row.rotation:
        yield {"shape_type": "polygon", "points": _corners(row.box, row.rotation), ROTATED: True}
    elif row.box is not None:
        x, y, width, height = row.box
        yield {"shape_type": "rectangle", "points": [[x, y], [x + width, y + height]]}
    elif row.polygons:
        yield {"shape_type": "polygon", "points": [*zip(row.polygons[0][::2], row.polygons[0][1::2], strict=True)]}
    elif row.mask is not None:
        if _has_picture(row.mask, image):
            yield {"shape_type": "mask", **_mask(row.mask)}
    else:
        for x, y, seen in zip(row.keypoints[::3], row.keypoints[1::3], row.keypoints[2::3], strict=True):
            if seen:
                flags = {OCCLUDED: True} if seen == 1 else {}
                yield {"shape_type": "point", "points": [[x, y]], "flags": flags}


def _corners(box: tuple[float, float, float, float], rotation: float) -> list[list[float]]:
    x, y, width, height = box
    middle_x, middle_y = x + width / 2, y + height / 2
    right, down = math.cos(rotation), math.sin(rotation)
    halves = ((-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2))
    return [[middle_x + a * right - b * down, middle_y + a * down + b * right] for a, b in halves]


def _has_picture(mask: MaskRow, image: ExportedImage) -> bool:
    return (mask.width, mask.height) == (image.width, image.height) and bool(pixels_of(mask).any())


def _mask(mask: MaskRow) -> dict[str, Any]:
    pixels = pixels_of(mask)
    down, across = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, bottom, left, right = int(down[0]), int(down[-1]), int(across[0]), int(across[-1])
    buffer = io.BytesIO()
    Image.fromarray(pixels[top : bottom + 1, left : right + 1].astype(np.uint8) * 255).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    return {"points": [[left, top], [right, bottom]], "mask": text}
