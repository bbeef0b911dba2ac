"""Labeling jobs: made of a version's assets, and read back when they are over."""

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final

from schemas.errors import Invalid
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import JobState, LabelingItem, LabelingJob
from schemas.schema import Id, derived_id
from schemas.tasks import Task
from storage.contested import added
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import AssetRow, to_annotation
from storage.paging import pages
from storage.ports import Database, Documents, Query
from workers.work import Work

BATCH: Final = 500
WITHOUT_TOOL: Final = "without tool"
"""The step of a label task whose tool cannot be asked what it has."""


def job_id(task: Id) -> Id:
    """Return the id of the job of a label task: looked for before it is made."""
    return derived_id("labeling", task)


async def is_over(task: Task, database: Database) -> bool:
    """Tell whether what a label task waits for has come; one whose tool cannot be asked waits for the clock."""
    return task.step != WITHOUT_TOOL and await is_closed(task, database)


async def is_closed(task: Task, database: Database) -> bool:
    """Tell whether the job of a label task is closed."""
    job = await database.documents(LabelingJob).get(job_id(task.id))
    return job.state is JobState.CLOSED


async def open_job(work: Work[LabelParameters], content: Content, *, library: Library, database: Database) -> None:
    """Make the job of a task with an item for each asset; what a former attempt made is left as it is.

    Raises Invalid where there is nothing to label.
    """
    items, batch, count = database.documents(LabelingItem), [], 0
    layers = [] if work.parameters.keep is None else [work.parameters.keep]
    total = content.image_count()
    if total == 0:
        raise Invalid("The source has no images: there is nothing to label.", step="Name a version with images.")
    async for row in library.rows(content, layers=layers):
        batch.append(_item(work, row, position=count))
        count += 1
        if len(batch) == BATCH or count == total:
            await items.add_many(batch)  # an item that is there already is of an attempt before
            work.progress(count / total, "preparing the images")
            batch.clear()
    await _add_once(work, database, items=count)


async def sealed(job: Id, database: Database) -> AsyncIterator[LabelingItem]:
    """Yield the items of a closed job in their order, each sealed before it is read."""
    items = database.documents(LabelingItem)
    async for some in pages(items, Query(equal={"job": job}), order="position", size=BATCH):
        for item in await _seal(some, items):
            yield item


async def _seal(found: Sequence[LabelingItem], items: Documents[LabelingItem]) -> list[LabelingItem]:
    while pairs := [(item.successor(sealed=True), item) for item in found if not item.sealed]:
        await items.replace_many(pairs)
        # Read again: an answer may have come before its item was sealed.
        found = sorted(await items.get_many([item.id for item in found]), key=lambda item: item.position)
    return list(found)


async def _add_once(work: Work[LabelParameters], database: Database, *, items: int) -> None:
    parameters = work.parameters
    job = LabelingJob(
        id=job_id(work.task.id),
        project=work.task.project,
        task=work.task.id,
        version=work.task.version_of("/source"),
        tool=parameters.tool,
        token=secrets.token_urlsafe(32),
        classes=parameters.classes,
        annotation=parameters.annotation,
        keep=parameters.keep,
        instructions=parameters.instructions,
        labelers=parameters.labelers,
        items=items,
        created_at=work.now(),
    )
    await added(job, database.documents(LabelingJob))


def _item(work: Work[LabelParameters], row: AssetRow, *, position: int) -> LabelingItem:
    job, keep = job_id(work.task.id), work.parameters.keep
    kept = () if keep is None else row.layers.get(keep, ())
    return LabelingItem(
        id=derived_id(job, row.asset),
        job=job,
        position=position,
        asset=row.asset,
        file_name=row.image.file_name,
        width=row.image.width,
        height=row.image.height,
        media_type=row.image.media_type,
        suggestions=tuple(to_annotation(annotation) for annotation in kept),
    )
