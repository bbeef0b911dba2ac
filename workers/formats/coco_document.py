"""One COCO document, checked whole: which labels it has for which image."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from schemas.errors import Fault
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, attributes_text
from workers.formats.coco_annotations import KNOWN, Wrong, annotation_row
from workers.formats.format import IMAGE_MISSING, Labels
from workers.formats.listing import ImageNames
from workers.formats.voc_labels import class_name

IMAGE_KEYS: Final = frozenset(
    {"id", "file_name", "width", "height", "attributes", "license", "flickr_url", "coco_url", "date_captured"}
)
CATEGORY_KEYS: Final = frozenset({"id", "name", "supercategory", "isthing", "color"})


class CocoDocument:
    """Reads one document; what is wrong or worth saying goes into the lists it is given."""

    def __init__(self, document: dict[str, Any], *, name: str, faults: list[Fault], findings: list[Finding]) -> None:
        self._document = document
        self._name = name
        self._faults = faults
        self._findings = findings
        self._dropped: Counter[str] = Counter()

    def labels(self, names: ImageNames) -> Iterator[tuple[str, Labels]]:
        """Yield each image that is there with its labels; one without annotations is annotated as empty."""
        images = self._by_id("images")
        of_image = self._annotations(images, self._categories())
        taken: dict[str, str] = {}
        for identity, (path, image) in images.items():
            found = self._find(path, image, names)
            if found is None:
                continue
            if found in taken:
                self._fault(f"is {found}, as {taken[found]} is", f"{path}.file_name")
                continue
            taken[found] = path
            yield found, self._labels(path, image, of_image.pop(identity, []))
        self._tell_dropped()

    def _fault(self, detail: str, path: str) -> None:
        self._faults.append(Fault(detail, f"{self._name}: {path}"))

    def _list(self, key: str) -> list[Any]:
        value = self._document.pop(key, None)
        if not isinstance(value, list):
            self._fault("is missing" if value is None else "is not a list", key)
            return []
        return value

    def _by_id(self, key: str) -> dict[str | int, tuple[str, dict[str, Any]]]:
        entries: dict[str | int, tuple[str, dict[str, Any]]] = {}
        for position, entry in enumerate(self._list(key)):
            path = f"{key}[{position}]"
            identity = entry.get("id") if isinstance(entry, dict) else None
            if not isinstance(identity, (int, str)):
                self._fault("has no id that is a number or text", path)
            elif entries.setdefault(identity, (path, entry))[1] is not entry:
                self._fault(f"repeats the id {identity!r} of {entries[identity][0]}", f"{path}.id")
        return entries

    def _categories(self) -> dict[str | int, str]:
        names: dict[str | int, str] = {}
        for identity, (path, category) in self._by_id("categories").items():
            self._dropped.update(f"categories[].{key}" for key in category.keys() - CATEGORY_KEYS)
            try:
                names[identity] = class_name(category.get("name", ""))
            except (ValueError, AttributeError, TypeError):
                self._fault(f"is no class name: {str(category.get('name'))[:50]!r}", f"{path}.name")
                names[identity] = ""
        return names

    def _annotations(
        self, images: dict[str | int, tuple[str, dict[str, Any]]], categories: dict[str | int, str]
    ) -> dict[str | int, list[AnnotationRow]]:
        of_image: dict[str | int, list[AnnotationRow]] = defaultdict(list)
        ids: dict[str | int, int] = {}
        entries = self._list("annotations")
        for position, entry in enumerate(entries):
            # Let go at once: the tree of a large document is several times its rows.
            entries[position] = None
            try:
                identity, image = entry.get("id", -1 - position), entry["image_id"]
                if ids.setdefault(identity, position) != position:
                    self._fault(f"repeats the id of annotations[{ids[identity]}]", f"annotations[{position}].id")
                if image not in images:
                    self._fault(f"names the image {image!r}, which is not listed", f"annotations[{position}].image_id")
                    continue
                of_image[image].append(annotation_row(entry, categories))
                if not entry.keys() <= KNOWN:
                    self._dropped.update(f"annotations[].{key}" for key in entry.keys() - KNOWN)
            except Wrong as error:
                self._fault(error.detail, f"annotations[{position}]{error.where}")
            except (AttributeError, KeyError, TypeError):
                self._fault("is not an object with an image_id", f"annotations[{position}]")
        return of_image

    def _find(self, path: str, image: dict[str, Any], names: ImageNames) -> str | None:
        named = image.get("file_name")
        if not isinstance(named, str) or not named:
            self._fault("is missing or no text", f"{path}.file_name")
            return None
        found = names.find(named, near=self._name)
        if len(found) > 1:
            self._fault(f"is {named!r}, which matches both {found[0]} and {found[1]}", f"{path}.file_name")
        if not found:
            detail = f"There is no image {named[:200]!r}."
            self._findings.append(Finding(subject=f"{self._name}: {path}", detail=detail, kind=IMAGE_MISSING))
        return found[0] if len(found) == 1 else None

    def _labels(self, path: str, image: dict[str, Any], rows: list[AnnotationRow]) -> Labels:
        attributes: Any = image.get("attributes") or {}
        if not isinstance(attributes, dict):
            self._fault("is not an object", f"{path}.attributes")
            attributes = {}
        if not image.keys() <= IMAGE_KEYS:
            self._dropped.update(f"images[].{key}" for key in image.keys() - IMAGE_KEYS)
        width, height = image.get("width"), image.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        return Labels(tuple(rows), attributes_text(attributes), size)

    def _tell_dropped(self) -> None:
        self._findings.extend(
            Finding(subject=self._name, detail=f"{key} cannot be kept; it is there {count} times.", kind="not kept")
            for key, count in sorted(self._dropped.items())
        )
