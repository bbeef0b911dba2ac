"""Results as COCO's evaluation takes them: a bare list of annotations with scores, whose names are elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.annotations import LayerName
from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow
from workers.formats.coco_annotations import KNOWN, annotation_row
from workers.formats.coco_places import Identity, Places, identity_of
from workers.formats.format import IMAGE_MISSING, Labels
from workers.formats.json_stream import JsonDocument
from workers.formats.json_values import Wrong
from workers.formats.label_studio_task import layer_named
from workers.formats.listing import base_name, stem_of

DIGITS: Final = 19
NUMBERED: Final = "numbered classes"


class CocoResults:
    """Knows where the results of each image stand in a file; raise Invalid where it is no JSON."""

    def __init__(self, path: Path, *, name: str, categories: Mapping[Identity, str]) -> None:
        self.name = name
        self.layer: LayerName = layer_named(base_name(stem_of(name)))
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self._categories = dict(categories)
        self._has_names = bool(categories)
        self._json = JsonDocument(path, name=name)
        self._places = Places()
        self._identities: dict[Identity, int] = {}
        for element in self._json.items():
            self._take(element.value, element.position, element.start, element.end)
        self._places.group()
        if not self._has_names:
            detail = "No document names the categories: classes are called by their numbers."
            self.findings.append(Finding(subject=name, detail=detail, kind=NUMBERED))

    def identities(self) -> Iterator[Identity]:
        """Yield the ids of the images that there are results of."""
        yield from self._identities

    def missing(self, identity: Identity) -> None:
        """Note results of an image that is not there."""
        number = self._identities[identity]
        count = sum(1 for _ in self._places.of(number))
        detail = f"There is no image of the id {identity!r}, which has {count} results."
        self.findings.append(Finding(subject=self.name, detail=detail, kind=IMAGE_MISSING))

    def labels(self, identity: Identity) -> tuple[Labels, list[Fault]]:
        """Return the results of an image, and all that is wrong with them."""
        rows: list[AnnotationRow] = []
        faults: list[Fault] = []
        dropped: list[str] = []
        for place in self._places.of(self._identities.get(identity, -2)):
            entry = self._json.value(place.start, place.end)
            try:
                rows.append(annotation_row(entry, self._categories))
            except Wrong as error:
                faults.append(Fault(error.detail, f"{self.name}: [{place.position}]{error.where}"))
            dropped += [f"[].{key}" for key in sorted(entry.keys() - KNOWN)]
        return Labels(tuple(rows), dropped=tuple(dict.fromkeys(dropped))), faults

    def _take(self, value: object, position: int, start: int, end: int) -> None:
        entry = value if isinstance(value, dict) else {}
        if "segments_info" in entry or "caption" in entry:
            raise _no_objects(self.name)
        image = identity_of(entry.get("image_id"))
        self._places.add(start, end, image=image)
        if image is None:
            self.faults.append(Fault("is not an object with an image_id", f"{self.name}: [{position}]"))
            return
        self._identities.setdefault(image, self._places.number(image))
        category = identity_of(entry.get("category_id"))
        if not self._has_names and category is not None:
            self._categories.setdefault(category, str(category).strip().lower()[:200] or "0")


def by_numbers(images: Sequence[str]) -> dict[Identity, str]:
    """Return images by what results without a list of images may call them: file name, stem, or the stem's number."""
    found: dict[Identity, str] = {}
    for image in images:
        name = base_name(image)
        stem = stem_of(name)
        called: list[Identity] = [image, name, stem]
        if stem.isdecimal() and len(stem) < DIGITS:
            called.append(int(stem))
        for identity in called:
            found.setdefault(identity, image)
    return found


def _no_objects(name: str) -> Invalid:
    message = f"{name} has captions or panoptic segments, which are no annotations of objects."
    return Invalid(
        message, step="Leave the file out, or convert it to COCO's instances.", faults=[Fault(message, name)]
    )
