"""One CVAT document: its images found at once, the shapes of each read when it comes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from schemas.splits import Split
from storage.datasets.rows import ImageRow
from workers.formats.cvat_shapes import CvatImage, InputTypes
from workers.formats.format import IMAGE_MISSING, FileRecord, Labels, Part
from workers.formats.listing import ImageNames, split_of
from workers.formats.xml_stream import Element, XmlDocument
from workers.formats.xml_tree import Node, read_tree


class ListedImage(NamedTuple):
    """An image of a document: where its element stands, and the split that it names."""

    line: int
    start: int
    end: int
    split: Split | None


class CvatImages(NamedTuple):
    """Reads images of documents with the types of attributes that each document declares."""

    types: Mapping[str, InputTypes]

    def __call__(self, path: Path, *, name: str, image: ImageRow | None, part: Part) -> Labels:  # noqa: ARG002 - form of a parser
        """Return what an element says of its image; raise Invalid with the line of each thing that is wrong."""
        with path.open("rb") as file:
            file.seek(part.start)
            data = file.read(part.end - part.start)
        return labels_of(read_tree(data, name=name, line=part.position), name=name, types=self.types[name])


class CvatDocument:
    """Knows where each image of a document stands."""

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self._xml = XmlDocument(path, name=name)
        self.types: InputTypes = {}

    def found(self, names: ImageNames) -> Iterator[tuple[str, ListedImage]]:
        """Yield each listed image that is there; note those that are not.

        Raise Invalid where it is no XML, or speaks of a video.
        """
        taken: dict[str, ListedImage] = {}
        for element in self._xml.elements():
            if element.name == "image":
                yield from self._image(element, names, taken)
            elif element.name == "meta":
                self.types = _input_types(self._xml.tree(element))
            elif element.name == "track":
                raise self._of_a_video(element)
            elif element.name != "version":
                detail = f"<{element.name[:50]}> cannot be kept."
                self.findings.append(Finding(subject=self._at(element.line), detail=detail, kind="not kept"))
        if self._xml.root != "annotations":
            self._fault(f"the outermost element is <{self._xml.root[:50]}>, not <annotations>", 1)

    def record(self, image: str, place: ListedImage) -> FileRecord:
        """Return where an image's element is, or what it says; and its subset, else that of the document's name."""
        split = place.split or split_of(self.name)
        part = Part(place.line, place.start, place.end, f":{place.line}")
        if self._xml.is_file:
            return FileRecord(image, split, labels_file=self.name, part=part)
        try:
            node = self._xml.tree(Element("image", {}, place.line, place.start, place.end))
            return FileRecord(image, split, labels_of(node, name=self.name, types=self.types))
        except Invalid as error:
            return FileRecord(image, split, faults=tuple(error.faults))

    def _image(
        self, element: Element, names: ImageNames, taken: dict[str, ListedImage]
    ) -> Iterator[tuple[str, ListedImage]]:
        named = element.attributes.get("name", "")
        candidates = names.find(named, near=self.name)
        split = split_of(element.attributes.get("subset", ""))
        place = ListedImage(element.line, element.start, element.end, split)
        if not named:
            self._fault("<image> has no name", element.line)
        elif not candidates:
            detail = f"There is no image {named[:200]!r}."
            self.findings.append(Finding(subject=self._at(element.line), detail=detail, kind=IMAGE_MISSING))
        elif len(candidates) > 1:
            self._fault(f"{named!r} matches both {candidates[0]} and {candidates[1]}", element.line)
        elif taken.setdefault(candidates[0], place) is not place:
            self._fault(f"{candidates[0]} is listed in line {taken[candidates[0]].line} as well", element.line)
        else:
            yield candidates[0], place

    def _of_a_video(self, element: Element) -> Invalid:
        where = self._at(element.line)
        fault = Fault("<track> is of the schema `CVAT for video 1.1`, whose shapes belong to tracks", where)
        message = f"{where} is in the format `CVAT for video 1.1`, which has tracks and frames, not images."
        return Invalid(message, step="Export the task as `CVAT for images 1.1`, with its images.", faults=[fault])

    def _at(self, line: int) -> str:
        return f"{self.name}:{line}"

    def _fault(self, detail: str, line: int) -> None:
        self.faults.append(Fault(detail, self._at(line)))


def _input_types(meta: Node) -> InputTypes:
    """Return how each attribute of each label is entered, as the description of the task or project says."""
    types: InputTypes = {}
    for label in _below(meta, "label"):
        name = label.child("name")
        for attribute in _below(label, "attribute"):
            key, kind = attribute.child("name"), attribute.child("input_type")
            if name is not None and key is not None and kind is not None:
                types[name.text.strip(), key.text.strip()] = kind.text.strip()
    return types


def _below(node: Node, name: str) -> Iterator[Node]:
    for child in node.children:
        if child.name == name:
            yield child
        else:
            yield from _below(child, name)


def labels_of(node: Node, *, name: str, types: InputTypes) -> Labels:
    """Return what an element says of its image; raise Invalid with the line of each thing that is wrong."""
    read = CvatImage(node, types=types)
    if read.faults:
        faults = [Fault(detail, f"{name}:{line}") for detail, line in read.faults]
        raise Invalid(f"{faults[0].pointer} {faults[0].detail}.", step="Correct the file.", faults=faults)
    return read.labels
