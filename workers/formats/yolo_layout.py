"""Which file of labels belongs to which image in YOLO's format, and which split."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing
from workers.formats.listing import ImageNames, base_name, folder_of, split_of, stem_of
from workers.formats.yolo_settings import NAMES_FILES, YoloSettings, below

PEEKED_FILES: Final = 200
PEEKED_BYTES: Final = 1 << 16
_NO_LABELS: Final = frozenset({"readme.txt", "license.txt", "notes.txt", *NAMES_FILES})


class LabelFiles:
    """Finds the labels of an image: under ``labels/`` where it is under ``images/``, else beside it."""

    def __init__(self, listing: Listing, *, lists: Sequence[str]) -> None:
        others = frozenset(lists)
        self._files = {
            path
            for path in listing.others
            if path.lower().endswith(".txt") and path not in others and not _is_no_label(path)
        }

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def of(self, image: str) -> str | None:
        """Return the file of an image, None where there is none."""
        stem = stem_of(image)
        for candidate in (_under_labels(stem), stem):
            if candidate is not None and f"{candidate}.txt" in self._files:
                return f"{candidate}.txt"
        return None

    def left(self, used: set[str]) -> Iterator[Finding]:
        """Yield a finding for each file that is no image's."""
        for path in sorted(self._files - used):
            yield Finding(subject=path, detail="There is no image for it.", kind=IMAGE_MISSING)


class YoloSplits:
    """The splits that ``data.yaml`` gives to folders and lists of images, else those that folders are named after."""

    def __init__(self, listing: Listing, settings: YoloSettings) -> None:
        self.findings: list[Finding] = []
        self.lists: list[str] = []
        """The files that list images."""
        self._listed: dict[str, Split] = {}
        self._folders: dict[str, Split] = {}
        self._listing = listing
        self._settings = settings
        self._others = frozenset(listing.others)
        self._images = frozenset(listing.images)
        for split, source in settings.sources:
            self._take(split, source)

    def of(self, image: str) -> Split | None:
        """Return the split of an image, None where nothing names one."""
        listed = self._listed.get(image)
        if listed is not None:
            return listed
        folder = folder_of(image)
        while folder:
            if folder in self._folders:
                return self._folders[folder]
            folder = folder_of(folder)
        return self._folders.get("") or split_of(folder_of(image))

    def _take(self, split: Split, source: str) -> None:
        for root in (self._settings.root, folder_of(self._settings.file), ""):
            path = below(root, source)
            if path in self._others:
                self.lists.append(path)
                self._read(split, path)
                return
            if path == "" or any(image.startswith(path + "/") for image in self._images):
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
        names = ImageNames(self._listing.images)
        with (self._listing.folder / path).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    self._line(split, line.strip(), names, path, f"{path}:{number}")

    def _line(self, split: Split, line: str, names: ImageNames, path: str, where: str) -> None:
        beside = below(folder_of(path), line)
        found = (beside,) if beside in self._images else names.find(line, near=path)
        if not found:
            detail = f"There is no image {line[:200]!r}."
            self.findings.append(Finding(subject=where, detail=detail, kind=IMAGE_MISSING))
        for image in found[:1]:
            before = self._listed.setdefault(image, split)
            if before is not split:
                detail = f"{image} is listed for {before} as well, and stays there."
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
