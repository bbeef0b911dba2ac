"""Boxes from VOC XML and ark text files.

Both formats give inclusive pixel corners counted from 0, as YMIR writes them: xmin = x, xmax = x + width - 1,
possibly fractional. In this program a box is (left, top, right, bottom) with right = x + width. Rotation is ignored.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import DatasetError

CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Truth:
    """The labelled boxes of one image: corners (N x 4) and class indexes (N)."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


Labelled = tuple[int, tuple[float, ...]]


def read_truth(path: str, *, export_format: str, class_names: tuple[str, ...]) -> Truth:
    """Return the boxes of the known classes; no path means no boxes; raise DatasetError naming the file."""
    if not path:
        return _truth([])
    indexes = {name: index for index, name in enumerate(class_names)}
    try:
        return _truth(list(PARSERS[export_format](Path(path), indexes)))
    except (OSError, ValueError, AttributeError, ET.ParseError) as error:
        raise DatasetError(f"cannot read the annotations {path} as {export_format}: {error}") from error


def _truth(objects: list[Labelled]) -> Truth:
    kept = [(index, (x0, y0, x1 + 1, y1 + 1)) for index, (x0, y0, x1, y1) in objects if x1 + 1 > x0 and y1 + 1 > y0]
    boxes = np.array([box for _, box in kept], np.float32).reshape(-1, 4)
    return Truth(boxes, np.array([index for index, _ in kept], np.int64))


def _voc(path: Path, indexes: Mapping[str, int]) -> Iterator[Labelled]:
    # What the system exported; expat limits the growth of entities and opens none from outside.
    for item in ET.fromstring(path.read_bytes()).iter("object"):  # noqa: S314
        name = (item.findtext("name") or "").strip()
        if name in indexes:
            yield indexes[name], _numbers([item.findtext(f"bndbox/{corner}") or "nothing" for corner in CORNERS])


def _ark(path: Path, indexes: Mapping[str, int]) -> Iterator[Labelled]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            label, *rest = (field.strip() for field in line.split(","))
            index = indexes.get(label, int(label) if label.isdecimal() else -1)
            if 0 <= index < len(indexes):
                yield index, _numbers(rest[:4])


def _numbers(texts: list[str]) -> tuple[float, ...]:
    values = tuple(float(text) for text in texts)
    if len(values) != len(CORNERS) or not all(math.isfinite(value) for value in values):
        raise ValueError(f"a box needs {len(CORNERS)} numbers, not {texts}")
    return values


PARSERS: Mapping[str, Callable[[Path, Mapping[str, int]], Iterator[Labelled]]] = {"voc": _voc, "ark": _ark}
