"""Annotations as plain columns: quick to make in one process and to send to another, turned into a segment there."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.datasets.annotation_ids import annotation_ids
from storage.datasets.rows import ID_BYTES, AnnotationRow, MaskRow

NO_BOX: Final = (np.nan,) * 4
FIELD: Final = {name: position for position, name in enumerate(AnnotationRow._fields)}
_DEFAULTS: Final = AnnotationRow._field_defaults
_PLAIN: Final = ("rotation", "mask", "crowd", "area", "confidence", "quality", "attributes", "author")

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


class Lists(NamedTuple):
    """A list of numbers for each row, behind one another."""

    lengths: Ints
    values: Floats


class Packed(NamedTuple):
    """The annotations of some images. A column that says nothing in any row is None, or missing in ``plain``."""

    counts: Ints
    """How many annotations each image has."""
    ids: bytes
    """16 bytes for each annotation."""
    given: NDArray[np.bool_] | None
    """Which annotations came with their id; None: none did."""
    names: tuple[str | None, ...]
    codes: Ints
    """The place of each annotation's class among the names."""
    boxes: Floats
    """Of shape (n, 4)."""
    boxless: NDArray[np.bool_] | None
    """Which annotations have no box; their numbers mean nothing."""
    polygons: tuple[Ints, Lists] | None
    """How many polygons each annotation has, and the numbers of each polygon."""
    keypoints: Lists | None
    plain: dict[str, list[Any]]
    """The other fields as they are in rows."""

    @property
    def rows(self) -> int:
        """How many annotations there are."""
        return len(self.codes)


def packed(annotations: Sequence[Sequence[AnnotationRow]], *, assets: Sequence[bytes], layer: str) -> Packed:
    """Return the annotations of some images, each with its id; raise Invalid if an image has one id twice."""
    rows = list(chain.from_iterable(annotations))
    counts = np.fromiter(map(len, annotations), np.int32, len(annotations))
    of_image = np.repeat(np.arange(len(annotations), dtype=np.int32), counts)
    boxes, boxless = _boxes(_field(rows, "box"))
    names, codes = _coded(_field(rows, "class_name"))
    given = np.fromiter((row.id is not None for row in rows), np.bool_, len(rows))
    return Packed(
        counts=counts,
        ids=annotation_ids(rows, of_image, assets=assets, layer=layer),
        given=given if given.any() else None,
        names=names,
        codes=codes,
        boxes=boxes,
        boxless=boxless,
        polygons=_polygons(_field(rows, "polygons")),
        keypoints=_lists(_field(rows, "keypoints")),
        plain={name: values for name in _PLAIN if _says(values := _field(rows, name), _DEFAULTS[name])},
    )


def joined(packs: Sequence[Packed]) -> Packed:
    """Return the annotations of all images, one pack after the other."""
    if len(packs) == 1:
        return packs[0]
    names: dict[str | None, int] = {}
    codes = [
        np.array([names.setdefault(name, len(names)) for name in pack.names], np.int32)[pack.codes] for pack in packs
    ]
    return Packed(
        counts=_concatenated([pack.counts for pack in packs], np.int32),
        ids=b"".join(pack.ids for pack in packs),
        given=_masks(packs, lambda pack: pack.given),
        names=tuple(names),
        codes=_concatenated(codes, np.int32),
        boxes=np.concatenate([pack.boxes for pack in packs]) if packs else np.zeros((0, 4)),
        boxless=_masks(packs, lambda pack: pack.boxless),
        polygons=_joined_polygons(packs),
        keypoints=_joined_lists([(pack.keypoints, pack.rows) for pack in packs]),
        plain={
            name: list(chain.from_iterable(pack.plain.get(name) or [_DEFAULTS[name]] * pack.rows for pack in packs))
            for name in sorted({name for pack in packs for name in pack.plain})
        },
    )


def part(pack: Packed, image: int) -> Packed:
    """Return the annotations of one image alone."""
    rows = slice(int(pack.counts[:image].sum()), int(pack.counts[: image + 1].sum()))
    return Packed(
        counts=pack.counts[image : image + 1].copy(),
        ids=pack.ids[ID_BYTES * rows.start : ID_BYTES * rows.stop],
        given=None if pack.given is None else pack.given[rows].copy(),
        names=pack.names,
        codes=pack.codes[rows].copy(),
        boxes=pack.boxes[rows].copy(),
        boxless=None if pack.boxless is None else pack.boxless[rows].copy(),
        polygons=None if pack.polygons is None else _part_of_polygons(*pack.polygons, rows),
        keypoints=None if pack.keypoints is None else _part_of_lists(pack.keypoints, rows),
        plain={name: values[rows] for name, values in pack.plain.items()},
    )


def unpacked(pack: Packed) -> list[tuple[AnnotationRow, ...]]:
    """Return the annotations of each image as rows, without the ids that were derived."""
    rows = iter(_rows(pack))
    return [tuple(islice(rows, count)) for count in pack.counts.tolist()]


def _rows(pack: Packed) -> list[AnnotationRow]:
    boxes = [tuple(box) for box in pack.boxes.tolist()]
    columns: dict[str, Iterable[Any]] = {
        "class_name": [pack.names[code] for code in pack.codes.tolist()],
        "box": boxes if pack.boxless is None else map(_unless, pack.boxless.tolist(), boxes),
        **pack.plain,
    }
    if pack.polygons is not None:
        polygons = iter(_tuples(pack.polygons[1]))
        columns["polygons"] = [tuple(islice(polygons, count)) for count in pack.polygons[0].tolist()]
    if pack.keypoints is not None:
        columns["keypoints"] = _tuples(pack.keypoints)
    if pack.given is not None:
        ids = (pack.ids[start : start + ID_BYTES] for start in range(0, len(pack.ids), ID_BYTES))
        columns["id"] = (one if given else None for given, one in zip(pack.given.tolist(), ids, strict=True))
    whole = [columns.get(name, repeat(_DEFAULTS[name], pack.rows)) for name in AnnotationRow._fields]
    return [AnnotationRow(*values) for values in zip(*whole, strict=True)]


def _unless(missing: bool, value: tuple[float, ...]) -> tuple[float, ...] | None:  # noqa: FBT001 - for map
    return None if missing else value


def _tuples(lists: Lists) -> list[tuple[float, ...]]:
    values = iter(lists.values.tolist())
    return [tuple(islice(values, length)) for length in lists.lengths.tolist()]


def _part_of_lists(lists: Lists, rows: slice) -> Lists:
    start, end = int(lists.lengths[: rows.start].sum()), int(lists.lengths[: rows.stop].sum())
    return Lists(lists.lengths[rows].copy(), lists.values[start:end].copy())


def _part_of_polygons(counts: Ints, lists: Lists, rows: slice) -> tuple[Ints, Lists]:
    polygons = slice(int(counts[: rows.start].sum()), int(counts[: rows.stop].sum()))
    return counts[rows].copy(), _part_of_lists(lists, polygons)


def _field(rows: Sequence[AnnotationRow], name: str) -> list[Any]:
    return list(map(itemgetter(FIELD[name]), rows))


def _says(values: list[Any], default: object) -> bool:
    # Most columns are empty as a whole, and to see that is much quicker than to send them.
    return values.count(default) < len(values)


def _boxes(boxes: list[Any]) -> tuple[Floats, NDArray[np.bool_] | None]:
    boxless = None
    if None in boxes:
        boxless = np.fromiter((box is None for box in boxes), np.bool_, len(boxes))
        boxes = [NO_BOX if box is None else box for box in boxes]
    flat = np.fromiter(chain.from_iterable(boxes), np.float64, len(NO_BOX) * len(boxes))
    return flat.reshape(-1, len(NO_BOX)), boxless


def _coded(values: list[str | None]) -> tuple[tuple[str | None, ...], Ints]:
    names: dict[str | None, int] = {}
    for value in dict.fromkeys(values):
        names[value] = len(names)
    return tuple(names), np.fromiter(map(names.__getitem__, values), np.int32, len(values))


def _lists(values: list[tuple[float, ...]]) -> Lists | None:
    if not any(values):
        return None
    lengths = np.fromiter(map(len, values), np.int32, len(values))
    return Lists(lengths, np.fromiter(chain.from_iterable(values), np.float64, int(lengths.sum())))


def _polygons(values: list[tuple[tuple[float, ...], ...]]) -> tuple[Ints, Lists] | None:
    if not any(values):
        return None
    counts = np.fromiter(map(len, values), np.int32, len(values))
    inner = _lists(list(chain.from_iterable(values)))
    return counts, inner or Lists(np.zeros(int(counts.sum()), np.int32), np.zeros(0))


def _concatenated(arrays: list[Any], kind: Any) -> Any:  # noqa: ANN401 - numpy's own words
    return np.concatenate(arrays) if arrays else np.zeros(0, kind)


def _masks(packs: Sequence[Packed], of: Callable[[Packed], Any]) -> NDArray[np.bool_] | None:
    if all(of(pack) is None for pack in packs):
        return None
    return np.concatenate([np.zeros(pack.rows, np.bool_) if of(pack) is None else of(pack) for pack in packs])


def _joined_lists(lists: Sequence[tuple[Lists | None, int]]) -> Lists | None:
    if all(one is None for one, _ in lists):
        return None
    whole = [one or Lists(np.zeros(rows, np.int32), np.zeros(0)) for one, rows in lists]
    return Lists(np.concatenate([one.lengths for one in whole]), np.concatenate([one.values for one in whole]))


def _joined_polygons(packs: Sequence[Packed]) -> tuple[Ints, Lists] | None:
    inner = _joined_lists([(None if pack.polygons is None else pack.polygons[1], 0) for pack in packs])
    if inner is None:
        return None
    counts = [np.zeros(pack.rows, np.int32) if pack.polygons is None else pack.polygons[0] for pack in packs]
    return np.concatenate(counts), inner


def mask_column(masks: list[MaskRow | None], name: str) -> list[Any]:
    """Return one field of masks, None where there is no mask."""
    return [None if mask is None else getattr(mask, name) for mask in masks]
