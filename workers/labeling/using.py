"""Using a labeling tool for a label task: opening its project, collecting what it has, and waiting meanwhile."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from schemas.errors import Conflict, Invalid
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import JobState, LabelingItem, LabelingJob
from schemas.outcomes import Pause
from storage.labeling.links import hook_link, image_link
from storage.labeling.settings import API, LabelingSettings
from storage.ports import Database, Query
from workers.labeling.jobs import BATCH, job_id
from workers.labeling.taking import close_if_answered, take
from workers.labeling.tools import InTool, LabelingTool, Links, Tools
from workers.work import Work

# Of the preparation of a job: half is for its items, half for the tool.
IN_TOOL = 0.5


@dataclass(frozen=True)
class LabelingTools:
    """The tools of a deployment, and how a label task uses the one it names."""

    tools: Tools
    settings: LabelingSettings
    database: Database

    async def opened(self, work: Work[LabelParameters]) -> None:
        """Have the task's tool show its job; the tool that is the API itself needs nothing. Raises Unavailable."""
        if work.parameters.tool == API:
            return
        job = await self._job(work)
        url = self.settings.public_url
        links = Links(hook=hook_link(url, job), image=partial(image_link, url, job))

        def progress(done: int) -> None:
            work.progress(IN_TOOL + IN_TOOL * done / max(job.items, 1), "giving the images to the tool")

        there = await self._tool(work).open(job, self._items(job), links=links, progress=progress)
        await self._kept(job, there)

    async def collected(self, work: Work[LabelParameters]) -> tuple[str, ...]:
        """Take what the tool has, close the job when all is answered, and return what could not be taken."""
        if work.parameters.tool == API:
            return ()
        job, tool, wrong = await self._job(work), self._tool(work), list[str]()
        async for answers in tool.answers(job):
            wrong += await take(job, answers, database=self.database, now=work.now)
        job = await close_if_answered(job, database=self.database, now=work.now)
        if job.state is JobState.CLOSED:
            await tool.close(job)
        return tuple(wrong)

    def pause(self, work: Work[LabelParameters], pause: Pause) -> Pause:
        """Return a pause that ends when the tool is to be asked again, whatever its hooks tell until then."""
        if work.parameters.tool == API:
            return pause
        until = work.now() + timedelta(seconds=self.settings.labeling_poll_seconds)
        return pause.model_copy(update={"until": until})

    def _tool(self, work: Work[LabelParameters]) -> LabelingTool:
        name = work.parameters.tool
        if name not in self.tools:
            raise Invalid(f"There is no labeling tool {name!r} any more.", step="Name it in YMIR_LABELING_TOOLS again.")
        return self.tools[name]

    async def _job(self, work: Work[LabelParameters]) -> LabelingJob:
        return await self.database.documents(LabelingJob).get(job_id(work.task.id))

    async def _items(self, job: LabelingJob) -> AsyncIterator[LabelingItem]:
        items, cursor = self.database.documents(LabelingItem), None
        while True:
            page = await items.list(Query(equal={"job": job.id}), order="position", limit=BATCH, cursor=cursor)
            for item in page.items:
                yield item
            if (cursor := page.next) is None:
                return

    async def _kept(self, job: LabelingJob, there: InTool) -> None:
        jobs = self.database.documents(LabelingJob)
        while (job.tool_project, job.tool_address) != there:
            told = job.successor(tool_project=there.project, tool_address=there.address)
            try:
                await jobs.replace(told, was=job)
            except Conflict:
                job = await jobs.get(job.id)
            else:
                return
