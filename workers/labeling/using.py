"""Using a labeling tool for a label task: opening its project, and collecting what it has, whenever it answers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

import structlog

from schemas.errors import Invalid, Unavailable, YmirError
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import JobState, LabelingItem, LabelingJob
from storage.contested import changed
from storage.labeling.answers import count_open
from storage.labeling.closing import closed
from storage.labeling.links import hook_link, image_link
from storage.labeling.settings import API, LabelingSettings
from storage.paging import every
from storage.ports import Clock, Database, Query
from workers.labeling.jobs import job_id
from workers.labeling.taking import close_if_answered, take
from workers.labeling.tools import LabelingTool, Links, Tools
from workers.work import Work

# Of the preparation of a job: half is for its items, half for the tool.
IN_TOOL: Final = 0.5
# A job that was closed waits so long for a tool that is away; then what was taken before is all.
CLOSED_WAIT: Final = timedelta(hours=24)

ANSWERS: Final = "answers"

log = structlog.get_logger(__name__)


class Collected(NamedTuple):
    """What came of asking a tool: what is waited for now, why it could not be asked, and what the version is told."""

    waiting_for: str = ANSWERS
    is_hindered: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelingTools:
    """The tools of a deployment, and how a label task uses the one it names.

    A tool that is away is waited for: people have not ended their work because of it. So it is no failure of the task.
    """

    tools: Tools
    settings: LabelingSettings
    database: Database

    async def opened(self, work: Work[LabelParameters]) -> str:
        """Have the task's tool show its job; return why it cannot be asked now. Raises Invalid."""
        if work.parameters.tool == API:
            return ""
        job = await self._job(work)
        if job.state is JobState.CLOSED:
            return ""
        url = self.settings.public_url
        links = Links(hook=hook_link(url, job), image=partial(image_link, url, job))

        def progress(done: int) -> None:
            work.progress(IN_TOOL + IN_TOOL * done / max(job.items, 1), "giving the images to the tool")

        try:
            there = await self._tool(job).open(job, self._items(job), links=links, progress=progress)
        except Unavailable as error:
            return _told(job, error)
        await self._changed(job, tool_project=there.project, tool_address=there.address)
        return ""

    async def collected(self, work: Work[LabelParameters]) -> Collected:
        """Take what the tool has into the items, and close the job when all is answered."""
        if work.parameters.tool == API:
            return Collected()
        job = await self._job(work)
        try:
            tool = self._tool(job)
            job = await self._taken(work, job, tool)
        except (Invalid, Unavailable) as error:
            return _hindered(job, error, now=work.now())
        if job.state is JobState.CLOSED:
            await _closed(job, tool)
            return Collected()
        open_ = await count_open(job, self.database)
        return Collected(f"{ANSWERS}: {job.items - open_:,} of {job.items:,} are there")

    async def ended(self, job: LabelingJob, *, now: Clock) -> None:
        """Close a job whose task has ended without it, in its tool too."""
        job = await closed(job, jobs=self.database.documents(LabelingJob), at=now())
        if job.tool in self.tools:
            await _closed(job, self.tools[job.tool])

    def until(self, work: Work[LabelParameters]) -> datetime | None:
        """Return when the tool is to be asked again, whatever its hooks tell until then."""
        if work.parameters.tool == API:
            return None
        return work.now() + timedelta(seconds=self.settings.labeling_poll_seconds)

    async def _taken(self, work: Work[LabelParameters], job: LabelingJob, tool: LabelingTool) -> LabelingJob:
        if job.tool_project:
            async for told in tool.answers(job):
                await take(job, told, database=self.database, now=work.now)
                if told.cursor:
                    await self._changed(job, tool_cursor=told.cursor)
        return await close_if_answered(await self._job(work), database=self.database, now=work.now)

    def _tool(self, job: LabelingJob) -> LabelingTool:
        if job.tool not in self.tools:
            step = "Name it in YMIR_LABELING_TOOLS again."
            raise Invalid(f"There is no labeling tool {job.tool!r} any more.", step=step)
        return self.tools[job.tool]

    async def _job(self, work: Work[LabelParameters]) -> LabelingJob:
        return await self.database.documents(LabelingJob).get(job_id(work.task.id))

    def _items(self, job: LabelingJob) -> AsyncIterator[LabelingItem]:
        return every(self.database.documents(LabelingItem), Query(equal={"job": job.id}), order="position")

    async def _changed(self, job: LabelingJob, **changes: str) -> None:
        """Keep what is known of the tool with a job, whatever else is changed of it meanwhile."""
        jobs = self.database.documents(LabelingJob)

        def told(job: LabelingJob) -> LabelingJob:
            same = all(getattr(job, name) == value for name, value in changes.items())
            return job if same else job.successor(**changes)

        await changed(jobs, partial(jobs.get, job.id), told)


def _hindered(job: LabelingJob, error: YmirError, *, now: datetime) -> Collected:
    """Return what an error means: a job that is closed does not wait for ever, nor for what is refused for good."""
    told = _told(job, error)
    if job.state is JobState.CLOSED and (isinstance(error, Invalid) or _is_late(job, now=now)):
        return Collected(warnings=(f"{told} What it had told before is all that was taken.",))
    return Collected(told, is_hindered=True)


def _is_late(job: LabelingJob, *, now: datetime) -> bool:
    return job.closed_at is not None and now - job.closed_at > CLOSED_WAIT


def _told(job: LabelingJob, error: YmirError) -> str:
    return f"the labeling tool {job.tool}: {error.detail} {error.step}".strip()


async def _closed(job: LabelingJob, tool: LabelingTool) -> None:
    """Tell a tool that a job is closed; what it tells of it nevertheless is not heard."""
    try:
        await tool.close(job)
    except YmirError as error:
        log.warning("a tool was not told that a job is closed", job=job.id, tool=job.tool, error=error.detail)
