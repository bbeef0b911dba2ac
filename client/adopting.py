"""A version of another data folder, brought into this one: its rows and images, and a project that names it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from client.data_blobs import blobs_of, roots_of
from client.data_folder import DOCUMENTS
from schemas.datasets import Dataset, Version, dataset_id
from schemas.errors import NotFound
from schemas.projects import ClassList, Project
from schemas.schema import Digest, new_id
from storage.blob_files import place
from storage.clock import utc_now
from storage.datasets.library import Kept, Library
from storage.datasets.segments import BuiltSegment
from storage.ports import Blobs, Database
from storage.sqlite import open_database

TOGETHER: Final = 64
IMAGE: Final = "image/*"
"""Of whatever type: an image goes to the folder of images."""


class Adopted(NamedTuple):
    """How the version is named here."""

    project: str
    ref: str


@asynccontextmanager
async def adopted(version: Version, *, source: Path, into: Path) -> AsyncIterator[Adopted]:
    """Have a version of the data folder ``source`` in another, in a project of its own that is hidden in the end.

    Nothing is named until all of it is there. What both have, or a folder of images that both use, is not copied.
    Raise NotFound or Invalid if something of it is missing or damaged.
    """
    async with open_database(source / DOCUMENTS) as theirs, open_database(into / DOCUMENTS) as ours:
        kept = await _kept(version, Library(theirs, blobs_of(source)), source, Library(ours, blobs_of(into)), into)
        original = await theirs.documents(Project).get(version.project)
        project = original.model_copy(update={"id": new_id(), "generation": 0, "name": f"copied-{new_id()[:12]}"})
        await ours.documents(Project).add(project)
        classes = await theirs.documents(ClassList).get_many([version.project])
        await ours.documents(ClassList).add(ClassList(id=project.id, classes=classes[0].classes if classes else ()))
        await _named(version, kept, project, source=source, database=ours)
        try:
            yield Adopted(project.name, f"{version.dataset_name}@1")
        finally:
            await ours.documents(Project).replace(project.successor(removed_at=utc_now()), was=project)


async def _kept(version: Version, theirs: Library, source: Path, ours: Library, into: Path) -> Kept:
    content = await theirs.content(version.digest)
    their_blobs, our_blobs = blobs_of(source), blobs_of(into)
    for reader in (await theirs.segments(content.segments())).values():
        document = reader.document
        images, annotations = [await their_blobs.get(ref.digest) for ref in (document.images, document.annotations)]
        await ours.keep_segment(BuiltSegment(document.model_copy(update={"generation": 0}), images, annotations))
    masks = content.image_masks()
    for segment, ids in (await theirs.asset_ids(content)).items():
        if segment in masks:
            assets = [f"sha256:{bytes(one).hex()}" for one in ids.ids[masks[segment]]]
            for start in range(0, len(assets), TOGETHER):
                some = assets[start : start + TOGETHER]
                await asyncio.gather(*(_brought(digest, source, our_blobs) for digest in some))
    return await ours.keep(content)


async def _brought(digest: Digest, source: Path, blobs: Blobs) -> None:
    paths = [path for root in roots_of(source) if (path := place(root, digest)).exists()]
    if not paths:
        raise NotFound("blob", digest, step=f"An image of the other repository is missing in {source}.")
    await blobs.put_file(paths[0], media_type=IMAGE, digest=digest)


async def _named(version: Version, kept: Kept, project: Project, *, source: Path, database: Database) -> None:
    now, name = utc_now(), version.dataset_name
    line = dataset_id(project.id, name)
    await database.documents(Dataset).add(Dataset(id=line, project=project.id, name=name, created_at=now))
    await database.documents(Version).add(
        Version(
            id=new_id(),
            project=project.id,
            dataset=line,
            dataset_name=name,
            number=1,
            digest=kept.digest,
            manifest=kept.manifest,
            task=new_id(),
            made_by="copy",
            message=f"{name}@{version.number} of {source.parent}",
            counts=kept.counts,
            created_at=now,
        )
    )
