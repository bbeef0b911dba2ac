"""LabelMe (wkentaro's): one JSON file for each image, beside it or not."""

import mmap
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import ImageRow
from workers.formats.format import IMAGE_MISSING, FileRecord, Labels, Listing, Reading
from workers.formats.labelme_shapes import labels_of
from workers.formats.listing import ImageNames, base_name, folder_of, split_of, stem_of

PEEK_BYTES: Final = 1 << 16
BYTES_AT_MOST: Final = 16 << 20
_SHAPES: Final = re.compile(rb'"shapes"\s*:')
_OTHERS: Final = re.compile(rb'"(imagePath|imageData|imageHeight)"\s*:')
# Bounded, since each letter takes more memory while it is matched than it has.
_PATH: Final = re.compile(rb'"imagePath"\s*:\s*("(?:[^"\\]|\\.){0,20000}")')
# The picture itself, as base64, which has neither quotes nor backslashes.
_PICTURE: Final = re.compile(rb'"imageData"\s*:\s*"([A-Za-z0-9+/=\\nr]{64,})"')


class LabelMe:
    """Images and JSON files of the same names, or that name their images."""

    name = "labelme"
    looks_for = "JSON with shapes and imagePath, one for each image"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a JSON file that looks like one of LabelMe's."""
        return any(_looks_right(listing.folder / path) for path in _json_files(listing))

    def read(self, listing: Listing) -> Reading:
        """Return each image with the file that names it, else has its stem; one without a file is not annotated."""
        matches = _Matches(listing)
        for path in _json_files(listing):
            if _looks_right(listing.folder / path):
                matches.add(path)
            else:
                matches.findings.append(Finding(subject=path, detail="left out: no file of LabelMe", kind="left out"))
        records = _records(listing.images, matches.files)
        return Reading(len(listing.images), records, matches.findings, matches.faults, parse_file)


def parse_file(path: Path, *, name: str, image: ImageRow | None) -> Labels:
    """Return what a file says; raise Invalid with a fault for each thing that is wrong in it.

    The picture that it may hold is cut out before anything is read.
    """
    return labels_of(_value(path, name), name=name, image=image)


class _Matches:
    """Gives each image at most one file: by the name inside, else by the stem."""

    def __init__(self, listing: Listing) -> None:
        self.files: dict[str, str] = {}
        self.findings: list[Finding] = []
        self.faults: list[Fault] = []
        self._folder = listing.folder
        self._names = ImageNames(listing.images)

    def add(self, path: str) -> None:
        """Give a file to its image; note where there is none, or more than one."""
        named, has_picture = _look_inside(self._folder / path)
        candidates = self._names.find(named, near=path) if named else ()
        candidates = candidates or self._names.find_stem(stem_of(path), near=path)
        if not candidates:
            detail = _missing(named, has_picture=has_picture)
            self.findings.append(Finding(subject=path, detail=detail, kind=IMAGE_MISSING))
        elif len(candidates) > 1:
            self.faults.append(Fault(f"matches both {candidates[0]} and {candidates[1]}", path))
        elif (taken := self.files.setdefault(candidates[0], path)) != path:
            self.faults.append(Fault(f"and {taken} both match {candidates[0]}", path))


def _json_files(listing: Listing) -> Iterable[str]:
    return (path for path in listing.others if path.lower().endswith(".json"))


def looks_like_labelme(ends: bytes) -> bool:
    """Return whether a JSON file, known by its ends, is one of LabelMe's."""
    # A picture of some size may stand before the shapes, as it does in files that other tools sorted by key.
    return bool(_OTHERS.search(ends)) and bool(_SHAPES.search(ends))


def _looks_right(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(PEEK_BYTES)
        file.seek(max(0, path.stat().st_size - PEEK_BYTES))
        return looks_like_labelme(head + file.read())


def _look_inside(path: Path) -> tuple[str, bool]:
    """Return the name of the image that a file speaks of, and whether it holds the picture."""
    if not path.stat().st_size:
        return "", False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found, picture = _PATH.search(data), _PICTURE.search(data)
        try:
            return (orjson.loads(found[1]) if found else ""), bool(picture)
        except orjson.JSONDecodeError:
            return "", bool(picture)


def _missing(named: str, *, has_picture: bool) -> str:
    name = base_name(named.replace("\\", "/"))[:200]
    if has_picture:
        return (
            f"There is no image {name!r}; the file holds the picture itself as imageData, which is not taken: decode "
            "it (base64) into a file of that name beside this one, for example with labelme_export_json."
        )
    return f"There is no image {name!r} for it."


def _records(images: Sequence[str], files: Mapping[str, str]) -> Iterator[FileRecord]:
    for image in images:
        yield FileRecord(image, split_of(folder_of(image)), labels_file=files.get(image))


def _value(path: Path, name: str) -> Any:  # noqa: ANN401 - foreign JSON
    if not path.stat().st_size:
        raise Invalid(f"{name} is empty.", step="Remove the file.", faults=[Fault("it is empty", name)])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        picture = _PICTURE.search(data)
        start, end = picture.span(1) if picture else (0, 0)
        if len(data) - (end - start) > BYTES_AT_MOST:
            detail = f"has more than {BYTES_AT_MOST >> 20} MiB beside its picture"
            raise Invalid(f"{name} {detail}.", step="Split or remove it.", faults=[Fault(detail, name)])
        text = (data[:start] + data[end:]).removeprefix(BOM_UTF8)
        del picture
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        line = text.count(b"\n", 0, error.pos) + 1
        fault = Fault(f"not usable JSON: {error.msg}", f"{name}:{line}")
        message = f"{name}, line {line}: {fault.detail}."
        raise Invalid(message, step="Correct or remove the file.", faults=[fault]) from None
