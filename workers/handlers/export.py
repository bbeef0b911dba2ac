"""Export: a version becomes an archive."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import orjson
from pydantic import JsonValue

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH, LayerName
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Invalid, NotFound
from schemas.exchange_parameters import ExportParameters
from schemas.outcomes import Outcome, TaskResult
from schemas.projects import ClassList
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import AssetRow
from storage.ports import Blobs, Database
from workers.exported_names import ExportedNames
from workers.findings import Findings
from workers.formats.exporter import ExportedImage, Exporter, Member, Order, exported_image
from workers.formats.registry import FORMATS, exporter_named
from workers.work import Work
from workers.zip_writer import ZipWriter

BATCH: Final = 500
FETCHED_AT_ONCE: Final = 16
SMALL_BYTES: Final = 4 << 20
"""Larger images go through a file, so that few of them fill no memory."""
NAME_LIST: Final = "names.jsonl"


async def export(work: Work[ExportParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Write a version as a zip: ``images/``, the annotations of one layer, and a report of what the format loses.

    Images keep their file names; where two differ only in case or suffix, all but the first get the start of their
    asset id before it. Images are stored as they are, and coordinates are those of the picture as its file stores it.
    Without images there is ``names.jsonl``: the asset that each name means. Equal versions make equal archives.
    """
    parameters = work.parameters
    version = await library.version(work.task.version_of("/source"))
    content = await library.content(version.digest)
    _check_layer(content, parameters.layer)
    losses = Findings()
    classes = parameters.classes or await _project_classes(work.task.project, database)
    make = exporter_named(parameters.format)
    predictions = _predictions(content, parameters)
    order = Order(
        layer=parameters.layer,
        classes=classes,
        scratch=work.scratch,
        losses=losses,
        predictions=None if predictions is None else (predictions, content.layers[predictions].predictions),
        images=parameters.images,
        version=version,
        parents=await _parents(version, database),
    )
    archive = work.scratch / "export.zip"
    with closing(order):
        writer = make(order)
        await _write(work, content, archive, writer, predictions, library=library, blobs=blobs)
    summary: dict[str, JsonValue] = {
        "format": parameters.format,
        "images": content.image_count(),
        "losses": losses.summary,
        "layers_left_out": [*sorted(content.layers.keys() - {parameters.layer, ATTRIBUTES, predictions})],
    }
    report = losses.report(summary)
    return Outcome(
        result=TaskResult(archive=await blobs.put_file(archive, media_type="application/zip"), summary=summary),
        report=await blobs.put(report.model_dump_json().encode(), media_type="application/json"),
        warnings=_warnings(losses),
    )


def _warnings(losses: Findings) -> tuple[str, ...]:
    """Say that something is lost; of what kinds it is, the summary says."""
    count = losses.counts.total()
    return (f"The archive lacks what its format cannot hold: {counted(count, 'loss', 'losses')}.",) if count else ()


class _Names:
    """The list of an archive without images: which asset each name means, a line of JSON for each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch(exist_ok=False)

    def add_all(self, named: Sequence[tuple[AssetRow, str]]) -> None:
        lines = [
            orjson.dumps({"name": name, "asset": row.asset}, option=orjson.OPT_APPEND_NEWLINE) for row, name in named
        ]
        with self._path.open("ab") as file:
            file.writelines(lines)

    def end(self, archive: ZipWriter) -> None:
        archive.add_file(NAME_LIST, self._path)


async def _write(
    work: Work[ExportParameters],
    content: Content,
    path: Path,
    writer: Exporter,
    predictions: LayerName | None,
    *,
    library: Library,
    blobs: Blobs,
) -> None:
    archive = ZipWriter(path, scratch=work.scratch)
    names = await ExportedNames.of_content(content, library)
    listed = None if work.parameters.images else _Names(work.scratch / NAME_LIST)
    done, total = 0, content.image_count()
    layer = work.parameters.layer
    narrow = partial(_narrowed, classes=frozenset(work.parameters.classes))
    layers = [name for name in (layer, predictions, ATTRIBUTES) if name is not None and name in content.layers]
    see = partial(exported_image, layer=layer, displayed=writer.displayed, predictions=predictions)
    try:
        async for batch in _batches(library.rows(content, layers=layers)):
            named = [(row, names.of(row.image)) for row in batch]
            await asyncio.to_thread(_annotate, archive, writer, (see(narrow(row), name=name) for row, name in named))
            if listed is not None:
                await asyncio.to_thread(listed.add_all, named)
            else:
                await _add_images(archive, named, blobs=blobs, scratch=work.scratch)
            done += len(batch)
            work.progress(0.9 * done / max(total, 1), "writing images")
        await asyncio.to_thread(_add_all, archive, writer.finish())
        if listed is not None:
            await asyncio.to_thread(listed.end, archive)
    finally:
        await asyncio.to_thread(archive.close)


def _add_all(archive: ZipWriter, members: Iterable[Member]) -> None:
    for member in members:
        archive.add(member.name, member.pieces)


async def _batches(rows: AsyncIterator[AssetRow]) -> AsyncIterator[list[AssetRow]]:
    batch: list[AssetRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _narrowed(row: AssetRow, *, classes: frozenset[str]) -> AssetRow:
    if not classes:
        return row
    kept = {
        name: rows if name == ATTRIBUTES else tuple(found for found in rows if found.class_name in classes)
        for name, rows in row.layers.items()
    }
    return row._replace(layers=kept)


def _annotate(archive: ZipWriter, writer: Exporter, images: Iterable[ExportedImage]) -> None:
    for image in images:
        _add_all(archive, writer.add(image))


async def _add_images(
    archive: ZipWriter, named: Sequence[tuple[AssetRow, str]], *, blobs: Blobs, scratch: Path
) -> None:
    small = [(row, name) for row, name in named if row.image.size <= SMALL_BYTES]
    for start in range(0, len(small), FETCHED_AT_ONCE):
        some = small[start : start + FETCHED_AT_ONCE]
        found = await asyncio.gather(*(blobs.get(f"sha256:{row.asset}") for row, _ in some))
        members = [Member(f"images/{name}", [data]) for (_, name), data in zip(some, found, strict=True)]
        await asyncio.to_thread(_add_all, archive, members)
    for row, name in named:
        if row.image.size > SMALL_BYTES:
            path = scratch / row.asset
            await blobs.fetch(f"sha256:{row.asset}", path)
            await asyncio.to_thread(archive.add_file, f"images/{name}", path)
            await asyncio.to_thread(path.unlink)


def _check_layer(content: Content, layer: LayerName) -> None:
    if layer not in content.layers and layer != GROUND_TRUTH:
        known = ", ".join(sorted(content.layers)) or "none"
        message = f"The version has no layer {layer!r}."
        raise Invalid(message, step=f"Layers that it has: {known}.")


def _predictions(content: Content, parameters: ExportParameters) -> LayerName | None:
    """Return the layer that is written beside; raise Invalid where there is none of that name, or no place for it."""
    named = parameters.predictions
    if not FORMATS[parameters.format].with_predictions:
        if named is None:
            return None
        message = f"The format {parameters.format!r} has no place for predictions beside another layer."
        raise Invalid(message, step="Use ymir or ymir-coco, or export the layer of predictions itself as `layer`.")
    if named is not None:
        _check_layer(content, named)
        return named
    others = sorted(content.layers.keys() - {parameters.layer, ATTRIBUTES, GROUND_TRUTH})
    if len(others) > 1:
        message = f"The version has {len(others)} layers beside {parameters.layer}: {', '.join(others[:20])}."
        raise Invalid(message, step="Name the one that is to be written beside as `predictions`.")
    return others[0] if others else None


async def _parents(version: Version, database: Database) -> Sequence[Version]:
    found = []
    for parent in version.parents:
        # One that was removed for good is known by its id alone.
        with suppress(NotFound):
            found.append(await database.documents(Version).get(parent))
    return found


async def _project_classes(project: str, database: Database) -> tuple[str, ...]:
    try:
        return tuple(entry.name for entry in (await database.documents(ClassList).get(project)).classes)
    except NotFound:
        return ()
