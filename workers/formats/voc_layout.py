"""Which XML file belongs to which image, and which split an image is listed in."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing
from workers.formats.listing import base_name, folder_of, split_of, stem_of
from workers.formats.voc_labels import file_name_in

_FLAG: Final = re.compile(r"\s+-?[01]$")
LISTS: Final = {"train": Split.TRAINING, "val": Split.VALIDATION, "test": Split.TEST}


class NamedIn(Protocol):
    """Finds the name of the image that a file of annotations speaks of."""

    def __call__(self, data: bytes, *, name: str) -> str:
        """Return the name, empty for none; raise Invalid where the file cannot be read."""


class Matches:
    """Gives each image at most one file of annotations: by path, else by stem, else by the name inside."""

    def __init__(
        self,
        folder: Path,
        images: Sequence[str],
        *,
        ignoring: frozenset[str],
        named_in: NamedIn | None = file_name_in,
    ) -> None:
        self.files: dict[str, str] = {}
        """The file of annotations of each image that has one."""
        self.findings: list[Finding] = []
        self.faults: list[Fault] = []
        self._folder = folder
        self._named_in = named_in
        self._ignoring = ignoring
        self._by_path = _grouped(images, [self._path_key(image) for image in images])
        self._by_stem = _grouped(images, [base_name(stem_of(image)) for image in images])
        self._images = images
        self._by_name: dict[str, tuple[str, ...]] | None = None

    def add(self, path: str) -> None:
        """Give a file of annotations to its image; note where there is none, or more than one."""
        candidates = self._by_path.get(self._path_key(path)) or self._by_stem.get(base_name(stem_of(path)), ())
        if len(candidates) != 1:
            candidates = self._named_inside(path, candidates)
        if not candidates:
            self.findings.append(Finding(subject=path, detail="There is no image for it.", kind=IMAGE_MISSING))
        elif len(candidates) > 1:
            self.faults.append(Fault(f"matches both {candidates[0]} and {candidates[1]}", path))
        elif (taken := self.files.setdefault(candidates[0], path)) != path:
            self.faults.append(Fault(f"and {taken} both match {candidates[0]}", path))

    def _path_key(self, path: str) -> str:
        folder, _, name = stem_of(path).rpartition("/")
        parts = [part for part in folder.split("/") if part and part.lower() not in self._ignoring]
        return "/".join((*parts, name))

    def _named_inside(self, path: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
        if self._named_in is None:
            return candidates
        try:
            name = base_name(self._named_in((self._folder / path).read_bytes(), name=path))
        except Invalid as error:
            self.faults.extend(error.faults)
            return candidates[:1]
        if candidates:
            return tuple(image for image in candidates if base_name(image) == name) or candidates
        if self._by_name is None:
            self._by_name = _grouped(self._images, [base_name(image) for image in self._images])
        return self._by_name.get(name, ())


def is_split_list(path: str) -> bool:
    """Return whether a file is ImageSets/Main/train.txt, or one like it."""
    *folders, name = path.lower().split("/")
    return "imagesets" in folders and name.endswith(".txt") and stem_of(name) in LISTS


class ListedSplits:
    """The splits that ImageSets/Main/{train,val,test}.txt list, else those that folders are named after."""

    def __init__(self, listing: Listing) -> None:
        self.findings: list[Finding] = []
        self._listed: dict[str, Split] = {}
        self._stems = frozenset(base_name(stem_of(image)) for image in listing.images)
        for path in listing.others:
            if is_split_list(path):
                self._read(listing.folder / path, path, LISTS[stem_of(base_name(path.lower()))])

    def of(self, image: str) -> Split | None:
        """Return the split of an image, None where nothing names one."""
        if self._listed:
            return self._listed.get(base_name(stem_of(image)))
        return split_of(folder_of(image))

    def _read(self, path: Path, file: str, split: Split) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            name = self._name(line.strip())
            if not name:
                continue
            before = self._listed.setdefault(name, split)
            if before is not split:
                detail = f"{name} is listed for {before} as well, and stays there."
                self.findings.append(Finding(subject=f"{file}:{number}", detail=detail, kind="split"))

    def _name(self, line: str) -> str:
        """Return the stem that a line lists; lists of one class have -1, 0 or 1 after it."""
        name = _listed_name(line)
        return name if name in self._stems else _listed_name(_FLAG.sub("", line))


def _listed_name(line: str) -> str:
    name = base_name(line)
    # A stem may have dots of its own; only what is an image's suffix is cut off.
    return stem_of(name) if name.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")) else name


def _grouped(images: Sequence[str], keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for image, key in zip(images, keys, strict=True):
        groups[key] = (*groups.get(key, ()), image)
    return groups
