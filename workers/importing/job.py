"""A job of the image pool: some images of a source, and how they are to be looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from schemas.annotations import LayerName
from schemas.exchange_parameters import UnknownClasses
from workers.formats.format import FileRecord, Parse, ParsePart
from workers.images import Limits
from workers.importing.known import Known


class Job(NamedTuple):
    """Some images to inspect, and how what is said of them is to be read."""

    folder: Path
    records: tuple[FileRecord, ...]
    limits: Limits
    layer: LayerName
    parse: Parse | None = None
    """Reads the files of annotations."""
    parse_part: ParsePart | None = None
    """Reads parts of documents about many images."""
    names: Mapping[str, str] = {}
    """The main name of each class and alias."""
    policy: UnknownClasses = UnknownClasses.ADD
    known: Known = Known()
    images: bool = True
    """False: only the files of annotations are read."""
