"""Taking what a tool says into the items of a job, and closing the job when all is answered."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from schemas.errors import Invalid, NotFound
from schemas.labeling import Answer, Answers, ItemState, JobState, LabelingItem, LabelingJob
from schemas.projects import ClassList
from schemas.schema import derived_id
from storage.contested import changed
from storage.labeling.answers import JobClosed, count_open, keep_answers
from storage.labeling.closing import closed
from storage.ports import Clock, Database
from workers.labeling.tools import Told, Unfit

TOGETHER: Final = 500
REASON_LETTERS: Final = 1_000


async def take(job: LabelingJob, told: Told, *, database: Database, now: Clock) -> None:
    """Keep what a tool says in the items of a job that are not sealed.

    An answer that cannot be kept opens its item, which says why; it keeps no other from being taken.
    """
    names = (await database.documents(ClassList).get(job.project)).main_names()
    unfit = [*told.unfit]
    try:
        for start in range(0, len(told.answers), TOGETHER):
            some = told.answers[start : start + TOGETHER]
            unfit += await _kept(job, some, names=names, now=now, database=database)
        for refusal in unfit:
            await _refuse(job, refusal, database=database)
    except JobClosed:
        return  # it is being made into a version


async def close_if_answered(job: LabelingJob, *, database: Database, now: Clock) -> LabelingJob:
    """Return a job as it is by now, closed if none of its items is open any more."""
    if job.state is JobState.OPEN and not await count_open(job, database):
        return await closed(job, jobs=database.documents(LabelingJob), at=now())
    return job


async def _kept(
    job: LabelingJob, answers: Sequence[Answer], *, names: dict[str, str], now: Clock, database: Database
) -> list[Unfit]:
    """Keep answers, and return those that cannot be: first together, then, where some are wrong, each on its own."""
    given = Answers.model_construct(answers=tuple(answers))
    try:
        await keep_answers(given, job, names=names, author=job.tool, at=now(), database=database, even_closed=True)
    except Invalid as error:
        if len(answers) == 1:
            reason = " ".join(fault.detail for fault in error.faults) or error.detail
            return [Unfit(answers[0].asset, reason, answers[0].revision)]
        middle = len(answers) // 2
        halves = (answers[:middle], answers[middle:])
        return [unfit for half in halves for unfit in await _kept(job, half, names=names, now=now, database=database)]
    return []


async def _refuse(job: LabelingJob, unfit: Unfit, *, database: Database) -> None:
    items = database.documents(LabelingItem)
    with suppress(NotFound):  # the tool speaks of an image that it was never given
        await changed(items, partial(items.get, derived_id(job.id, unfit.asset)), partial(_refused, unfit=unfit))


def _refused(item: LabelingItem, *, unfit: Unfit) -> LabelingItem:
    reason = unfit.reason[:REASON_LETTERS]
    if item.sealed or unfit.revision < item.revision or (item.refused, item.revision) == (reason, unfit.revision):
        return item
    return item.successor(
        state=ItemState.OPEN,
        annotations=(),
        author=None,
        answered_at=None,
        refused=reason,
        revision=unfit.revision,
    )
