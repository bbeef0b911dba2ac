"""Import: files become a version."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.blobs import BlobRef
from schemas.counts import counted
from schemas.errors import Fault, Invalid, NotFound
from schemas.exchange_parameters import BadImage, ImportParameters
from schemas.manifests import Predictions
from schemas.outcomes import Outcome, TaskResult
from schemas.problems import FAULTS_SHOWN, Problem
from schemas.projects import ClassList
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import ImageRow
from storage.ports import Blobs, Database, Source
from workers.drafts import version_draft
from workers.findings import Findings
from workers.formats.format import IMAGE_MISSING, FileRecord, Format, Listing, Reading
from workers.formats.listing import list_files
from workers.formats.plain import Plain, not_read
from workers.formats.registry import detect, format_named
from workers.handlers.copy import copy
from workers.image_pool import ImagePool
from workers.images import Limits
from workers.importing.assets import Assets
from workers.importing.classes import ClassResolver
from workers.importing.job import Job
from workers.importing.seen import SeenAssets
from workers.importing.segments import Segments
from workers.importing.settings import ImportSettings
from workers.importing.storing import Storing
from workers.importing.stream import Chunk, inspected
from workers.sources import opened
from workers.work import Work


async def import_files(
    work: Work[ImportParameters],
    *,
    library: Library,
    blobs: Blobs,
    database: Database,
    pool: ImagePool,
    settings: ImportSettings,
) -> Outcome:
    """Make a version out of the files of a folder, archive, URL, S3 prefix or upload; or copy one of another project.

    Each image is decoded once, in a process of its own; the same bytes are one asset, under the first of their names
    in the order of paths. Everything wrong is in the report, whether the import goes on or fails. The same files give
    the same digest.
    """
    if work.parameters.source.project is not None:
        return await copy(work, library=library, blobs=blobs, database=database)
    tools = _Tools(library, blobs, database, pool, settings)
    classes = await _classes(work, database)
    base = None
    if work.parameters.base is not None:
        base = await library.content((await library.version(work.task.version_of("/base"))).digest)
    async with opened(
        work.parameters.source,
        scratch=work.scratch,
        settings=settings,
        progress=lambda fraction, phase: work.progress(0.1 * fraction, phase),
        database=database,
        blobs=blobs,
    ) as folder:
        with closing(SeenAssets(work.scratch)) as seen:
            run = _Import(work, classes=classes, base=base, seen=seen, tools=tools)
            return await run.of(folder)


async def _classes(work: Work[ImportParameters], database: Database) -> ClassResolver:
    try:
        known = await database.documents(ClassList).get(work.task.project)
    except NotFound:
        known = ClassList(id=work.task.project)
    return ClassResolver(known.main_names(), policy=work.parameters.unknown_classes)


def _source(folder: Path, image: ImageRow, data: bytes | None) -> Source:
    return Source(data or folder / image.file_name, f"sha256:{image.asset.hex()}", image.media_type)


class _Tools(NamedTuple):
    library: Library
    blobs: Blobs
    database: Database
    pool: ImagePool
    settings: ImportSettings


class _Import:
    """One import under way."""

    def __init__(
        self,
        work: Work[ImportParameters],
        *,
        classes: ClassResolver,
        base: Content | None,
        seen: SeenAssets,
        tools: _Tools,
    ) -> None:
        self._work = work
        self._classes = classes
        self._tools = tools
        self._findings = Findings()
        self._assets = Assets(work.parameters, classes=classes, findings=self._findings, seen=seen)
        self._segments = Segments(layer=work.parameters.layer, base=base, library=tools.library)

    async def of(self, folder: Path) -> Outcome:
        form, reading = await asyncio.to_thread(self._read, folder)
        self._findings.add_all(reading.findings)
        self._assets.fail((*reading.faults, *self._missing()))
        await self._take_all(folder, reading)
        predictions = self._predictions(reading)
        summary = self._summary(reading.taken_for or form.name)
        problem = self._problem(reading)
        if problem is not None:
            report = await self._report(summary)
            return Outcome(problem=Problem.of(problem, status=422), report=report)
        return await self._outcome(await self._segments.content(predictions), summary)

    def _read(self, folder: Path) -> tuple[Format, Reading]:
        if self._work.parameters.layer == ATTRIBUTES:
            message = f"The layer {ATTRIBUTES!r} is for attributes of whole images, which every import fills itself."
            raise Invalid(message, step="Choose another layer, such as ground_truth.")
        listing = list_files(folder, roots=self._tools.settings.import_roots, scratch=self._work.scratch)
        for link in listing.links:
            self._findings.add(link, "The link leads outside and is not followed.", kind="link")
        for name in listing.no_files:
            detail = "It is no file but a pipe, a socket or a device, and is not read."
            self._findings.add(name, detail, kind="no file")
        form = self._form(listing)
        reading = form.read(listing)
        if reading.total == 0:
            message = "There is no image to import."
            raise Invalid(message, step=f"The format {form.name!r} takes {form.looks_for}.")
        return form, reading

    def _form(self, listing: Listing) -> Format:
        wanted = self._work.parameters.format
        if wanted is None:
            found = detect(listing)
            if isinstance(found, Plain):
                self._findings.add_all(not_read(listing))
            return found
        form = format_named(wanted)
        if listing.images and not form.detect(listing):
            message = f"The files are not in the format {wanted!r}: there is no {form.looks_for}."
            raise Invalid(message, step="Leave the format out to have it detected; `none` imports images alone.")
        return form

    def _missing(self) -> list[Fault]:
        """Return as faults the images that are named and not there, if bad images are faults."""
        if self._work.parameters.on_bad_image is not BadImage.FAIL:
            return []
        return [Fault(found.detail, found.subject) for found in self._findings.of(IMAGE_MISSING)]

    def _predictions(self, reading: Reading) -> dict[LayerName, Predictions]:
        found = {}
        for layer, predictions in reading.predictions.items():
            classes = []
            for name in predictions.classes:
                main = self._classes.main_name(name, where=layer)
                if main is not None:
                    classes.append(main)
                else:
                    detail = f"The project does not know {name}, which the model of {layer} can predict."
                    self._findings.add(layer, detail, kind="unknown class of a model")
            found[layer] = predictions.model_copy(update={"classes": tuple(dict.fromkeys(classes))})
        return found

    async def _take_all(self, folder: Path, reading: Reading) -> None:
        limits = Limits(pixels=self._tools.settings.image_pixels, size=self._tools.settings.image_bytes)
        known = await self._tools.pool.knowledge.about(
            reading.total, database=self._tools.database, blobs=self._tools.blobs
        )

        def job(records: tuple[FileRecord, ...]) -> Job:
            return Job(
                folder,
                records,
                limits,
                self._work.parameters.layer,
                parse=reading.parse,
                parse_part=reading.parse_part,
                names=self._classes.names,
                policy=self._classes.policy,
                known=known,
                images=not self._assets.failing,
            )

        done = 0
        async with Storing(self._tools.blobs, at_once=self._tools.settings.put_at_once) as storing:
            async for chunk in inspected(iter(reading.records), pool=self._tools.pool, job=job):
                await self._take(folder, chunk, storing)
                done += len(chunk.records)
                self._work.progress(0.1 + 0.8 * done / reading.total, "reading images")

    async def _take(self, folder: Path, chunk: Chunk, storing: Storing) -> None:
        taken = await asyncio.to_thread(self._assets.take, chunk.records, chunk.batch)
        data = chunk.batch.data
        await storing.put([_source(folder, asset.image, data.get(asset.position)) for asset in taken.new])
        # The batch stays a while for what is said in it; its bytes need not.
        data.clear()
        await self._segments.add(taken.new)
        self._segments.annotate(taken.late)

    def _problem(self, reading: Reading) -> Invalid | None:
        unknown = self._classes.faults()
        faults = [*self._assets.faults, *unknown]
        if unknown and not self._assets.faults:
            message = f"The project does not know {counted(len(unknown), 'class', 'classes')}."
            step = "Add them (or aliases) to the project's classes, or import with unknown_classes add or ignore."
            return Invalid(message, step=step, faults=faults)
        if faults:
            count = self._findings.counts["fault"] + len(unknown)
            message = f"The files have {counted(count, 'fault')}; nothing was imported."
            more = " The report lists more than the first 100." if count > FAULTS_SHOWN else ""
            return Invalid(message, step=f"Correct the files.{more}", faults=faults)
        if not self._assets.images:
            bad = [Fault(found.detail, found.subject) for found in self._findings.of("bad image")]
            message = f"Nothing of {counted(reading.total, 'image')} can be used."
            return Invalid(message, step="Replace them: each has to be a whole picture.", faults=bad)
        return None

    def _summary(self, taken_for: str) -> dict[str, JsonValue]:
        counts = self._findings.counts
        return {
            "format": taken_for,
            "images": self._assets.images,
            "annotated": self._assets.annotated,
            "annotations": self._assets.annotations,
            **({"predictions": self._assets.predictions} if self._assets.predictions else {}),
            "skipped": counts["bad image"],
            "duplicates": counts["duplicate"],
            "unknown_classes": {name: unknown.times for name, unknown in sorted(self._classes.unknown.items())[:100]},
        }

    async def _report(self, summary: dict[str, JsonValue]) -> BlobRef:
        for name, unknown in sorted(self._classes.unknown.items()):
            of = counted(unknown.times, "annotation")
            detail = f"The project has no such class; it is that of {of}, the first in {unknown.first}."
            self._findings.add(name, detail, kind="unknown class")
        data = self._findings.report(summary).model_dump_json().encode()
        return await self._tools.blobs.put(data, media_type="application/json")

    async def _outcome(self, content: Content, summary: dict[str, JsonValue]) -> Outcome:
        self._work.progress(0.95, "keeping the version")
        kept = await self._tools.library.keep(content)
        report = await self._report(summary)
        parameters = self._work.parameters
        # Annotation ids are inherited from the base: that is where the line of work comes from.
        parents = () if parameters.base is None else (self._work.task.version_of("/base"),)
        return Outcome(
            records=(version_draft(parameters, kept, parents=parents),),
            new_classes=self._classes.new_classes(),
            result=TaskResult(summary=summary),
            report=report,
            warnings=tuple(f"{count} x {kind}: see the report." for kind, count in self._findings.counts.items()),
        )
