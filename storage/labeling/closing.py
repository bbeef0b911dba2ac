"""Closing labeling jobs: from then on no answer counts but those that are kept."""

from datetime import datetime
from functools import partial

from schemas.labeling import JobState, LabelingJob
from schemas.schema import Id
from storage.contested import changed
from storage.ports import Documents, Query


async def closed(job: LabelingJob, *, jobs: Documents[LabelingJob], at: datetime) -> LabelingJob:
    """Return a job as it is closed, whatever else is changed of it meanwhile."""
    if job.state is JobState.CLOSED:
        return job
    return (await changed(jobs, partial(jobs.get, job.id), partial(_closed, at=at))).now


async def close_all(task: Id, *, jobs: Documents[LabelingJob], at: datetime) -> None:
    """Close the open jobs of a task."""
    for job in (await jobs.list(Query(equal={"task": task, "state": JobState.OPEN}))).items:
        await closed(job, jobs=jobs, at=at)


def _closed(job: LabelingJob, *, at: datetime) -> LabelingJob:
    return job if job.state is JobState.CLOSED else job.successor(state=JobState.CLOSED, closed_at=at)
