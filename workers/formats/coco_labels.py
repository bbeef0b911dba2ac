"""What a COCO document says of one image, read out of the parts of it that are about that image."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from schemas.errors import Fault, Invalid
from storage.datasets.rows import AnnotationRow, ImageRow, attributes_text
from workers.formats.coco_annotations import KNOWN, annotation_row
from workers.formats.coco_places import Identity
from workers.formats.format import Labels, Part
from workers.formats.json_stream import JsonDocument
from workers.formats.json_values import Wrong

IMAGE_KEYS = frozenset(
    {"id", "file_name", "width", "height", "attributes", "license", "flickr_url", "coco_url", "date_captured"}
)


class CocoLabels(NamedTuple):
    """Reads parts of documents, whose categories it knows by the documents' names."""

    categories: Mapping[str, Mapping[Identity, str]]

    def __call__(self, path: Path, *, name: str, image: ImageRow | None, part: Part) -> Labels:  # noqa: ARG002
        """Return what is said of an image; raise Invalid with a fault for all that is wrong with that."""
        document = _opened(path, name)
        places = np.frombuffer(part.more, "<i8").reshape(-1, 3).tolist()
        entry, *annotations = document.values([(part.start, part.end), *((start, end) for _, start, end in places)])
        rows: list[AnnotationRow] = []
        faults: list[Fault] = []
        dropped = [f"images[].{key}" for key in sorted(entry.keys() - IMAGE_KEYS)]
        categories = self.categories[name]
        for (position, _, _), annotation in zip(places, annotations, strict=True):
            try:
                rows.append(annotation_row(annotation, categories))
            except Wrong as error:
                faults.append(Fault(error.detail, f"{name}: annotations[{position}]{error.where}"))
            if not annotation.keys() <= KNOWN:
                dropped += [f"annotations[].{key}" for key in sorted(annotation.keys() - KNOWN)]
        attributes: Any = entry.get("attributes") or {}
        if not isinstance(attributes, dict):
            faults.append(Fault("is not an object", f"{name}: images[{part.position}].attributes"))
        if faults:
            raise Invalid(f"{name} has faults.", step="Correct or remove the file.", faults=faults)
        width, height = entry.get("width"), entry.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        return Labels(tuple(rows), attributes_text(attributes), size, tuple(dropped))


@lru_cache(maxsize=8)
def _opened(path: Path, name: str) -> JsonDocument:
    return JsonDocument(path, name=name)
