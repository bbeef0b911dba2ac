"""Receive: take in what a labeling tool told of a job."""

from schemas.labeling import JobState, LabelingJob
from schemas.outcomes import Outcome, TaskResult
from schemas.service_parameters import ReceiveParameters
from schemas.tasks import Task
from storage.ports import Blobs, Bus, Database
from storage.waking import woken
from workers.labeling.taking import close_if_answered, take
from workers.labeling.using import LabelingTools
from workers.work import Work


async def receive(
    work: Work[ReceiveParameters], *, database: Database, blobs: Blobs, bus: Bus, tools: LabelingTools
) -> Outcome:
    """Ask the tool for what it told of, keep that, and wake the label task if nothing is open any more.

    What is told of a job that takes no answers any more has no effect.
    """
    parameters = work.parameters
    found = await database.documents(LabelingJob).get_many([parameters.job])
    if not found or found[0].state is JobState.CLOSED or found[0].tool not in tools.tools:
        return Outcome(cancelled=True)
    job = found[0]
    tasks = database.documents(Task)
    label = await tasks.get(job.task)
    if label.is_final:  # cancelled: nobody waits for answers
        await tools.ended(job, now=work.now)
        return Outcome(cancelled=True)
    body = parameters.body.encode() if parameters.blob is None else await blobs.get(parameters.blob.digest)
    told = await tools.tools[job.tool].heard(job, body)
    await take(job, told, database=database, now=work.now)
    job = await close_if_answered(job, database=database, now=work.now)
    queued = await woken(job.task, tasks=tasks, at=work.now()) if job.state is JobState.CLOSED else None
    if queued is not None:
        await bus.ring(queued.doorbell())
    return Outcome(result=TaskResult(summary={"answers": len(told.answers), "unfit": len(told.unfit)}))
