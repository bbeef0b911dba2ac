"""Ark: YMIR's own text of boxes, one line for an object."""

from collections.abc import Iterator

from storage.datasets.rows import AnnotationRow
from workers.formats.class_numbers import ClassNumbers
from workers.formats.exporter import ExportedImage
from workers.formats.losses import lost_fields
from workers.formats.voc_names import ABSENT


def ark_text(image: ExportedImage, *, classes: ClassNumbers, whole: bool) -> bytes:
    """Return a line ``class, xmin, ymin, xmax, ymax, quality, angle`` for each box.

    The class is its number; boxes of classes that have none are left out. Corners are pixels inside the box, and a box
    thinner than a pixel becomes one pixel wide. ``whole`` rounds them, since that is all that most readers know.
    """
    lines = []
    for row in image.annotations or ():
        number = None if row.box is None else classes.of(row.class_name)
        if row.box is None or number is None:
            continue
        x, y, width, height = row.box
        left, top = (round(x), round(y)) if whole else (x, y)
        right, bottom = x + width - 1, y + height - 1
        corners = (left, top, max(left, round(right) if whole else right), max(top, round(bottom) if whole else bottom))
        quality = ABSENT if row.quality is None else row.quality
        lines.append(f"{number}, {', '.join(map(_number, corners))}, {quality}, {row.rotation}\n")
    return "".join(lines).encode()


def ark_losses(row: AnnotationRow) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what an ark file cannot say of an annotation."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
    elif row.box is None:
        yield "annotations without a box", "It has no box, and is left out."
    else:
        yield from lost_fields(row, keeps=("rotation", "quality"))
        if min(row.box[2:]) < 1:
            yield "boxes thinner than a pixel", f"Its box is {row.box[2]} x {row.box[3]}."


def _number(value: float) -> str:
    # Rounded where binary fractions end: 10.1 + 5.3 - 1 and back is 5.3 again.
    near = round(value, 9)
    return str(int(near)) if near == int(near) else repr(near)
