"""Which file of labels belongs to which image in YOLO's format, and which split."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing
from workers.formats.listing import ImageNames, base_name, folder_of, split_of, stem_of
from workers.formats.paths import Keyed, Paths
from workers.formats.yolo_settings import NAMES_FILES, YoloSettings, below

NOWHERE: Final = -1
SPLITS: Final = tuple(Split)
PEEKED_FILES: Final = 200
PEEKED_BYTES: Final = 1 << 16
_NO_LABELS: Final = frozenset({"readme.txt", "license.txt", "notes.txt", *NAMES_FILES})


class LabelFiles:
    """Finds the labels of each image: under ``labels/`` where it is under ``images/``, else beside it."""

    def __init__(self, listing: Listing, *, lists: Sequence[str]) -> None:
        others = frozenset(lists)
        files = (path for path in listing.others if path.lower().endswith(".txt"))
        self._files = Paths(
            (path for path in files if path not in others and not _is_no_label(path)), scratch=listing.scratch
        )
        self._by_path = Keyed(self._files, str)
        self._images = listing.images
        self._file_of = np.fromiter(map(self._find, listing.images), np.int32, len(listing.images))

    def in_order(self) -> Iterator[str | None]:
        """Yield the file of each image, None where there is none."""
        for number in self._file_of:
            yield None if number == NOWHERE else self._files[int(number)]

    def used(self) -> Iterator[str]:
        """Yield the files of those images that have one."""
        yield from (file for file in self.in_order() if file is not None)

    def left(self) -> Iterator[Finding]:
        """Yield a finding for each file that is no image's."""
        is_used = np.zeros(len(self._files), np.bool_)
        is_used[self._file_of[self._file_of != NOWHERE]] = True
        for number in np.flatnonzero(~is_used).tolist():
            yield Finding(subject=self._files[number], detail="There is no image for it.", kind=IMAGE_MISSING)

    def _find(self, image: str) -> int:
        stem = stem_of(image)
        for candidate in (_under_labels(stem), stem):
            if candidate is not None and (found := self._by_path.find(f"{candidate}.txt")):
                return found[0]
        return NOWHERE


class YoloSplits:
    """The splits that ``data.yaml`` gives to folders and lists of images, else those that folders are named after."""

    def __init__(self, listing: Listing, settings: YoloSettings) -> None:
        self.findings: list[Finding] = []
        self.lists: list[str] = []
        """The files that list images."""
        self._folders: dict[str, Split] = {}
        self._listing = listing
        self._settings = settings
        self._names: ImageNames | None = None
        self._codes = np.full(len(listing.images), NOWHERE, np.int8)
        for split, source in settings.sources:
            self._take(split, source)

    def in_order(self) -> Iterator[Split | None]:
        """Yield the split of each image, None where nothing names one."""
        for image, code in zip(self._listing.images, self._codes, strict=True):
            yield self._by_folder(image) if code == NOWHERE else SPLITS[int(code)]

    def _by_folder(self, image: str) -> Split | None:
        folder = folder_of(image)
        while folder:
            if folder in self._folders:
                return self._folders[folder]
            folder = folder_of(folder)
        return self._folders.get("") or split_of(folder_of(image))

    def _take(self, split: Split, source: str) -> None:
        for root in dict.fromkeys((self._settings.root, folder_of(self._settings.file), "")):
            path = below(root, source)
            if path in self._listing.others:
                self.lists.append(path)
                self._read(split, path)
                return
            if path == "" or any(image.startswith(path + "/") for image in self._listing.images):
                self._folder(split, path)
                return
        detail = f"{source[:200]!r}, given for {split}, is no folder with images and no list of them here."
        self.findings.append(Finding(subject=self._settings.file, detail=detail, kind=IMAGE_MISSING))

    def _folder(self, split: Split, path: str) -> None:
        before = self._folders.setdefault(path, split)
        if before is not split:
            detail = f"The folder {path or '.'} is given for {before} as well as for {split}, and is for {before}."
            self.findings.append(Finding(subject=self._settings.file, detail=detail, kind="split"))

    def _read(self, split: Split, path: str) -> None:
        self._names = self._names or ImageNames(self._listing.images)
        with (self._listing.folder / path).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    self._line(split, line.strip(), self._names, path, f"{path}:{number}")

    def _line(self, split: Split, line: str, names: ImageNames, path: str, where: str) -> None:
        # A path that is relative is meant from where the list is.
        found = names.positions(below(folder_of(path), line), near=path) or names.positions(line, near=path)
        if not found:
            detail = f"There is no image {line[:200]!r}."
            self.findings.append(Finding(subject=where, detail=detail, kind=IMAGE_MISSING))
            return
        before = SPLITS[int(self._codes[found[0]])] if self._codes[found[0]] != NOWHERE else split
        self._codes[found[0]] = SPLITS.index(before)
        if before is not split:
            detail = f"{self._listing.images[found[0]]} is listed for {before} as well, and stays there."
            self.findings.append(Finding(subject=where, detail=detail, kind="split"))


def peeked(folder: Path, files: Iterator[str]) -> Iterator[list[bytes]]:
    """Yield the columns of the lines at the start of the first files."""
    for _, path in zip(range(PEEKED_FILES), files, strict=False):
        with (folder / path).open("rb") as file:
            start = file.read(PEEKED_BYTES)
        lines = start.splitlines()
        # A line that may be cut off tells nothing.
        whole = lines[:-1] if len(start) == PEEKED_BYTES else lines
        yield from (columns for line in whole if (columns := line.split()))


def _is_no_label(path: str) -> bool:
    name = base_name(path).lower()
    return name in _NO_LABELS or name.startswith("readme.")


def _under_labels(stem: str) -> str | None:
    parts = stem.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            return "/".join((*parts[:place], "labels", *parts[place + 1 :]))
    return None
