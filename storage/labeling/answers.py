"""Answers: what annotators say of the items of a labeling job, checked and kept."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from schemas.annotations import Annotation
from schemas.errors import Conflict, Fault, Invalid
from schemas.labeling import Answer, Answers, ItemState, JobState, JobStatus, LabelingItem, LabelingJob
from schemas.schema import AssetId
from storage.labeling.geometry import kind_faults, outside_faults
from storage.labeling.keeping import as_kept
from storage.ports import Database, Documents, Query

ATTEMPTS: Final = 20
ITEMS_AT_ONCE: Final = 1_000


class JobClosed(Exception):
    """No answer of this job counts any more: it is closed, and its answers are being made into a version."""


async def keep_answers(
    answers: Answers,
    job: LabelingJob,
    *,
    names: Mapping[str, str],
    author: str,
    at: datetime,
    database: Database,
    even_closed: bool = False,
) -> None:
    """Keep answers in the items of an open job; the last one for an asset counts, a repeated one changes nothing.

    ``names`` has the main name of every class and alias; ``even_closed`` is for whoever seals the items afterwards.
    Raises Invalid with everything that is wrong, before anything is kept; JobClosed if no answer counts any more.
    """
    if job.state is JobState.CLOSED and not even_closed:
        raise JobClosed(job.id)
    documents = database.documents(LabelingItem)
    # Sorted by revision, which leaves those of one as they came: the last of the highest counts.
    wanted = {answer.asset: answer for answer in sorted(answers.answers, key=lambda answer: answer.revision)}
    items = await _items(documents, job, wanted)
    # Some thousands of polygons are more than an event loop should check.
    faults = await asyncio.to_thread(lambda: list(_faults(answers, job, items, names)))
    if faults:
        step = "Correct what is named, and send them again."
        raise Invalid("Some answers cannot be kept; none was.", step=step, faults=faults)
    for _ in range(ATTEMPTS):
        if any(item.sealed for item in items.values()):
            raise JobClosed(job.id)
        pairs = [(_answered(was, wanted[asset], names, author, at), was) for asset, was in items.items()]
        kept = await documents.replace_many([(item, was) for item, was in pairs if item is not was])
        if not any(kept):
            return
        items = await _items(documents, job, wanted)
    raise Conflict("labeling job", job.id, key="generation", step="Send the answers again.")


async def status_of(job: LabelingJob, database: Database) -> JobStatus:
    """Return a job and how many of its items are in each state."""
    items = database.documents(LabelingItem)
    open_, labeled, skipped = [await items.count(Query(equal={"job": job.id, "state": state})) for state in ItemState]
    return JobStatus(job=job, open=open_, labeled=labeled, skipped=skipped)


async def count_open(job: LabelingJob, database: Database) -> int:
    """Return how many items of a job are not answered."""
    return await database.documents(LabelingItem).count(Query(equal={"job": job.id, "state": ItemState.OPEN}))


async def _items(
    documents: Documents[LabelingItem], job: LabelingJob, wanted: Mapping[AssetId, Answer]
) -> dict[AssetId, LabelingItem]:
    page = await documents.list(Query(equal={"job": job.id, "asset": list(wanted)}), limit=ITEMS_AT_ONCE)
    return {item.asset: item for item in page.items}


def _faults(
    answers: Answers, job: LabelingJob, items: Mapping[AssetId, LabelingItem], names: Mapping[str, str]
) -> Iterator[Fault]:
    for position, answer in enumerate(answers.answers):
        pointer = f"/answers/{position}"
        item = items.get(answer.asset)
        if item is None:
            yield Fault("The job has no such asset.", f"{pointer}/asset")
            continue
        if answer.state is not ItemState.LABELED and answer.annotations:
            yield Fault("An asset that is skipped or open has no annotations.", f"{pointer}/annotations")
        kept = {suggestion.id for suggestion in item.suggestions}
        for number, annotation in enumerate(answer.annotations):
            where = f"{pointer}/annotations/{number}"
            yield from _class_faults(annotation, job, names, where)
            if annotation.id is None or annotation.id not in kept:  # what was there before may be of any kind
                yield from kind_faults(annotation, wanted=job.annotation, where=where)
            yield from outside_faults(annotation, width=item.width, height=item.height, where=where)


def _class_faults(annotation: Annotation, job: LabelingJob, names: Mapping[str, str], where: str) -> Iterator[Fault]:
    name = annotation.class_name
    if name is None:
        yield Fault("An annotation needs a class.", f"{where}/class")
    elif names.get(name, name) not in job.classes:
        yield Fault(f"The job has no class {name!r}. It has: {', '.join(job.classes[:20])}.", f"{where}/class")


def _answered(item: LabelingItem, answer: Answer, names: Mapping[str, str], author: str, at: datetime) -> LabelingItem:
    if answer.revision < item.revision:
        return item
    author = answer.author or author
    suggestions = {suggestion.id: suggestion for suggestion in item.suggestions}
    named = (
        given.model_copy(update={"class_name": names.get(given.class_name or "", given.class_name)})
        for given in answer.annotations
    )
    annotations = tuple(as_kept(annotation, suggestions, author=author) for annotation in named)
    answered: dict[str, object]
    if answer.state is ItemState.OPEN:
        answered = {"state": ItemState.OPEN, "annotations": (), "author": None, "answered_at": None}
    else:
        answered = {"state": answer.state, "annotations": annotations, "author": author, "answered_at": at}
    changes = {**answered, "refused": "", "revision": answer.revision}
    if all(getattr(item, name) == value for name, value in changes.items() if name != "answered_at"):
        return item
    return item.successor(**changes)
