"""What a process of the image pool finds out of some images and their labels."""

import hashlib
import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.errors import Fault, Invalid
from schemas.exchange_parameters import UnknownClasses
from schemas.reports import Finding
from storage.datasets.packing import Packed, packed
from storage.datasets.rows import ID_BYTES, AnnotationRow, ImageRow
from workers.formats.format import FileRecord, Labels, Parse, ParsePart, Part, with_layers
from workers.formats.frames import is_displayed, stored_size, to_displayed
from workers.images import BadImage, Limits, inspect_unless_known
from workers.importing.classes import ClassResolver, Unknown
from workers.importing.known import Known

SECONDS_AT_MOST: Final = 120
"""How long one file may take before its process is ended."""
SENT_BYTES: Final = 16 << 10
"""An image of so many bytes is sent along, so that nobody reads it a second time."""
POINTS_AS_ONE: Final = 8
SAID_BYTES: Final = 16
_TAIL: Final = slice(AnnotationRow._fields.index("crowd"), AnnotationRow._fields.index("id"))
_PLAIN: Final = AnnotationRow()[_TAIL]

Rows = tuple[AnnotationRow, ...]


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


class _Said(NamedTuple):
    layers: dict[LayerName, Rows]
    findings: tuple[Finding, ...] = ()
    faults: tuple[Fault, ...] = ()


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
    labels, faults = _labels(job, record, row)
    if isinstance(image, BadImage) or labels is None:
        return Found(image, faults=faults), {}
    said = _said(job, record, labels, row, classes)
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


def _labels(job: Job, record: FileRecord, image: ImageRow | None) -> tuple[Labels | None, tuple[Fault, ...]]:
    """Return what a record says itself and what all its files say, and what is wrong in any."""
    faults = [*record.faults]
    layers: dict[LayerName, Labels] = {}
    labels = record.labels
    own = {} if record.labels_file is None else {None: (record.labels_file, record.part)}
    for layer, (name, part) in (*own.items(), *record.layer_files.items()):
        try:
            found = _read(job, name, part, image)
        except Invalid as error:
            faults += error.faults
            continue
        except OSError as error:
            faults.append(Fault(f"cannot be read: {error.strerror}", name))
            continue
        if found is not None and layer is None:
            labels = found if labels is None else _joined(found, labels)
        elif found is not None and layer is not None:
            layers[layer] = found
    return (with_layers(labels, layers) if layers else labels), tuple(faults)


def _joined(found: Labels, labels: Labels) -> Labels:
    """Return what a file says with what a record says itself for other layers."""
    return found._replace(
        layers={**labels.layers, **found.layers},
        dropped=(*found.dropped, *labels.dropped),
        findings=(*found.findings, *labels.findings),
    )


def _read(job: Job, name: str, part: Part | None, image: ImageRow | None) -> Labels | None:
    if part is not None and job.parse_part is not None:
        return job.parse_part(job.folder / name, name=name, image=image, part=part)
    return None if job.parse is None else job.parse(job.folder / name, name=name, image=image)


def _said(job: Job, record: FileRecord, labels: Labels, image: ImageRow | None, classes: ClassResolver) -> _Said:
    where = record.labels_file or record.image
    if record.part is not None:
        where += record.part.where or f": [{record.part.position}]"
    findings = [Finding(subject=where, detail=f"{one} cannot be kept.", kind="not kept") for one in labels.dropped]
    findings += labels.findings
    turns = image is not None and not labels.displayed and not is_displayed(labels.size, image)
    layers = {name: classes.resolve(rows, where=where) for name, rows in labels.layers.items()}
    if labels.annotated:
        layers[job.layer] = classes.resolve(labels.annotations, where=where)
    faults = (*_clashes(job, labels, where), *chain.from_iterable(_twice(rows, where) for rows in layers.values()))
    if image is not None and turns and any(layers.values()):
        layers = {name: tuple(to_displayed(row, image) for row in rows) for name, rows in layers.items()}
        detail = f"Annotations were turned with the image, whose EXIF orientation is {image.orientation}."
        findings.append(Finding(subject=record.image, detail=detail, kind="turned"))
    if image is not None:
        findings += _doubts(record, labels, image, layers)
    if labels.attributes:
        layers[ATTRIBUTES] = (AnnotationRow(attributes=labels.attributes),)
    return _Said(layers, tuple(findings), faults)


def _doubts(record: FileRecord, labels: Labels, image: ImageRow, layers: Mapping[LayerName, Rows]) -> Iterator[Finding]:
    """Yield what does not fit the picture; all of it is kept."""
    if labels.size is not None and labels.size not in {(image.width, image.height), stored_size(image)}:
        stated = " x ".join(map(str, labels.size))
        detail = f"It is said to have {stated} pixels, and has {image.width} x {image.height}."
        yield Finding(subject=record.image, detail=detail, kind="size")
    outside = sum(_reaches_out(row, image) for rows in layers.values() for row in rows)
    if outside:
        detail = f"{outside} boxes reach outside of the picture of {image.width} x {image.height} pixels."
        yield Finding(subject=record.image, detail=detail, kind="box outside")


def _reaches_out(row: AnnotationRow, image: ImageRow) -> bool:
    if row.box is None or row.rotation:
        return False
    x, y, width, height = row.box
    # Formats that count pixels from 1 begin and end one further.
    return x < -1 or y < -1 or x + width > image.width + 1 or y + height > image.height + 1


def _clashes(job: Job, labels: Labels, where: str) -> Iterator[Fault]:
    for layer in sorted(labels.layers.keys() & {job.layer, ATTRIBUTES}):
        yield Fault(f"has a layer {layer!r} of its own; import into a layer of another name", where)


def _twice(rows: Rows, where: str) -> tuple[Fault, ...]:
    ids = sorted(row.id for row in rows if row.id is not None)
    twice = [one for one, following in pairwise(ids) if one == following]
    return (Fault(f"several annotations of the image have the id {twice[0].hex()}", where),) if twice else ()


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
