"""A JSON file of Label Studio: which tasks it has, and the image of each."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from schemas.errors import Fault
from schemas.reports import Finding
from schemas.splits import Split
from workers.formats.format import IMAGE_MISSING, Part
from workers.formats.json_stream import JsonDocument
from workers.formats.listing import IMAGE_SUFFIXES, ImageNames, base_name, split_of

_UPLOADED: Final = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that is uploaded."""


class LabelStudioDocument:
    """Knows where each task stands that is about an image that is there; raise Invalid where it is no JSON."""

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self._json = JsonDocument(path, name=name)

    def tasks(self, names: ImageNames) -> Iterator[tuple[str, Part, Split | None]]:
        """Yield image, place and split of each task; note those whose image is not there, or not for sure."""
        for element in self._json.items():
            where = f"{self.name}: [{element.position}]"
            task = element.value
            if not isinstance(task, dict):
                self.faults.append(Fault("is not an object", where))
                continue
            image = self._image(task, names, where)
            if image is not None:
                yield image, Part(element.position, element.start, element.end), _split(task)

    def _image(self, task: Mapping[str, Any], names: ImageNames, where: str) -> str | None:
        named = [*image_names(task)]
        for name in named:
            found = names.find(name, near=self.name)
            if len(found) == 1:
                return found[0]
            if found:
                detail = f"names {name[:200]!r}, which matches both {found[0]} and {found[1]}"
                self.faults.append(Fault(detail, where))
                return None
        detail = f"There is no image {named[0][:200]!r}." if named else "It names no image."
        self.findings.append(Finding(subject=where, detail=detail, kind=IMAGE_MISSING))
        return None


def image_names(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names under which the image of a task may be known, the likeliest first."""
    data = task.get("data")
    values = data if isinstance(data, dict) else task
    ordered = sorted(values.items(), key=lambda item: item[0] != "image")
    found = [path for _, value in ordered if isinstance(value, str) and (path := _path_of(value))]
    uploaded = task.get("file_upload")
    if isinstance(uploaded, str):
        found.append(uploaded)
    for path in found:
        yield path
        folder, slash, name = path.rpartition("/")
        if _UPLOADED.match(name):
            yield folder + slash + name[9:]


def _path_of(value: str) -> str | None:
    """Return the path of an image that a text names: a path, an address, or a file that Label Studio serves."""
    try:
        parts = urlsplit(value)
        served = parse_qs(parts.query).get("d")
    except ValueError:
        return None
    path = served[0] if served else unquote(parts.path)
    suffix = "." + base_name(path).rpartition(".")[2].lower()
    return path.lstrip("/") if suffix in IMAGE_SUFFIXES else None


def _split(task: Mapping[str, Any]) -> Split | None:
    data = task.get("data")
    split = data.get("split") if isinstance(data, dict) else None
    return split_of(split) if isinstance(split, str) else None
