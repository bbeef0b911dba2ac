"""JSON files of Label Studio: which tasks they have, and the image of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from schemas.errors import Fault
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing, Part
from workers.formats.json_stream import Element, JsonDocument
from workers.formats.listing import IMAGE_SUFFIXES, ImageNames, base_name, split_of

NOWHERE: Final = -1
SPLITS: Final = tuple(Split)
_UPLOADED: Final = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that is uploaded."""


class TaskPlaces:
    """Where the task about each image stands, in a few bytes; raise Invalid where a file is no JSON."""

    def __init__(self, listing: Listing, files: Sequence[str]) -> None:
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self._files = files
        self._images = listing.images
        # Of each image: file, split, and position, start and end of the task.
        self._file_of = np.full(len(listing.images), NOWHERE, np.int32)
        self._split_of = np.full(len(listing.images), NOWHERE, np.int8)
        self._parts = np.zeros((len(listing.images), 3), np.int64)
        names = ImageNames(listing.images)
        for number, file in enumerate(files):
            for element in JsonDocument(listing.folder / file, name=file).items():
                self._take(element, number, names, f"{file}: [{element.position}]")

    def in_order(self) -> Iterator[tuple[str, Part, Split | None] | None]:
        """Yield the file, place and split of the task about each image, None where there is none."""
        for file, split, part in zip(self._file_of, self._split_of, self._parts, strict=True):
            if file == NOWHERE:
                yield None
            else:
                yield self._files[int(file)], Part(*part.tolist()), None if split == NOWHERE else SPLITS[int(split)]

    def _take(self, element: Element, file: int, names: ImageNames, where: str) -> None:
        if not isinstance(element.value, dict):
            self.faults.append(Fault("is not an object", where))
            return
        image = self._image(element.value, names, where)
        if image is None:
            return
        if self._file_of[image] != NOWHERE:
            before = self._files[int(self._file_of[image])]
            self.faults.append(Fault(f"is about {self._images[image]}, as a task of {before} is", where))
            return
        split = _split(element.value)
        self._file_of[image] = file
        self._split_of[image] = NOWHERE if split is None else SPLITS.index(split)
        self._parts[image] = element.position, element.start, element.end

    def _image(self, task: Mapping[str, Any], names: ImageNames, where: str) -> int | None:
        named = [*image_names(task)]
        for name in named:
            found = names.positions(name, near=where)
            if len(found) == 1:
                return found[0]
            if found:
                one, other = (self._images[place] for place in found[:2])
                self.faults.append(Fault(f"names {name[:200]!r}, which matches both {one} and {other}", where))
                return None
        detail = f"There is no image {named[0][:200]!r}." if named else "It names no image."
        self.findings.append(Finding(subject=where, detail=detail, kind=IMAGE_MISSING))
        return None


def image_names(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names under which the image of a task may be known, the likeliest first."""
    data = task.get("data")
    values = data if isinstance(data, dict) else task
    ordered = sorted(values.items(), key=lambda item: item[0] != "image")
    found = [path for _, value in ordered if isinstance(value, str) and (path := _path_of(value))]
    uploaded = task.get("file_upload")
    if isinstance(uploaded, str):
        found.append(uploaded)
    for path in found:
        yield path
        folder, slash, name = path.rpartition("/")
        if _UPLOADED.match(name):
            yield folder + slash + name[9:]


def _path_of(value: str) -> str | None:
    """Return the path of an image that a text names: a path, an address, or a file that Label Studio serves."""
    try:
        parts = urlsplit(value)
        served = parse_qs(parts.query).get("d")
    except ValueError:
        return None
    path = served[0] if served else unquote(parts.path)
    suffix = "." + base_name(path).rpartition(".")[2].lower()
    return path.lstrip("/") if suffix in IMAGE_SUFFIXES else None


def _split(task: Mapping[str, Any]) -> Split | None:
    data = task.get("data")
    split = data.get("split") if isinstance(data, dict) else None
    return split_of(split) if isinstance(split, str) else None
