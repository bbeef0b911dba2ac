"""One Datumaro document: its items found at once, what each says read when its image comes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import ImageRow
from workers.formats.datumaro_annotations import Item
from workers.formats.format import IMAGE_MISSING, FileRecord, Labels, Part
from workers.formats.json_stream import Element, JsonDocument
from workers.formats.json_values import Wrong, a_list, an_object
from workers.formats.listing import ImageNames, split_of
from workers.formats.voc_names import class_name

# What a document has of classes beside their names, and we have no place for.
_NOT_KEPT: Final = {
    "mask": "the colours of classes",
    "points": "the names and joints of key points",
}


class DatumaroItems(NamedTuple):
    """Reads items of documents with the classes that each document has."""

    classes: Mapping[str, Sequence[str]]

    def __call__(self, path: Path, *, name: str, image: ImageRow | None, part: Part) -> Labels:  # noqa: ARG002 - form of a parser
        """Return what an item says of its image; raise Invalid with the JSON path of each thing that is wrong."""
        with path.open("rb") as file:
            file.seek(part.start)
            entry = orjson.loads(file.read(part.end - part.start))
        read = Item(entry, classes=self.classes[name], where=f"items[{part.position}]")
        if read.faults:
            faults = [Fault(wrong.detail, f"{name}: {wrong.where}") for wrong in read.faults]
            raise Invalid(f"{faults[0].pointer} {faults[0].detail}.", step="Correct the file.", faults=faults)
        return read.labels


class DatumaroDocument:
    """Knows where each item of a document stands; raise Invalid where it is no JSON object."""

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self._json = JsonDocument(path, name=name)
        self.classes: list[str] = []

    def found(self, names: ImageNames) -> Iterator[tuple[str, Part]]:
        """Yield the image of each item that has one; note the others, and what is wrong with the document."""
        missing = {"categories", "items"}
        taken: dict[str, Part] = {}
        for element in self._json.elements("items"):
            missing.discard(element.key)
            if element.position >= 0:
                yield from self._item(element, names, taken)
            elif element.key == "items" and element.value != []:
                self._fault("is not a list", "items")
            elif element.key == "categories":
                self._categories(element.value)
            elif element.key in {"infos", "info"} and element.value:
                self._lost("infos", "what is said of the whole dataset")
        for key in sorted(missing):
            self._fault("is missing", key)

    def record(self, image: str, item: Part) -> FileRecord:
        """Return where an image's item is, and the split that the document is of: Datumaro's subset."""
        part = item._replace(where=f": items[{item.position}]")
        return FileRecord(image, split_of(self.name), labels_file=self.name, part=part)

    def _item(self, element: Element, names: ImageNames, taken: dict[str, Part]) -> Iterator[tuple[str, Part]]:
        where = f"items[{element.position}]"
        try:
            candidates, named = self._candidates(element.value, names)
        except Wrong as error:
            self._fault(error.detail, where + error.where)
            return
        item = Part(element.position, element.start, element.end)
        if not candidates:
            detail = f"There is no image {named[:200]!r}."
            self.findings.append(Finding(subject=f"{self.name}: {where}", detail=detail, kind=IMAGE_MISSING))
        elif len(candidates) > 1:
            self._fault(f"is {named!r}, which matches both {candidates[0]} and {candidates[1]}", where)
        elif taken.setdefault(candidates[0], item) is not item:
            self._fault(f"is {candidates[0]}, as items[{taken[candidates[0]].position}] is", where)
        else:
            yield candidates[0], item

    def _candidates(self, value: Any, names: ImageNames) -> tuple[tuple[str, ...], str]:  # noqa: ANN401 - foreign JSON
        identity = value.get("id") if isinstance(value, dict) else None
        if not isinstance(identity, str):
            raise Wrong("has no id that is text")
        path = an_object(value.get("image") or value.get("media"), ".image").get("path")
        if path and not isinstance(path, str):
            raise Wrong("is not text", ".image.path")
        # Those of video frames and point clouds have no image, and are listed as missing.
        found = names.find(path, near=self.name) if path else ()
        return found or names.find_stem(identity, near=self.name), path or identity

    def _categories(self, value: Any) -> None:  # noqa: ANN401 - foreign JSON
        try:
            categories = an_object(value, "categories")
            labels = an_object(categories.get("label"), "categories.label")
            entries = a_list(labels.get("labels"), "categories.label.labels")
        except Wrong as error:
            self._fault(error.detail, error.where)
            return
        self.classes = [
            self._class(entry, f"categories.label.labels[{position}]") for position, entry in enumerate(entries)
        ]
        if any(isinstance(entry, dict) and entry.get("parent") for entry in entries):
            self._lost("categories.label.labels[].parent", "the parents of classes")
        if labels.get("label_groups"):
            self._lost("categories.label.label_groups", "the groups of classes")
        for key, detail in _NOT_KEPT.items():
            if categories.get(key):
                self._lost(f"categories.{key}", detail)

    def _class(self, entry: Any, where: str) -> str:  # noqa: ANN401 - foreign JSON
        name = entry.get("name") if isinstance(entry, dict) else None
        try:
            return class_name(name if isinstance(name, str) else "")
        except ValueError:
            self._fault(f"is no class name: {str(name)[:50]!r}", f"{where}.name")
            # Known all the same, so that its annotations are not wrong as well.
            return ""

    def _lost(self, where: str, detail: str) -> None:
        subject = f"{self.name}: {where}"
        self.findings.append(Finding(subject=subject, detail=f"{detail.capitalize()} cannot be kept.", kind="not kept"))

    def _fault(self, detail: str, path: str) -> None:
        self.faults.append(Fault(detail, f"{self.name}: {path}"))
