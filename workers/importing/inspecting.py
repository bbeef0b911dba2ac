"""What a process of the image pool finds out of some images and their labels."""

import hashlib
import signal
from collections import defaultdict
from collections.abc import Mapping
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.errors import Fault
from schemas.reports import Finding
from storage.datasets.packing import Packed, packed
from storage.datasets.rows import ID_BYTES, AnnotationRow, ImageRow
from workers.formats.format import FileRecord
from workers.images import BadImage, inspect_unless_known
from workers.importing.classes import ClassResolver, Unknown
from workers.importing.job import Job
from workers.importing.said import Rows, labels_of, said_by

SECONDS_AT_MOST: Final = 120
"""How long one file may take before its process is ended."""
SENT_BYTES: Final = 16 << 10
"""An image of so many bytes is sent along, so that nobody reads it a second time."""
POINTS_AS_ONE: Final = 8
SAID_BYTES: Final = 16
_TAIL: Final = slice(AnnotationRow._fields.index("crowd"), AnnotationRow._fields.index("id"))
_PLAIN: Final = AnnotationRow()[_TAIL]


class Found(NamedTuple):
    """What became of one image and its labels."""

    image: ImageRow | BadImage | None
    said: bytes = b""
    """A digest of all that is said of it; empty while that is nothing."""
    annotated: bool = False
    annotations: int = 0
    predictions: int = 0
    weight: int = 0
    """How many annotations it counts for in the size of a segment."""
    faults: tuple[Fault, ...] = ()
    findings: tuple[Finding, ...] = ()


class LayerPack(NamedTuple):
    """The annotations of one layer, and where in it each image of the batch is; -1: not in the layer."""

    places: NDArray[np.int32]
    pack: Packed


class Batch(NamedTuple):
    """What was found of some images, in their order."""

    found: tuple[Found, ...]
    data: dict[int, bytes]
    """The bytes of small images that were never seen before, by position."""
    layers: Mapping[LayerName, LayerPack] = {}
    unknown: Mapping[str, Unknown] = {}
    """Classes that the project does not know."""


def inspect_files(job: Job) -> Batch:
    """Return what each image of a job is and what is said of it, in order."""
    classes = ClassResolver(job.names, policy=job.policy)
    found, said, data = [], [], {}
    for position, record in enumerate(job.records):
        signal.alarm(SECONDS_AT_MOST)
        try:
            image, small = _image(job, record)
            one, layers = said_of(job, record, image, classes)
        finally:
            signal.alarm(0)
        found.append(one)
        said.append(layers)
        if small is not None:
            data[position] = small
    packs = _packs(found, said)
    digests = (_digest(position, layers, packs) for position, layers in enumerate(said))
    whole = tuple(one._replace(said=digest) for one, digest in zip(found, digests, strict=True))
    return Batch(whole, data, packs, classes.unknown)


def _image(job: Job, record: FileRecord) -> tuple[ImageRow | BadImage | None, bytes | None]:
    if not job.images:
        return None, None
    path = job.folder / record.image
    image, data = inspect_unless_known(path, name=record.image, limits=job.limits, known=job.known.find)
    is_small = data is not None and len(data) <= SENT_BYTES and isinstance(image, ImageRow)
    return image, data if is_small else None


def said_of(
    job: Job, record: FileRecord, image: ImageRow | BadImage | None, classes: ClassResolver
) -> tuple[Found, dict[LayerName, Rows]]:
    """Return what is found of an image that was looked at already, and the annotations of each layer."""
    row = image if isinstance(image, ImageRow) else None
    labels, faults = labels_of(job, record, row)
    if isinstance(image, BadImage) or labels is None:
        return Found(image, faults=faults), {}
    said = said_by(labels, job, record, row, classes)
    if row is None or faults or said.faults:
        return Found(image, faults=(*faults, *said.faults), findings=said.findings), {}
    own = said.layers.get(job.layer, ())
    others = [rows for layer, rows in said.layers.items() if layer not in {job.layer, ATTRIBUTES}]
    found = Found(
        image,
        annotated=job.layer in said.layers,
        annotations=len(own),
        predictions=sum(map(len, others)),
        weight=sum(map(_weight, chain(own, *others))),
        findings=said.findings,
    )
    return found, said.layers


def _weight(row: AnnotationRow) -> int:
    if not row.polygons and row.mask is None:
        return 1
    letters = 0 if row.mask is None else len(row.mask.counts)
    return 1 + (sum(map(len, row.polygons)) + letters // POINTS_AS_ONE) // POINTS_AS_ONE


def _packs(found: list[Found], said: list[dict[LayerName, Rows]]) -> dict[LayerName, LayerPack]:
    positions: dict[LayerName, list[int]] = defaultdict(list)
    for position, layers in enumerate(said):
        for layer in layers:
            positions[layer].append(position)
    packs = {}
    for layer, some in positions.items():
        places = np.full(len(found), -1, np.int32)
        places[some] = np.arange(len(some), dtype=np.int32)
        assets = [_asset(found[position]) for position in some]
        packs[layer] = LayerPack(
            places, packed([said[position][layer] for position in some], assets=assets, layer=layer)
        )
    return packs


def _asset(found: Found) -> bytes:
    return found.image.asset if isinstance(found.image, ImageRow) else b""


def _digest(position: int, layers: Mapping[LayerName, Rows], packs: Mapping[LayerName, LayerPack]) -> bytes:
    """Return the digest of what is said of an image; derived ids tell classes and places, the rest is added."""
    if not layers:
        return b""
    digest = hashlib.blake2b(digest_size=SAID_BYTES)
    for layer, rows in sorted(layers.items()):
        places, pack = packs[layer]
        place = int(places[position])
        start = ID_BYTES * int(pack.counts[:place].sum())
        digest.update(layer.encode() + pack.ids[start : start + ID_BYTES * len(rows)])
        for row in rows:
            if row.id is not None:
                digest.update(repr(row).encode())
            elif row[_TAIL] != _PLAIN:
                digest.update(repr(row[_TAIL]).encode())
    return digest.digest()
