"""A folder of links to the files that an index names: what an import by index reads, wherever the files lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from client.mir.codes import Code, MirError

IMAGES: Final = "images"
ANNOTATIONS: Final = "annotations"
COCO_SUFFIX: Final = ".json"
TOLD: Final = 5


class Staged(NamedTuple):
    """How many images were linked, and what is worth saying of the other lines."""

    images: int
    left_out: tuple[str, ...]


def is_index(path: Path) -> bool:
    """Return whether a path is that of an index file."""
    return path.suffix.lower() in {".txt", ".tsv", ".csv"} and path.is_file()


def stage(index: Path, into: Path, *, annotations: Path | None, suffix: str) -> Staged:
    """Link the images of an index into ``images/``, and the annotations of the same stems beside them.

    Annotations are one file for each image with ``suffix`` (``.xml``), or documents of all images (``.json``). Raise
    MirError if the index or the folder of annotations cannot be read, or no line names a file.
    """
    if annotations is not None and not annotations.is_dir():
        raise MirError(Code.INVALID_DATASET, f"there is no folder {annotations}", step="Correct the path.")
    staging = _Staging(into, annotations, suffix)
    for number, path in _lines(index):
        staging.add(path, f"{index}, line {number}")
    if not staging.count:
        step = "Each line is the path of an image; after a tab anything may follow."
        more = "".join(f"\n  {line}" for line in staging.left_out()[:TOLD])
        raise MirError(Code.INVALID_FILE, f"{index} names no file that is there{more}", step=step)
    if annotations is not None and suffix == COCO_SUFFIX:
        for path in sorted(annotations.glob("*.json")):
            (into / ANNOTATIONS / path.name).symlink_to(path.resolve())
    return Staged(staging.count, tuple(staging.left_out()))


class _Staging:
    def __init__(self, into: Path, annotations: Path | None, suffix: str) -> None:
        self.count = 0
        self._into = into
        self._annotations = annotations
        self._suffix = suffix
        self._paths: set[str] = set()
        self._stems: dict[str, int] = {}
        self._missing: list[str] = []
        self._repeated = 0
        for name in (IMAGES, ANNOTATIONS):
            (into / name).mkdir(parents=True)

    def add(self, path: Path, where: str) -> None:
        """Link an image and its annotations; what is no file is noted."""
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
            self._missing.append(f"{where}: {path} {what}")
            return
        if str(path) in self._paths:
            self._repeated += 1
            return
        self._paths.add(str(path))
        self.count += 1
        # Images of one name come from several folders: each gets a folder of its own, beside that of its annotations.
        number = self._stems[path.stem] = self._stems.get(path.stem, 0) + 1
        folder = "" if number == 1 else str(number)
        self._link(path, IMAGES, folder, path.name)
        if self._annotations is not None and self._suffix != COCO_SUFFIX:
            labels = self._annotations / f"{path.stem}{self._suffix}"
            if labels.is_file():
                self._link(labels, ANNOTATIONS, folder, labels.name)

    def left_out(self) -> list[str]:
        """Return a line for each image that is left out, the repeated ones counted."""
        repeated = [f"{self._repeated} lines repeat an earlier one"] if self._repeated else []
        return [*self._missing, *repeated]

    def _link(self, path: Path, kind: str, folder: str, name: str) -> None:
        place = self._into / kind / folder
        if folder:
            place.mkdir(exist_ok=True)
        (place / name).symlink_to(path.absolute())


def _lines(index: Path) -> Iterator[tuple[int, Path]]:
    try:
        with index.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\r\n").partition("\t")[0].strip()
                if text:
                    path = Path(text).expanduser()
                    yield number, path if path.is_absolute() or path.exists() else index.parent / path
    except OSError as error:
        message = f"the index file {index} cannot be read: {error.strerror}"
        raise MirError(Code.INVALID_FILE, message, step="Correct the path.") from error
