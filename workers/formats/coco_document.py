"""One COCO document: its ids checked at once, and where in it what is said of each image stands."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Fault
from schemas.reports import Finding
from workers.formats.coco_ids import NONE, Identities, Repeated
from workers.formats.coco_places import Identity, identity_of
from workers.formats.format import IMAGE_MISSING, Part
from workers.formats.json_stream import Block, JsonDocument
from workers.formats.listing import ImageNames
from workers.formats.runs import Rows, Runs
from workers.formats.voc_names import class_name

KEYS: Final = ("images", "annotations", "categories")
NOWHERE: Final = -1
# Nothing is told of a supercategory: exporters have to write one.
CATEGORY_KEYS: Final = frozenset({"id", "name", "supercategory"})


class CocoDocument:
    """Knows where each image and annotation of a document stands; raise Invalid where it is no JSON object."""

    def __init__(self, path: Path, *, name: str, scratch: Path | None = None) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self.categories: dict[Identity, str] = {}
        self._json = JsonDocument(path, name=name)
        self._scratch = scratch
        self._identities = Identities()
        # Key, start and end of each; the position in its list is the number of its row.
        self._images = Runs(3, scratch=scratch)
        self._annotations = Runs(3, scratch=scratch)
        self._image_ids, self._annotation_ids = Repeated(scratch=scratch), Repeated(scratch=scratch)
        # Which image of this document each image of the folder is, once ``find`` was asked.
        self._image_of = np.zeros(0, np.int32)
        self._scan()
        self._repeated = self._compare_ids()
        self._check_images()

    def find(self, names: ImageNames, *, total: int) -> NDArray[np.int32]:
        """Return which image of the document each of ``total`` names is, -1: none; note images that are not there."""
        image_of = np.full(total, NOWHERE, np.int32)
        for number, (key, start, end) in enumerate(row for rows in self._images.blocks() for row in rows.tolist()):
            if key == NONE or number in self._repeated:
                continue
            named, where = self._named(start, end), f"images[{number}].file_name"
            candidates = names.positions(named, near=self.name)
            if not candidates:
                detail = f"There is no image {named[:200]!r}."
                self.findings.append(Finding(subject=f"{self.name}: {where}", detail=detail, kind=IMAGE_MISSING))
            elif len(candidates) > 1:
                one, other = names.find(named, near=self.name)[:2]
                self._fault(f"is {named!r}, which matches both {one} and {other}", where)
            elif image_of[candidates[0]] != NOWHERE:
                (path,) = names.find(named, near=self.name)
                self._fault(f"is {path}, as images[{image_of[candidates[0]]}] is", where)
            else:
                image_of[candidates[0]] = number
        self._image_of = image_of
        return image_of

    def paths(self, images: Sequence[str]) -> dict[Identity, str]:
        """Return the path of each listed image that is there, by its id."""
        keys = np.concatenate([np.zeros(0, np.int64), *(rows[:, 0] for rows in self._images.blocks())])
        there = np.flatnonzero(self._image_of != NOWHERE).tolist()
        return {self._identities.of(int(keys[self._image_of[place]])): images[place] for place in there}

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Yield where what is said of each image stands, with its place among those that ``find`` returned."""
        for rows in self._placed().in_order(len(self._image_of)):
            yield from _grouped(rows)

    def _placed(self) -> Runs:
        """Return place, number, start and end of each image that is there, then of all its annotations."""
        place_of = np.full(len(self._images), NOWHERE, np.int64)
        there = np.flatnonzero(self._image_of != NOWHERE)
        place_of[self._image_of[there]] = there
        placed = Runs(4, scratch=self._scratch)
        for first, rows in _numbered(self._images):
            numbers = np.arange(first, first + len(rows))
            placed.add(_with_place(place_of[numbers], numbers, rows))
        keys, order = self._keys()
        for first, rows in _numbered(self._annotations):
            numbers = _looked_up(rows[:, 0], keys, order)
            places = np.where(numbers == NOWHERE, NOWHERE, place_of[numbers])
            placed.add(_with_place(places, np.arange(first, first + len(rows)), rows))
        return placed

    def _named(self, start: int, end: int) -> str:
        named = self._json.value(start, end).get("file_name")
        return named if isinstance(named, str) else ""

    def _fault(self, detail: str, path: str) -> None:
        self.faults.append(Fault(detail, f"{self.name}: {path}"))

    def _scan(self) -> None:
        take = {"images": self._take_images, "annotations": self._take_annotations, "categories": self._take_categories}
        missing = set(KEYS)
        for block in self._json.blocks(*KEYS):
            missing.discard(block.key)
            if block.position >= 0:
                take[block.key](block)
            elif block.key in take and block.values[0] != []:
                self._fault("is not a list", block.key)
        for key in sorted(missing):
            self._fault("is missing", key)

    def _take_images(self, block: Block) -> None:
        keys = self._identities.keys(_fields(block, "id"))
        self._images.add(np.stack([keys, block.starts, block.ends], axis=1))
        self._image_ids.add(keys, block.position)
        for number, value in enumerate(block.values, start=block.position):
            if keys[number - block.position] == NONE:
                self._fault("has no id that is a number or text", f"images[{number}]")
            elif not isinstance(value.get("file_name"), str) or not value["file_name"]:
                self._fault("is missing or no text", f"images[{number}].file_name")

    def _take_annotations(self, block: Block) -> None:
        images = self._identities.keys(_fields(block, "image_id"))
        self._annotations.add(np.stack([images, block.starts, block.ends], axis=1))
        for number in np.flatnonzero(images == NONE).tolist():
            self._fault("is not an object with an image_id", f"annotations[{block.position + number}]")
        # Many tools number annotations not at all; one without an id repeats none.
        self._annotation_ids.add(self._identities.keys(_fields(block, "id")), block.position)

    def _take_categories(self, block: Block) -> None:
        for number, value in enumerate(block.values, start=block.position):
            identity = identity_of(value.get("id")) if isinstance(value, dict) else None
            if identity is None:
                self._fault("has no id that is a number or text", f"categories[{number}]")
                continue
            for key in sorted(value.keys() - CATEGORY_KEYS):
                detail = f"categories[].{key} cannot be kept: {str(value[key])[:200]}"
                subject = f"{self.name}: categories[{number}]"
                self.findings.append(Finding(subject=subject, detail=detail, kind="not kept"))
            if identity in self.categories:
                self._fault(f"repeats the id {identity!r} of another", f"categories[{number}].id")
            try:
                self.categories[identity] = class_name(value.get("name", ""))
            except (ValueError, AttributeError, TypeError):
                detail = f"is no class name: {str(value.get('name'))[:50]!r}"
                self._fault(detail, f"categories[{number}].name")
                # Known all the same, so that its annotations are not wrong as well.
                self.categories[identity] = ""

    def _compare_ids(self) -> frozenset[int]:
        """Note ids that repeat others; return the images that have such."""
        repeated = sorted(self._image_ids.again())
        for position, before, key in repeated:
            identity = self._identities.of(key)
            self._fault(f"repeats the id {identity!r} of images[{before}]", f"images[{position}].id")
        for position, before, _ in self._annotation_ids.again():
            self._fault(f"repeats the id of annotations[{before}]", f"annotations[{position}].id")
        return frozenset(position for position, *_ in repeated)

    def _check_images(self) -> None:
        """Note annotations of images that are not listed."""
        keys, order = self._keys()
        for first, rows in _numbered(self._annotations):
            strays = (rows[:, 0] != NONE) & (_looked_up(rows[:, 0], keys, order) == NOWHERE)
            for number in np.flatnonzero(strays).tolist():
                detail = f"names the image {self._identities.of(int(rows[number, 0]))!r}, which is not listed"
                self._fault(detail, f"annotations[{first + number}].image_id")

    def _keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the keys of all images in order, and the number of each; of equal ones the first comes first."""
        keys = np.concatenate([np.zeros(0, np.int64), *(rows[:, 0] for rows in self._images.blocks())])
        order = np.argsort(keys, kind="stable")
        return keys[order], order


def _fields(block: Block, name: str) -> list[Any]:
    return [value.get(name) if type(value) is dict else None for value in block.values]


def _numbered(runs: Runs) -> Iterator[tuple[int, Rows]]:
    first = 0
    for rows in runs.blocks():
        yield first, rows
        first += len(rows)


def _looked_up(keys: NDArray[np.int64], known: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each key, -1 for one that is not known."""
    if not len(known):
        return np.full(len(keys), NOWHERE, np.int64)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where((known[place] == keys) & (keys != NONE), order[place], NOWHERE)


def _with_place(places: NDArray[np.int64], numbers: NDArray[np.int64], rows: Rows) -> Rows:
    there = places != NOWHERE
    return np.stack([places[there], numbers[there], rows[there, 1], rows[there, 2]], axis=1)


def _grouped(rows: Rows) -> Iterator[tuple[int, Part]]:
    """Yield an image and its annotations, which follow it, as one part."""
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=NOWHERE)).tolist()
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        place, number, begin, stop = rows[start].tolist()
        yield place, Part(number, begin, stop, more=rows[start + 1 : end, 1:].tobytes())
