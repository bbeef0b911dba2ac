"""Uploaded pictures that come into no dataset: taken as an import of images alone takes them."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.exchange_parameters import IMAGES_ALONE, ImportParameters, ImportSource
from schemas.model_parameters import InferParameters
from schemas.schema import Id
from schemas.uploads import Upload
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import ImageRow
from storage.ports import Blobs, Database, Source
from workers.findings import Findings
from workers.formats.format import FileRecord, Listing
from workers.formats.listing import list_files
from workers.formats.plain import Plain
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
from workers.source_files import folder_of
from workers.work import Work

MEMBERS_PER_PICTURE: Final = 10
"""Folders and files of other kinds are members of an archive, too."""


class UploadedPictures(NamedTuple):
    """The pictures as a content without layers, and what there is to say of those that are not in it."""

    content: Content
    findings: Findings


class Intake(NamedTuple):
    """What taking uploaded pictures takes."""

    library: Library
    blobs: Blobs
    database: Database
    pool: ImagePool
    settings: ImportSettings


async def uploaded_pictures(work: Work[InferParameters], *, intake: Intake) -> UploadedPictures:
    """Return the pictures of all uploads of a task, each decoded, named as they were sent.

    Raise Invalid for too many, for an archive that cannot be unpacked, where none can be used, and, if a bad image is
    to fail, naming all that are bad.
    """
    folder = work.scratch / "uploads"
    await asyncio.to_thread(folder.mkdir)
    try:
        for number, identity in enumerate(dict.fromkeys(work.parameters.uploads), start=1):
            await _unpack(identity, number, folder, work=work, intake=intake)
        listing = await asyncio.to_thread(list_files, folder / "pictures", scratch=work.scratch)
        return await _taken(listing, work=work, intake=intake)
    finally:
        # What is kept of them is in the store by now.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _unpack(identity: Id, number: int, folder: Path, *, work: Work[InferParameters], intake: Intake) -> None:
    upload = await intake.database.documents(Upload).get(identity)
    (place := folder / str(number)).mkdir()
    path = place / (Path(upload.name).name or "picture")
    await intake.blobs.fetch(upload.blob.digest, path)
    limits = intake.settings.archive_limits
    most = min(limits.members, MEMBERS_PER_PICTURE * intake.settings.infer_pictures)
    found = await folder_of(
        path,
        place / "unpacked",
        limits=limits._replace(members=most),
        progress=lambda _, phase: work.progress(0.0, phase),
    )
    is_only = len(work.parameters.uploads) == 1
    await asyncio.to_thread(_gather, found, folder / "pictures", name=path.stem, number=number, is_only=is_only)


def _gather(found: Path, to: Path, *, name: str, number: int, is_only: bool) -> None:
    """Move what an upload holds beside what others hold: a picture under its name, an archive under its own."""
    to.mkdir(exist_ok=True)
    inside = list(found.iterdir())
    if is_only:
        for path in inside:
            path.rename(to / path.name)
        return
    if len(inside) == 1 and inside[0].is_file():
        found, name = inside[0], inside[0].name
    place = to / name
    if place.exists():
        place = to / str(number) / name
        place.parent.mkdir(exist_ok=True)
    found.rename(place)


async def _taken(listing: Listing, *, work: Work[InferParameters], intake: Intake) -> UploadedPictures:
    most = intake.settings.infer_pictures
    if len(listing.images) > most:
        told = f"There are {counted(len(listing.images), 'picture')}; an inference takes {most:,} uploaded ones."
        raise Invalid(told, step="Send fewer at once, or import them and predict on the version.")
    # Of an import they have everything but the dataset.
    as_import = ImportParameters(
        source=ImportSource(upload=work.parameters.uploads[0]),
        dataset="none",
        format=IMAGES_ALONE,
        on_bad_image=work.parameters.on_bad_image,
    )
    classes = ClassResolver({}, policy=as_import.unknown_classes)
    findings = Findings()
    segments = Segments(layer=as_import.layer, base=None, library=intake.library)
    with closing(SeenAssets(work.scratch)) as seen:
        assets = Assets(as_import, classes=classes, findings=findings, seen=seen)
        await _take_all(listing, assets, segments, work=work, intake=intake)
    _check(assets, findings, len(listing.images))
    return UploadedPictures(await segments.content(), findings)


async def _take_all(
    listing: Listing, assets: Assets, segments: Segments, *, work: Work[InferParameters], intake: Intake
) -> None:
    limits = Limits(pixels=intake.settings.image_pixels, size=intake.settings.image_bytes)
    reading = Plain().read(listing)
    known = await intake.pool.knowledge.about(reading.total, database=intake.database, blobs=intake.blobs)

    def job(records: tuple[FileRecord, ...]) -> Job:
        return Job(listing.folder, records, limits, "none", known=known)

    async with Storing(intake.blobs, at_once=intake.settings.put_at_once) as storing:
        async for chunk in inspected(iter(reading.records), pool=intake.pool, job=job):
            taken = await asyncio.to_thread(assets.take, chunk.records, chunk.batch)
            await storing.put([_source(listing.folder, asset.image, chunk, asset.position) for asset in taken.new])
            await segments.add(taken.new)
            work.progress(0.0, "reading pictures")


def _source(folder: Path, image: ImageRow, chunk: Chunk, position: int) -> Source:
    data = chunk.batch.data.get(position)
    return Source(data or folder / image.file_name, f"sha256:{image.asset.hex()}", image.media_type)


def _check(assets: Assets, findings: Findings, total: int) -> None:
    bad = assets.faults or [Fault(found.detail, found.subject) for found in findings.of("bad image")]
    if assets.faults:
        message = f"{counted(len(bad), 'picture')} cannot be used; nothing was predicted."
        raise Invalid(message, step="Replace them, or have them skipped.", faults=bad)
    if not assets.images:
        message = f"Nothing of {counted(total, 'picture')} can be used." if total else "There is no picture in it."
        raise Invalid(message, step="Send whole pictures, or archives of pictures.", faults=bad)
