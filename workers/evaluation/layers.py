"""The annotations of a layer as arrays, class by class, so that one class at a time is in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.evaluations import Measure
from schemas.schema import Digest
from storage.datasets.columns import BOX, fixed_matrix
from storage.datasets.library import Library
from storage.datasets.reading import NO_CLASS, ClassCodes
from storage.datasets.selections import Mask, Masks
from storage.datasets.space import Space
from workers.evaluation.matching import Bools, Floats, Ints, Objects
from workers.evaluation.shapes import Shapes, keypoints_of, masks_of

S = TypeVar("S", bound=np.generic)

COLUMNS: Final = ("id", *BOX, "crowd", "confidence")
TRUTH_COLUMNS: Final = ("area", "attributes")
MASK_COLUMNS: Final = ("polygons", "mask_height", "mask_width", "mask_counts")
MORE: Final[Mapping[Measure, tuple[str, ...]]] = {
    Measure.BOXES: (),
    Measure.MASKS: MASK_COLUMNS,
    Measure.SEMANTIC: MASK_COLUMNS,
    Measure.KEYPOINTS: ("keypoints",),
}
NO_SCORE: Final = 1.0
# Pascal VOC's flag, as an import of it keeps it.
DIFFICULT: Final = r'"difficult":(1|true|"1"|"true"|"True")'


class Part(NamedTuple):
    """What one segment adds to a layer: its selected annotations, grouped by class."""

    table: pa.Table
    image: Ints
    """The number of the asset of each selected annotation."""
    row: Ints
    """Which annotation of the segment each is."""
    bounds: Mapping[str, tuple[int, int]]
    """Where the annotations of a class are among those selected."""


class Sizes(NamedTuple):
    """The pixels of images as displayed, by the number of the asset; 0 where nobody told."""

    height: Ints
    width: Ints


class LayerColumns(NamedTuple):
    """A layer; what is not measured is counted."""

    parts: Sequence[Part]
    measure: Measure
    sizes: Sizes
    is_truth: bool
    without_class: int
    without_shape: int
    without_confidence: int

    @property
    def classes(self) -> set[str]:
        """The classes that occur."""
        return {name for part in self.parts for name, (start, end) in part.bounds.items() if end > start}


class ClassObjects(NamedTuple):
    """The objects of one class, the id of each annotation, of shape (n, 16), and its mask or keypoints."""

    objects: Objects
    ids: NDArray[np.uint8]
    shapes: Shapes | None = None
    attributes: pa.Array | None = None
    """Of ground truths: the JSON of each."""


class _Piece(NamedTuple):
    objects: Objects
    ids: NDArray[np.uint8]
    table: pa.Table


async def layer_columns(
    masks: Masks,
    covered: Mask,
    *,
    measure: Measure,
    sizes: Sizes,
    is_truth: bool,
    space: Space,
    library: Library,
) -> LayerColumns:
    """Return the annotations of a layer's rows whose assets (an asset mask of the space) are covered."""
    parts, counts = [], np.zeros(3, np.int64)
    names = (*COLUMNS, *MORE[measure], *(TRUTH_COLUMNS if is_truth else ()))
    for segment, reader in (await library.segments(masks)).items():
        table = await reader.annotations(names)
        part, missing = _part(
            table,
            await reader.image_of(),
            await reader.classes(),
            _numbers(segment, masks[segment], covered, space),
            measure,
        )
        parts.append(part)
        counts += missing
    return LayerColumns(parts, measure, sizes, is_truth, *map(int, counts))


async def sizes_of(masks: Masks, *, space: Space, library: Library) -> Sizes:
    """Return the sizes of the images that are selected."""
    sizes = Sizes(np.zeros(space.assets + 1, np.int64), np.zeros(space.assets + 1, np.int64))
    for segment, reader in (await library.segments(masks)).items():
        if not reader.document.described:
            continue
        table, mask = await reader.images(["width", "height"]), masks[segment]
        numbers = space.asset[space.starts[segment] :][: len(mask)][mask]
        sizes.height[numbers] = table.column("height").to_numpy()[mask]
        sizes.width[numbers] = table.column("width").to_numpy()[mask]
    return sizes


def objects_of(layer: LayerColumns, class_name: str) -> ClassObjects:
    """Return the objects of one class, sorted by image and on one image in the order of the layer."""
    pieces = [_piece(part, *part.bounds[class_name]) for part in layer.parts if class_name in part.bounds]
    image = _joined((piece.objects.image for piece in pieces), np.zeros(0, np.int64))
    order = np.argsort(image, kind="stable")
    objects = Objects(
        image[order],
        _joined((piece.objects.boxes for piece in pieces), np.zeros((0, 4)))[order],
        _joined((piece.objects.crowd for piece in pieces), np.zeros(0, np.bool_))[order],
        _joined((piece.objects.score for piece in pieces), np.zeros(0))[order],
        _joined((piece.objects.area for piece in pieces), np.zeros(0))[order],
        _joined((piece.objects.optional for piece in pieces), np.zeros(0, np.bool_))[order],
        _joined((piece.objects.difficult for piece in pieces), np.zeros(0, np.bool_))[order],
    )
    ids = _joined((piece.ids for piece in pieces), np.zeros((0, 16), np.uint8))[order]
    return _shaped(ClassObjects(objects, ids), [piece.table for piece in pieces], order, layer)


def _shaped(found: ClassObjects, tables: list[pa.Table], order: Ints, layer: LayerColumns) -> ClassObjects:
    """Return objects with their masks or keypoints, and with the boxes and areas that follow from these."""
    objects, boxes, shapes = found.objects, found.objects.boxes, _shapes(tables, order, found.objects.image, layer)
    if shapes is None:
        area, optional = boxes[:, 2] * boxes[:, 3], objects.crowd
    else:
        boxes = np.where(np.isnan(boxes), shapes.boxes, boxes)
        area, optional = shapes.area(boxes, is_truth=layer.is_truth), objects.crowd | ~shapes.visible
    area = np.where(np.isnan(objects.area), area, objects.area)
    return ClassObjects(
        objects._replace(boxes=boxes, area=area, optional=optional), found.ids, shapes, _attributes(tables, order)
    )


def _attributes(tables: list[pa.Table], order: Ints) -> pa.Array | None:
    columns = [table.column("attributes").combine_chunks() for table in tables if "attributes" in table.column_names]
    return pa.concat_arrays(columns).take(pa.array(order)) if columns else None


def _shapes(tables: list[pa.Table], order: Ints, image: Ints, layer: LayerColumns) -> Shapes | None:
    if layer.measure is Measure.MASKS:
        return masks_of(tables, order, image, layer.sizes)
    return keypoints_of(tables, order) if layer.measure is Measure.KEYPOINTS else None


def _numbers(segment: Digest, mask: Mask, covered: Mask, space: Space) -> Ints:
    """Return the number of the asset of each image row, -1 where it does not count."""
    start = space.starts[segment]
    numbers = space.asset[start : start + len(mask)]
    return np.where(mask & covered[numbers], numbers, -1).astype(np.int64)


def _part(
    table: pa.Table, image_of: NDArray[np.int32], classes: ClassCodes, numbers: Ints, measure: Measure
) -> tuple[Part, NDArray[np.int64]]:
    image = numbers[image_of]
    shaped = _has_shape(table, measure)
    scored = ~table.column("confidence").is_null().to_numpy()
    here = image >= 0
    classed = classes.codes != NO_CLASS
    missing = [here & ~classed, here & classed & ~shaped, here & classed & shaped & ~scored]
    rows = np.flatnonzero(here & classed & shaped)
    codes = classes.codes[rows]
    order = np.argsort(codes, kind="stable")
    rows, codes = rows[order], codes[order]
    starts = np.searchsorted(codes, np.arange(len(classes.names) + 1)).tolist()
    bounds = {name: (starts[code], starts[code + 1]) for code, name in enumerate(classes.names)}
    return Part(table, image[rows], rows, bounds), np.array([np.count_nonzero(some) for some in missing])


def _has_shape(table: pa.Table, measure: Measure) -> Bools:
    if measure is Measure.BOXES:
        return _plain(pc.is_valid(table.column("width")))
    if measure is Measure.KEYPOINTS:
        return _plain(pc.greater(pc.list_value_length(table.column("keypoints")), 0))
    outlined = _plain(pc.greater(pc.list_value_length(table.column("polygons")), 0))
    return outlined | _plain(pc.is_valid(table.column("mask_counts")))


def _piece(part: Part, start: int, end: int) -> _Piece:
    table = part.table.take(pa.array(part.row[start:end]))
    boxes: Floats = np.stack([table.column(side).to_numpy() for side in BOX], axis=1)
    score = table.column("confidence").fill_null(NO_SCORE).to_numpy()
    crowd = table.column("crowd").to_numpy()
    area, difficult = np.full(len(crowd), np.nan), np.zeros(len(crowd), np.bool_)
    if "area" in table.column_names:
        area = table.column("area").to_numpy()
        difficult = _plain(pc.match_substring_regex(table.column("attributes"), DIFFICULT))
    objects = Objects(part.image[start:end], boxes, crowd, score, area, crowd, difficult)
    return _Piece(objects, fixed_matrix(table.column("id").combine_chunks()), table)


def _plain(column: Any) -> Bools:  # noqa: ANN401 - pyarrow has no types
    found: Bools = column.to_numpy().astype(np.bool_)
    return found


def _joined(arrays: Iterable[NDArray[S]], nothing: NDArray[S]) -> NDArray[S]:
    found = list(arrays)
    return np.concatenate(found) if found else nothing
