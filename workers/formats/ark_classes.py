"""Lists of classes that lie beside annotations and give their numbers names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.errors import Fault
from workers.foreign_yaml import read_yaml
from workers.formats.format import Listing
from workers.formats.listing import base_name, folder_of
from workers.formats.voc_names import class_name

NAMES: Final = ("classes.txt", "class_names.txt", "labels.txt", "labels.csv", "labels.yaml")
BYTES_AT_MOST: Final = 4 << 20


class ClassLists:
    """The lists of classes of a folder; each file of annotations has that which is nearest above it."""

    def __init__(self, listing: Listing) -> None:
        self.faults: list[Fault] = []
        self._lists: dict[str, Sequence[str]] = {}
        for wanted in NAMES:
            for path in listing.others:
                if base_name(path).lower() == wanted and folder_of(path) not in self._lists:
                    self._lists[folder_of(path)] = self._read(listing.folder / path, path)

    def near(self, path: str) -> Sequence[str] | None:
        """Return the names of classes in the order of their numbers; None where there is no list."""
        folder = folder_of(path)
        while folder and folder not in self._lists:
            folder = folder_of(folder)
        if folder in self._lists:
            return self._lists[folder]
        return next(iter(self._lists.values())) if len(self._lists) == 1 else None

    def _read(self, path: Path, name: str) -> Sequence[str]:
        try:
            data = path.read_bytes()[:BYTES_AT_MOST]
            text = data.decode("utf-8-sig")
            if name.endswith(".yaml"):
                return [class_name(str(entry["name"])) for entry in read_yaml(text)["labels"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.faults.append(Fault(f"is no list of classes: {str(error)[:200]}", name))
            return ()
        return self._csv(text, name) if name.lower().endswith(".csv") else self._lines(text, name)

    def _lines(self, text: str, name: str) -> Sequence[str]:
        lines = text.rstrip().splitlines()
        return [self._class(line, f"{name}:{number}") for number, line in enumerate(lines, start=1)]

    def _csv(self, text: str, name: str) -> Sequence[str]:
        """Return main names as ``labels.csv`` has them: ``id,,main name,alias…``, from 0 on without a gap."""
        names: list[str] = []
        for number, line in enumerate(text.splitlines(), start=1):
            words = [word.strip() for word in line.split(",")]
            if line.lstrip().startswith("#") or len(words) < len(("id", "name")):
                continue
            if words[0] != str(len(names)):
                self.faults.append(
                    Fault(f"has the number {words[0][:50]!r} where {len(names)} comes", f"{name}:{number}")
                )
            names.append(self._class(words[1] or "".join(words[2:3]), f"{name}:{number}"))
        return names

    def _class(self, text: str, where: str) -> str:
        try:
            return class_name(text)
        except ValueError as error:
            self.faults.append(Fault(f"is no class name ({error}): {text.strip()[:50]!r}", where))
            return ""


def is_class_list(path: str) -> bool:
    """Return whether a file has one of the names of lists of classes."""
    return base_name(path).lower() in NAMES
