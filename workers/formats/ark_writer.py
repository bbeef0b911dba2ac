"""Ark: YMIR's own text of boxes, one line for an object."""

from collections.abc import Sequence

from workers.formats.exporter import ExportedImage


def ark_text(image: ExportedImage, *, classes: Sequence[str]) -> bytes:
    """Return a line ``class, xmin, ymin, xmax, ymax, quality, angle`` for each box.

    The class is its position in ``classes``; boxes of others are left out. Corners are whole pixels inside the box,
    since that is all that readers of this format know.
    """
    lines = []
    for row in image.annotations or ():
        if row.box is None or row.class_name not in classes:
            continue
        x, y, width, height = row.box
        left, top = round(x), round(y)
        right, bottom = max(left, round(x + width - 1)), max(top, round(y + height - 1))
        quality = -1.0 if row.quality is None else row.quality
        index = classes.index(row.class_name)
        lines.append(f"{index}, {left}, {top}, {right}, {bottom}, {quality}, {row.rotation}\n")
    return "".join(lines).encode()
