"""Which XML file belongs to which image, and which split an image is listed in."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing
from workers.formats.listing import base_name, folder_of, split_of, stem_of
from workers.formats.paths import Keyed, Paths
from workers.formats.voc_labels import file_name_in

NOWHERE: Final = -1
SPLITS: Final = tuple(Split)
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
        scratch: Path | None = None,
    ) -> None:
        self.findings: list[Finding] = []
        self.faults: list[Fault] = []
        self._folder = folder
        self._named_in = named_in
        self._ignoring = ignoring
        self._images = images
        self._by_path = Keyed(images, self._path_key)
        self._by_stem: Keyed | None = None
        self._by_name: Keyed | None = None
        # Of each image the number of its file among those that were taken, -1 for none.
        self._file_of = np.full(len(images), NOWHERE, np.int32)
        self._taken = Paths((), scratch=scratch)

    @property
    def files(self) -> dict[str, str]:
        """The file of annotations of each image that has one, as a new dictionary."""
        files = zip(self._images, self.in_order(), strict=True)
        return {image: file for image, file in files if file is not None}

    def in_order(self) -> Iterator[str | None]:
        """Yield, for each image in their order, its file of annotations, None where it has none."""
        for number in self._file_of:
            yield None if number == NOWHERE else self._taken[int(number)]

    def add(self, path: str) -> None:
        """Give a file of annotations to its image; note where there is none, or more than one."""
        candidates = self._by_path.find(self._path_key(path)) or self._with_stem(base_name(stem_of(path)))
        if len(candidates) != 1:
            candidates = self._named_inside(path, candidates)
        if not candidates:
            self.findings.append(Finding(subject=path, detail="There is no image for it.", kind=IMAGE_MISSING))
        elif len(candidates) > 1:
            one, other = (self._images[place] for place in candidates[:2])
            self.faults.append(Fault(f"matches both {one} and {other}", path))
        elif (number := self._file_of[candidates[0]]) != NOWHERE:
            taken, image = self._taken[int(number)], self._images[candidates[0]]
            self.faults.append(Fault(f"and {taken} both match {image}", path))
        else:
            self._file_of[candidates[0]] = len(self._taken)
            self._taken.append(path)

    def _with_stem(self, stem: str) -> list[int]:
        if self._by_stem is None:
            self._by_stem = Keyed(self._images, lambda image: base_name(stem_of(image)))
        return self._by_stem.find(stem)

    def _path_key(self, path: str) -> str:
        folder, _, name = stem_of(path).rpartition("/")
        parts = [part for part in folder.split("/") if part and part.lower() not in self._ignoring]
        return "/".join((*parts, name))

    def _named_inside(self, path: str, candidates: list[int]) -> list[int]:
        if self._named_in is None:
            return candidates
        try:
            name = base_name(self._named_in((self._folder / path).read_bytes(), name=path))
        except Invalid as error:
            self.faults.extend(error.faults)
            return candidates[:1]
        if candidates:
            return [place for place in candidates if base_name(self._images[place]) == name] or candidates
        if self._by_name is None:
            self._by_name = Keyed(self._images, base_name)
        return self._by_name.find(name)


def is_split_list(path: str) -> bool:
    """Return whether a file is ImageSets/Main/train.txt, or one like it."""
    *folders, name = path.lower().split("/")
    return "imagesets" in folders and name.endswith(".txt") and stem_of(name) in LISTS


class ListedSplits:
    """The splits that ImageSets/Main/{train,val,test}.txt list, else those that folders are named after."""

    def __init__(self, listing: Listing, images: Sequence[str]) -> None:
        self.findings: list[Finding] = []
        self._images = images
        self._by_stem: Keyed | None = None
        self._codes = np.full(len(images), NOWHERE, np.int8)
        self._without_image: dict[str, Split] = {}
        for path in listing.others:
            if is_split_list(path):
                self._read(listing.folder / path, path, LISTS[stem_of(base_name(path.lower()))])

    def in_order(self) -> Iterator[Split | None]:
        """Yield the split of each image in their order, None where nothing names one."""
        if self._by_stem is None:
            yield from (split_of(folder_of(image)) for image in self._images)
        else:
            yield from (None if code == NOWHERE else SPLITS[code] for code in self._codes)

    def _read(self, path: Path, file: str, split: Split) -> None:
        if self._by_stem is None:
            self._by_stem = Keyed(self._images, lambda image: base_name(stem_of(image)))
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                name, places = self._named(line.strip(), self._by_stem)
                before = self._put(name, places, split) if name else split
                if before is not split:
                    detail = f"{name} is listed for {before} as well, and stays there."
                    self.findings.append(Finding(subject=f"{file}:{number}", detail=detail, kind="split"))

    def _put(self, name: str, places: list[int], split: Split) -> Split:
        """Give images a split unless they have one; return the one that they have."""
        if not places:
            return self._without_image.setdefault(name, split)
        if self._codes[places[0]] == NOWHERE:
            self._codes[places] = SPLITS.index(split)
        return SPLITS[int(self._codes[places[0]])]

    @staticmethod
    def _named(line: str, by_stem: Keyed) -> tuple[str, list[int]]:
        """Return the stem that a line lists, and its images; lists of one class have -1, 0 or 1 after it."""
        name = _listed_name(line)
        places = by_stem.find(name)
        if places:
            return name, places
        name = _listed_name(_FLAG.sub("", line))
        return name, by_stem.find(name)


def _listed_name(line: str) -> str:
    name = base_name(line)
    # A stem may have dots of its own; only what is an image's suffix is cut off.
    return stem_of(name) if name.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")) else name
