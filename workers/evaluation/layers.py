"""The annotations of a layer as arrays, class by class, so that one class at a time is in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.schema import Digest
from storage.datasets.columns import BOX, fixed_matrix
from storage.datasets.library import Library
from storage.datasets.reading import NO_CLASS, ClassCodes
from storage.datasets.selections import Mask, Masks
from storage.datasets.space import Space
from workers.evaluation.matching import Ints, Objects

S = TypeVar("S", bound=np.generic)

COLUMNS: Final = ("id", *BOX, "crowd", "confidence")
NO_SCORE: Final = 1.0


class Part(NamedTuple):
    """What one segment adds to a layer: its selected annotations, grouped by class."""

    table: pa.Table
    image: Ints
    """The number of the asset of each selected annotation."""
    row: Ints
    """Which annotation of the segment each is."""
    bounds: Mapping[str, tuple[int, int]]
    """Where the annotations of a class are among those selected."""


class LayerColumns(NamedTuple):
    """A layer; what is not measured is counted."""

    parts: Sequence[Part]
    without_class: int
    without_box: int
    without_confidence: int

    @property
    def classes(self) -> set[str]:
        """The classes that occur."""
        return {name for part in self.parts for name, (start, end) in part.bounds.items() if end > start}


class ClassObjects(NamedTuple):
    """The objects of one class, and the id of each annotation, of shape (n, 16)."""

    objects: Objects
    ids: NDArray[np.uint8]


async def layer_columns(masks: Masks, covered: Mask, *, space: Space, library: Library) -> LayerColumns:
    """Return the annotations of a layer's rows whose assets (an asset mask of the space) are covered."""
    parts, counts = [], np.zeros(3, np.int64)
    for segment, reader in (await library.segments(masks)).items():
        table = await reader.annotations(COLUMNS)
        part, missing = _part(
            table, await reader.image_of(), await reader.classes(), _numbers(segment, masks[segment], covered, space)
        )
        parts.append(part)
        counts += missing
    return LayerColumns(parts, *map(int, counts))


def objects_of(layer: LayerColumns, class_name: str) -> ClassObjects:
    """Return the objects of one class, sorted by image and on one image in the order of the layer."""
    pieces = [_piece(part, *part.bounds[class_name]) for part in layer.parts if class_name in part.bounds]
    image = _joined((piece[0].image for piece in pieces), np.zeros(0, np.int64))
    order = np.argsort(image, kind="stable")
    objects = Objects.of_boxes(
        image[order],
        _joined((piece[0].boxes for piece in pieces), np.zeros((0, 4)))[order],
        _joined((piece[0].crowd for piece in pieces), np.zeros(0, np.bool_))[order],
        _joined((piece[0].score for piece in pieces), np.zeros(0))[order],
    )
    return ClassObjects(objects, _joined((piece[1] for piece in pieces), np.zeros((0, 16), np.uint8))[order])


def _numbers(segment: Digest, mask: Mask, covered: Mask, space: Space) -> Ints:
    """Return the number of the asset of each image row, -1 where it does not count."""
    start = space.starts[segment]
    numbers = space.asset[start : start + len(mask)]
    return np.where(mask & covered[numbers], numbers, -1).astype(np.int64)


def _part(
    table: pa.Table, image_of: NDArray[np.int32], classes: ClassCodes, numbers: Ints
) -> tuple[Part, NDArray[np.int64]]:
    image = numbers[image_of]
    boxed = ~table.column("width").is_null().to_numpy()
    scored = ~table.column("confidence").is_null().to_numpy()
    here = image >= 0
    classed = classes.codes != NO_CLASS
    missing = [here & ~classed, here & classed & ~boxed, here & classed & boxed & ~scored]
    rows = np.flatnonzero(here & classed & boxed)
    codes = classes.codes[rows]
    order = np.argsort(codes, kind="stable")
    rows, codes = rows[order], codes[order]
    starts = np.searchsorted(codes, np.arange(len(classes.names) + 1)).tolist()
    bounds = {name: (starts[code], starts[code + 1]) for code, name in enumerate(classes.names)}
    return Part(table, image[rows], rows, bounds), np.array([np.count_nonzero(some) for some in missing])


def _piece(part: Part, start: int, end: int) -> tuple[Objects, NDArray[np.uint8]]:
    table = part.table.take(pa.array(part.row[start:end]))
    boxes = np.stack([table.column(side).to_numpy() for side in BOX], axis=1)
    score = table.column("confidence").fill_null(NO_SCORE).to_numpy()
    crowd = table.column("crowd").to_numpy()
    return Objects.of_boxes(part.image[start:end], boxes, crowd, score), fixed_matrix(table.column("id").combine_chunks())


def _joined(arrays: Iterable[NDArray[S]], nothing: NDArray[S]) -> NDArray[S]:
    found = list(arrays)
    return np.concatenate(found) if found else nothing
