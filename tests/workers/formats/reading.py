"""A folder of files written for a test, and all that is read of it."""

from pathlib import Path
from typing import NamedTuple

import orjson

from schemas.errors import Fault, Invalid
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.format import FileRecord, Labels, Reading
from workers.formats.listing import list_files
from workers.formats.registry import detect, format_named

IMAGE = ImageRow(b"", width=40, height=30)


class Read(NamedTuple):
    """What was read: of each image its labels and split, and everything that is wrong."""

    reading: Reading
    labels: dict[str, Labels | None]
    splits: dict[str, Split | None]
    faults: list[Fault]

    @property
    def rows(self) -> tuple[AnnotationRow, ...]:
        """The annotations of all images."""
        return tuple(row for labels in self.labels.values() if labels for row in labels.annotations)

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(dropped for labels in self.labels.values() if labels for dropped in labels.dropped)

    @property
    def only(self) -> Labels:
        """The labels of the one image."""
        (labels,) = self.labels.values()
        assert labels is not None
        return labels


def read(folder: Path, form: str, files: dict[str, object], *, image: ImageRow = IMAGE, detected: bool = True) -> Read:
    """Write files (JSON unless text or bytes) and read the folder; names of images are files without content."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data if isinstance(data, bytes) else orjson.dumps(data))
    listing = list_files(folder)
    if detected:
        assert detect(listing).name == form
    reading = format_named(form).read(listing)
    result = Read(reading, {}, {}, list(reading.faults))
    for record in reading.records:
        labels = record.labels
        result.faults.extend(record.faults)
        if record.labels_file is not None:
            try:
                labels = _parsed(folder, reading, record, image)
            except Invalid as error:
                result.faults.extend(error.faults)
        result.labels[record.image] = labels
        result.splits[record.image] = record.split
    return result


def faults_of(folder: Path, form: str, files: dict[str, object]) -> list[Fault]:
    """Return what is wrong with a folder, whether it can be read or not."""
    try:
        return read(folder, form, files).faults
    except Invalid as error:
        return list(error.faults)


def _parsed(folder: Path, reading: Reading, record: FileRecord, image: ImageRow) -> Labels:
    name = record.labels_file or ""
    if record.part is None:
        assert reading.parse is not None
        return reading.parse(folder / name, name=name, image=image)
    assert reading.parse_part is not None
    return reading.parse_part(folder / name, name=name, image=image, part=record.part)
