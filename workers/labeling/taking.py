"""Taking answers of a tool into the items of a job, and closing the job when all are there."""

from collections.abc import Sequence

from schemas.errors import Conflict, Invalid
from schemas.labeling import Answer, Answers, JobState, LabelingJob
from schemas.projects import ClassList
from storage.labeling.answers import JobClosed, keep_answers, status_of
from storage.ports import Clock, Database

TOGETHER = 500


async def take(job: LabelingJob, answers: Sequence[Answer], *, database: Database, now: Clock) -> tuple[str, ...]:
    """Keep answers in the items of an open job, and return what is wrong with those that cannot be kept.

    An answer that is wrong keeps no other from being taken.
    """
    names = (await database.documents(ClassList).get(job.project)).main_names()
    wrong: list[str] = []
    for start in range(0, len(answers), TOGETHER):
        some = answers[start : start + TOGETHER]
        try:
            await _keep(job, some, names=names, now=now, database=database)
        except Invalid as error:
            if len(some) == 1:
                wrong.append(f"{some[0].asset}: {'; '.join(fault.detail for fault in error.faults) or error.detail}")
                continue
            for answer in some:
                wrong += await take(job, [answer], database=database, now=now)
        except JobClosed:
            break
    return tuple(wrong)


async def close_if_answered(job: LabelingJob, *, database: Database, now: Clock) -> LabelingJob:
    """Return a job, closed if none of its items is open any more."""
    jobs = database.documents(LabelingJob)
    while job.state is JobState.OPEN and not (await status_of(job, database)).open:
        closed = job.successor(state=JobState.CLOSED, closed_at=now())
        try:
            await jobs.replace(closed, was=job)
        except Conflict:
            job = await jobs.get(job.id)
        else:
            job = closed
    return job


async def _keep(
    job: LabelingJob, answers: Sequence[Answer], *, names: dict[str, str], now: Clock, database: Database
) -> None:
    given = Answers.model_construct(answers=tuple(answers))
    await keep_answers(given, job, names=names, author=job.tool, at=now(), database=database)
