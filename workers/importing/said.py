"""What is said of an image: read out of the files of a source, made ours, and looked at for what does not fit."""

from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from typing import NamedTuple

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.errors import Fault, Invalid
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, ImageRow
from workers.formats.format import FileRecord, Labels, Part, with_layers
from workers.formats.frames import is_displayed, stored_size, to_displayed
from workers.importing.classes import ClassResolver
from workers.importing.job import Job

Rows = tuple[AnnotationRow, ...]


class Said(NamedTuple):
    """What is said of one image: its annotations by layer, what is worth telling of that, and what is wrong."""

    layers: dict[LayerName, Rows]
    findings: tuple[Finding, ...] = ()
    faults: tuple[Fault, ...] = ()


def labels_of(job: Job, record: FileRecord, image: ImageRow | None) -> tuple[Labels | None, tuple[Fault, ...]]:
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


def said_by(labels: Labels, job: Job, record: FileRecord, image: ImageRow | None, classes: ClassResolver) -> Said:
    """Return what labels say of an image: with main names of classes, in the frame of the image as displayed."""
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
    return Said(layers, tuple(findings), faults)


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
