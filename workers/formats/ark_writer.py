"""Ark: YMIR's own text of boxes, one line for an object."""

from collections.abc import Sequence

from schemas.annotations import LayerName
from storage.datasets.rows import AssetRow
from workers.formats.frames import to_stored


def ark_text(asset_row: AssetRow, *, layer: LayerName, classes: Sequence[str]) -> bytes:
    """Return a line ``class, xmin, ymin, xmax, ymax, quality, angle`` for each box of a layer.

    The class is its position in ``classes``; boxes of others are left out. Corners are whole pixels of the picture as
    its file stores it, inside the box, since that is all that readers of this format know.
    """
    image = asset_row.image
    lines = []
    for given in asset_row.layers.get(layer, ()):
        if given.box is None or given.class_name not in classes:
            continue
        row = given if image.orientation == 1 else to_stored(given, image)
        x, y, width, height = row.box or given.box
        left, top = round(x), round(y)
        right, bottom = max(left, round(x + width - 1)), max(top, round(y + height - 1))
        quality = -1.0 if row.quality is None else row.quality
        index = classes.index(given.class_name)
        lines.append(f"{index}, {left}, {top}, {right}, {bottom}, {quality}, {row.rotation}\n")
    return "".join(lines).encode()
