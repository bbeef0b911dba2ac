"""One COCO document: its ids checked at once, what it says of an image read when it is that image's turn."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas.errors import Fault
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, attributes_text
from workers.formats.coco_annotations import KNOWN, annotation_row
from workers.formats.coco_places import Identity, Places, identity_of
from workers.formats.format import IMAGE_MISSING, FileRecord, Labels
from workers.formats.json_stream import Element, JsonDocument
from workers.formats.json_values import Wrong
from workers.formats.listing import ImageNames, split_of
from workers.formats.voc_labels import class_name

KEYS: Final = ("images", "annotations", "categories")
IMAGE_KEYS: Final = frozenset(
    {"id", "file_name", "width", "height", "attributes", "license", "flickr_url", "coco_url", "date_captured"}
)
# Nothing is told of a supercategory: exporters have to write one.
CATEGORY_KEYS: Final = frozenset({"id", "name", "supercategory"})


class ListedImage(NamedTuple):
    """An image of a document: its position in the list, its bytes, its file name, the number of its group, its id."""

    position: int
    start: int
    end: int
    named: str
    number: int
    identity: Identity


class CocoDocument:
    """Knows where each image and annotation of a document stands; raise Invalid where it is no JSON object."""

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self.paths: dict[Identity, str] = {}
        """The path of each listed image that is there, by its id, once ``found`` was asked for."""
        self._json = JsonDocument(path, name=name)
        self._images: dict[Identity, ListedImage] = {}
        self._categories: dict[Identity, str] = {}
        self._places = Places()
        self._scan()

    @property
    def categories(self) -> Mapping[Identity, str]:
        """The names of classes by their ids."""
        return self._categories

    def found(self, names: ImageNames) -> Iterator[tuple[str, ListedImage]]:
        """Yield the path of each listed image that is there; note those that are not, or not for sure."""
        taken: dict[str, ListedImage] = {}
        for image in self._images.values():
            where = f"images[{image.position}].file_name"
            candidates = names.find(image.named, near=self.name)
            if not candidates:
                detail = f"There is no image {image.named[:200]!r}."
                self.findings.append(Finding(subject=f"{self.name}: {where}", detail=detail, kind=IMAGE_MISSING))
            elif len(candidates) > 1:
                self._fault(f"is {image.named!r}, which matches both {candidates[0]} and {candidates[1]}", where)
            elif taken.setdefault(candidates[0], image) is not image:
                self._fault(f"is {candidates[0]}, as images[{taken[candidates[0]].position}] is", where)
            else:
                self.paths[image.identity] = candidates[0]
                yield candidates[0], image

    def labels(self, image: ListedImage) -> tuple[Labels, list[Fault]]:
        """Return what is said of an image, and all that is wrong with that."""
        entry = self._json.value(image.start, image.end)
        rows: list[AnnotationRow] = []
        dropped = [f"images[].{key}" for key in entry.keys() - IMAGE_KEYS]
        faults: list[Fault] = []
        for place in self._places.of(image.number):
            annotation = self._json.value(place.start, place.end)
            try:
                rows.append(annotation_row(annotation, self._categories))
            except Wrong as error:
                faults.append(self._at(error.detail, f"annotations[{place.position}]{error.where}"))
            if not annotation.keys() <= KNOWN:
                dropped += [f"annotations[].{key}" for key in sorted(annotation.keys() - KNOWN)]
        attributes: Any = entry.get("attributes") or {}
        if not isinstance(attributes, dict):
            faults.append(self._at("is not an object", f"images[{image.position}].attributes"))
            attributes = {}
        width, height = entry.get("width"), entry.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        return Labels(tuple(rows), attributes_text(attributes), size, tuple(dropped)), faults

    def record(self, image: str, place: ListedImage) -> FileRecord:
        """Return what is said of an image, and the split that the document is named after."""
        labels, faults = self.labels(place)
        return FileRecord(image, split_of(self.name), labels, faults=tuple(faults))

    def _at(self, detail: str, path: str) -> Fault:
        return Fault(detail, f"{self.name}: {path}")

    def _fault(self, detail: str, path: str) -> None:
        self.faults.append(self._at(detail, path))

    def _scan(self) -> None:
        take = {"images": self._image, "annotations": self._annotation, "categories": self._category}
        missing = set(KEYS)
        for element in self._json.elements(*KEYS):
            missing.discard(element.key)
            if element.position >= 0:
                take[element.key](element)
            elif element.key in take and element.value != []:
                self._fault("is not a list", element.key)
        for key in sorted(missing):
            self._fault("is missing", key)
        self._places.group()
        self._compare_ids()

    def _image(self, element: Element) -> None:
        identity = self._identity(element)
        if identity is None:
            return
        named = element.value.get("file_name")
        if not isinstance(named, str) or not named:
            self._fault("is missing or no text", f"images[{element.position}].file_name")
            named = ""
        image = ListedImage(
            element.position, element.start, element.end, named, self._places.number(identity), identity
        )
        before = self._images.setdefault(identity, image)
        if before is not image:
            self._fault(f"repeats the id {identity!r} of images[{before.position}]", f"images[{element.position}].id")

    def _category(self, element: Element) -> None:
        identity = self._identity(element)
        if identity is None:
            return
        if identity in self._categories:
            self._fault(f"repeats the id {identity!r} of another", f"categories[{element.position}].id")
        for key in sorted(element.value.keys() - CATEGORY_KEYS):
            detail = f"categories[].{key} cannot be kept: {str(element.value[key])[:200]}"
            self.findings.append(
                Finding(subject=f"{self.name}: categories[{element.position}]", detail=detail, kind="not kept")
            )
        try:
            self._categories[identity] = class_name(element.value.get("name", ""))
        except (ValueError, AttributeError, TypeError):
            self._fault(
                f"is no class name: {str(element.value.get('name'))[:50]!r}", f"categories[{element.position}].name"
            )
            # Known all the same, so that its annotations are not wrong as well.
            self._categories[identity] = ""

    def _annotation(self, element: Element) -> None:
        where = f"annotations[{element.position}]"
        value = element.value if isinstance(element.value, dict) else {}
        image = identity_of(value.get("image_id"))
        self._places.add(element.start, element.end, image=image)
        if image is None:
            self._fault("is not an object with an image_id", where)
        # Many tools number annotations not at all; one without an id repeats none.
        identity = identity_of(value.get("id"))
        if identity is not None and not self._places.is_new(identity):
            self._fault(f"repeats the id {identity!r} of another", f"{where}.id")

    def _identity(self, element: Element) -> Identity | None:
        identity = identity_of(element.value.get("id")) if isinstance(element.value, dict) else None
        if identity is None:
            self._fault("has no id that is a number or text", f"{element.key}[{element.position}]")
        return identity

    def _compare_ids(self) -> None:
        for position, before in self._places.repeated():
            self._fault(f"repeats the id of annotations[{before}]", f"annotations[{position}].id")
        listed = {image.number for image in self._images.values()}
        for identity, place in self._places.strays(listed):
            detail = f"names the image {identity!r}, which is not listed"
            self._fault(detail, f"annotations[{place.position}].image_id")
