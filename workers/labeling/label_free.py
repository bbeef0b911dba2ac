"""LabelFree as a labeling tool: a folder shared with it, and exports of projects that are done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import ClientSession

from schemas.errors import Invalid, NotFound, Unavailable
from schemas.labeling import Answer, ItemState, JobState, LabelingItem, LabelingJob
from schemas.schema import AssetId
from storage.labeling.settings import ToolSettings
from workers.labeling.label_free_calls import TIMEOUT_SECONDS, Calls, Progress
from workers.labeling.label_free_export import Form, listed
from workers.labeling.label_free_exporting import exported, looked, read, remembered, unasked
from workers.labeling.label_free_folder import JobFolder, Made
from workers.labeling.label_free_images import write_images
from workers.labeling.label_free_kept import KeptWriter
from workers.labeling.label_free_project import export_storage, import_storage, project_of
from workers.labeling.tools import InTool, Links, Told

AT_ONCE: Final = 8
"""Images that are fetched at the same time."""
TAKEN: Final = "exported"
"""The cursor of a job of which an export was taken."""
STEP: Final = "Close the job to keep what was taken before, or cancel its task."


class LabelFree:
    """A LabelFree that is told of jobs, and says what was labeled once all is."""

    def __init__(
        self, settings: ToolSettings, session: ClientSession, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._settings = settings
        self._session = session
        self._calls = Calls(settings, session, timeout_seconds=timeout_seconds)

    async def open(
        self,
        job: LabelingJob,
        items: AsyncIterator[LabelingItem],
        *,
        links: Links,
        progress: Callable[[int], None],
    ) -> InTool:
        """Write the images, and make what is not remembered of the project and its storages.

        An answer that was lost leaves an empty project, or a storage that nobody looks at: no image is in two.
        """
        wanted, folder = project_of(job), JobFolder(self._settings, job)
        await asyncio.to_thread(folder.make)
        await self._fill(job, items, folder, link=links.image, progress=progress)
        made = await asyncio.to_thread(folder.made) or Made()
        if not made.project:
            made = await remembered(folder, made, project=await self._calls.made("/api/projects", wanted))
        with _gone(made.project):
            made = await self._with_storages(job, folder, made)
            if (await self._calls.progress(made.project)).tasks < job.items:
                await self._sync(made)
        return InTool(str(made.project), self._calls.tool.url)

    async def answers(self, job: LabelingJob) -> AsyncIterator[Told]:
        """Yield what an export says, once all of the project is labeled, or the job is closed; nothing before that."""
        folder = JobFolder(self._settings, job)
        made = await asyncio.to_thread(folder.made)
        if made is None or not made.project:
            if job.state is JobState.CLOSED and job.tool_cursor:
                return  # all was taken, and the folder removed
            raise Invalid(f"The folder {folder.path} of the job is gone.", step=STEP)
        with _gone(made.project):
            found, made = await self._looked_at(job, folder, made)
            if made.is_taken or found.labeled < found.tasks:
                return
            if found.tasks:
                made = await exported(self._calls, folder, made, project=made.project)
        spoken_of = set[AssetId]()
        if found.tasks:
            async for told in read(self._calls, folder, made, form=Form(job.annotation)):
                spoken_of |= listed(told)
                yield told
        if len(spoken_of) < found.tasks:
            await looked(folder, made)
            detail = f"The export of {self._calls.tool} lists {len(spoken_of):,} of {found.tasks:,} labeled images."
            raise Invalid(detail, step=STEP)
        yield Told(await _deleted(folder, made, spoken_of), cursor=TAKEN)
        await remembered(folder, made, is_taken=not made.is_cut, looked=0)

    async def heard(self, job: LabelingJob, body: bytes) -> Told:  # noqa: ARG002 - of the port
        """Return nothing: LabelFree has no hooks."""
        return Told()

    async def close(self, job: LabelingJob) -> None:
        """Remove the folder: all that is in the project was taken."""
        await asyncio.to_thread(JobFolder(self._settings, job).remove)

    async def _fill(
        self,
        job: LabelingJob,
        items: AsyncIterator[LabelingItem],
        folder: JobFolder,
        *,
        link: Callable[[AssetId], str],
        progress: Callable[[int], None],
    ) -> None:
        done = 0
        kept = await asyncio.to_thread(KeptWriter, folder, job)
        try:
            async for some in _batches(items):
                await write_images(some, folder, link=link, session=self._session)
                await asyncio.to_thread(kept.add, some)
                done += len(some)
                progress(done)
            await asyncio.to_thread(kept.finish)
        finally:
            await asyncio.to_thread(kept.close)

    async def _with_storages(self, job: LabelingJob, folder: JobFolder, made: Made) -> Made:
        if not made.import_storage:
            wanted = import_storage(job, made.project, folder.images_in_tool)
            storage = await self._calls.made("/api/storages/localfiles", wanted)
            made = await remembered(folder, made, import_storage=storage)
        if not made.export_storage:
            wanted = export_storage(made.project, folder.output_in_tool)
            storage = await self._calls.made("/api/storages/export/localfiles", wanted)
            made = await remembered(folder, made, export_storage=storage)
        return made

    async def _looked_at(self, job: LabelingJob, folder: JobFolder, made: Made) -> tuple[Progress, Made]:
        """Return how far the project is; raise Unavailable while it is not as it was asked to be."""
        if job.state is JobState.CLOSED:
            return await self._cut(folder, made)
        found = await self._calls.progress(made.project)
        if not made.is_whole:
            if found.tasks < job.items:
                await self._sync(made)
                raise Unavailable(f"{self._calls.tool} has {found.tasks:,} of {job.items:,} images so far.")
            made = await remembered(folder, made, is_whole=True)
        return found, await looked(folder, made) if made.is_taken else made

    async def _cut(self, folder: JobFolder, made: Made) -> tuple[Progress, Made]:
        """Have what nobody labeled deleted, so that all of the project is labeled; no export of before tells that."""
        if not made.is_cut:
            await self._calls.delete_unlabeled(made.project)
            made = await remembered(folder, unasked(made), is_cut=True)
        found = await self._calls.progress(made.project)
        if found.labeled < found.tasks:
            raise Unavailable(f"{self._calls.tool} still has tasks that nobody labeled.")
        return found, made

    async def _sync(self, made: Made) -> None:
        await self._calls.sync(f"/api/storages/localfiles/{made.import_storage}/sync")


async def _batches(items: AsyncIterator[LabelingItem]) -> AsyncIterator[list[LabelingItem]]:
    batch = list[LabelingItem]()
    async for item in items:
        batch.append(item)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


async def _deleted(folder: JobFolder, made: Made, spoken_of: set[AssetId]) -> list[Answer]:
    """Return as skipped what somebody deleted from the project: all that is there is labeled, and it is not there."""
    if made.is_cut:
        return []
    missing = await asyncio.to_thread(folder.assets) - spoken_of
    return [Answer(asset=asset, state=ItemState.SKIPPED) for asset in sorted(missing)]


@contextmanager
def _gone(project: int) -> Iterator[None]:
    """Turn what is not found in a project into Invalid."""
    try:
        yield
    except NotFound as error:
        raise Invalid(f"The project {project}, or what belongs to it, is gone from LabelFree.", step=STEP) from error
