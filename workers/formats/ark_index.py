"""Index files: which annotations belong to which image, and which split it is in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import Fault
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Listing
from workers.formats.listing import ImageNames, base_name

INDEX_NAMES: Final[Mapping[str, Split | None]] = {
    "index.tsv": None,
    "idx-gt.tsv": None,
    "train-index.tsv": Split.TRAINING,
    "val-index.tsv": Split.VALIDATION,
    "test-index.tsv": Split.TEST,
}
FOLDER_SPLITS: Final = {"train": Split.TRAINING, "val": Split.VALIDATION, "test": Split.TEST}


class Indexes:
    """What all index files of a folder say: lines of an image and, after a tab, its file of annotations."""

    def __init__(self, listing: Listing) -> None:
        self.files: dict[str, str] = {}
        """The file of annotations of each image that has one."""
        self.splits: dict[str, Split] = {}
        self.findings: list[Finding] = []
        self.faults: list[Fault] = []
        self._images = ImageNames(listing.images)
        self._others = ImageNames([path for path in listing.others if path.lower().endswith(".txt")])
        for path in listing.others:
            name = base_name(path).lower()
            if name in INDEX_NAMES:
                # As releases before 1.0 had it: train/index.tsv.
                by_folder = FOLDER_SPLITS.get(base_name(path.lower().removesuffix(f"/{name}")))
                self._read(listing.folder / path, path, INDEX_NAMES[name] or by_folder)

    def _read(self, path: Path, name: str, split: Split | None) -> None:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                image_path, _, annotation_path = (word.strip() for word in line.partition("\t"))
                if image_path:
                    self._line(image_path, annotation_path, f"{name}:{number}", split)

    def _line(self, image_path: str, annotation_path: str, where: str, split: Split | None) -> None:
        image = self._one(self._images, image_path, where)
        if image is None:
            return
        if split is not None and self.splits.setdefault(image, split) is not split:
            detail = f"{image} is listed for {self.splits[image]} as well, and stays there."
            self.findings.append(Finding(subject=where, detail=detail, kind="split"))
        if not annotation_path:
            return
        file = self._one(self._others, annotation_path, where)
        if file is not None and self.files.setdefault(image, file) != file:
            self.faults.append(Fault(f"gives {image} the annotations {file}; it has {self.files[image]}", where))

    def _one(self, names: ImageNames, path: str, where: str) -> str | None:
        found = names.find(path, near=where)
        if len(found) > 1:
            self.faults.append(Fault(f"{path[:200]!r} matches both {found[0]} and {found[1]}", where))
            return None
        if not found:
            detail = f"There is no file {path[:200]!r}."
            self.findings.append(Finding(subject=where, detail=detail, kind=IMAGE_MISSING))
            return None
        return found[0]
