"""Label Studio as a labeling tool."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
import structlog
from aiohttp import ClientSession

from schemas.errors import Invalid, NotFound
from schemas.labeling import LabelingItem, LabelingJob
from schemas.schema import AssetId
from storage.labeling.settings import ToolSettings
from workers.labeling.label_studio_answers import changed_at, is_touched, told_of
from workers.labeling.label_studio_calls import Calls
from workers.labeling.label_studio_project import (
    KEPT,
    configuration,
    is_of,
    kinds_of,
    kinds_shown,
    mark_of,
    project_of,
    task_of,
)
from workers.labeling.label_studio_tasks import LIGHT, WHOLE, Place, changed_tasks, cursor_of, listed_tasks, place_of
from workers.labeling.tools import InTool, Links, Told

BATCH: Final = 250
BATCH_BYTES: Final = 8 * 2**20
ACTIONS: Final = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")
CLOSED: Final = "This labeling job is closed: what is labeled from now on is not taken."

Json = dict[str, Any]
log = structlog.get_logger(__name__)


class LabelStudio:
    """A Label Studio whose projects are made for jobs, and read by when their tasks changed."""

    def __init__(self, settings: ToolSettings, session: ClientSession) -> None:
        self._calls = Calls(settings, session)
        self._authors: dict[int, str] = {}

    async def open(
        self,
        job: LabelingJob,
        items: AsyncIterator[LabelingItem],
        *,
        links: Links,
        progress: Callable[[int], None],
    ) -> InTool:
        """Make the project of a job, give it the tasks and the webhook that it lacks."""
        project = await self._found(job) or await self._calls.send("POST", "/api/projects/", project_of(job))
        there = {asset for asset, _ in await listed_tasks(self._calls, project["id"])}
        await self._fill(job, project, _lacking(items, there), link=links.image, done=len(there), progress=progress)
        if job.keep is not None:
            await self._prelabel(project["id"])
        await self._remove_doubles(project["id"])
        await self._listen(project["id"], links.hook)
        return InTool(str(project["id"]), f"{self._calls.url}/projects/{project['id']}")

    async def answers(self, job: LabelingJob) -> AsyncIterator[Told]:
        """Yield what changed, the oldest first: whatever changes meanwhile comes later, or once more."""
        project, cursor = job.tool_project, ""
        async for found in changed_tasks(self._calls, project, LIGHT, place_of(job.tool_cursor)):
            if touched := next((task for task in found.value["tasks"] if is_touched(task)), None):
                break
            cursor = cursor_of(found)
        else:
            if cursor:
                yield Told(cursor=cursor)
            return
        async for found in changed_tasks(self._calls, project, WHOLE, Place(changed_at(touched))):
            yield (await self._told(found.value["tasks"]))._replace(cursor=cursor_of(found))

    async def heard(self, job: LabelingJob, body: bytes) -> Told:
        """Read the task that a hook names, or, where it names none, as one of deletions, what changed."""
        if not job.tool_project:
            return Told()  # it is found once the project is known
        match _loaded(body):
            case {"task": {"id": int(task)}}:
                return await self._one(job, task)
            case {"action": "ANNOTATIONS_DELETED"}:
                told = [said async for said in self.answers(job)]
                return Told(
                    [one for said in told for one in said.answers], [one for said in told for one in said.unfit]
                )
        return Told()

    async def close(self, job: LabelingJob) -> None:
        """Remove the webhook, and tell whoever opens the project."""
        if not job.tool_project:
            return
        try:
            for hook in await self._hooks(job.tool_project):
                if f"/{job.token}" in hook["url"]:
                    await self._calls.delete(f"/api/webhooks/{hook['id']}/")
            closed = {"expert_instruction": CLOSED, "show_instruction": True}
            await self._calls.send("PATCH", f"/api/projects/{job.tool_project}/", closed)
        except NotFound:
            return

    async def _found(self, job: LabelingJob) -> Json | None:
        """Return the project that an attempt before made."""
        found = (await self._calls.get("/api/projects/", {"title": mark_of(job), "page_size": "100"})).value
        mine = [project for project in found["results"] if is_of(project, job)]
        return min(mine, key=lambda project: int(project["id"])) if mine else None

    async def _fill(
        self,
        job: LabelingJob,
        project: Json,
        items: AsyncIterator[LabelingItem],
        *,
        link: Callable[[AssetId], str],
        done: int,
        progress: Callable[[int], None],
    ) -> None:
        kinds, path = (
            kinds_of(job) | frozenset(project.get("parsed_label_config") or ()),
            f"/api/projects/{project['id']}",
        )
        async for batch in _batches(items, link=link):
            if (shown := kinds_shown(batch)) - kinds:
                kinds |= shown
                await self._calls.send("PATCH", f"{path}/", {"label_config": configuration(job, kinds)})
            await self._calls.send("POST", f"{path}/import", batch)
            done += len(batch)
            progress(done)

    async def _prelabel(self, project: int) -> None:
        """Have annotators start from what is to be kept, if there is anything."""
        path = f"/api/projects/{project}/"
        if (await self._calls.get(path)).value["total_predictions_number"]:
            await self._calls.send("PATCH", path, {"model_version": KEPT})

    async def _remove_doubles(self, project: int) -> None:
        """Remove tasks that two attempts imported at once: nobody was told of the project yet."""
        seen: set[AssetId] = set()
        for asset, task in await listed_tasks(self._calls, project):
            if asset in seen:
                await self._calls.delete(f"/api/tasks/{task}/")
            seen.add(asset)

    async def _listen(self, project: int, url: str) -> None:
        """Have the tool tell of answers; one that may not, as to a private network, is asked all the same."""
        if any(hook["url"] == url and hook["is_active"] for hook in await self._hooks(project)):
            return
        wanted = {"url": url, "project": project, "send_payload": True, "send_for_all_actions": False}
        try:
            await self._calls.send("POST", "/api/webhooks/", {**wanted, "actions": ACTIONS})
        except Invalid as error:
            log.warning("Label Studio takes no webhook", project=project, error=error.detail)

    async def _hooks(self, project: int | str) -> list[Json]:
        hooks: list[Json] = (await self._calls.get("/api/webhooks/", {"project": str(project)})).value
        return hooks

    async def _one(self, job: LabelingJob, task: int) -> Told:
        try:
            found = (await self._calls.get(f"/api/tasks/{task}/")).value
        except NotFound:
            return Told()
        return await self._told([found] if str(found["project"]) == job.tool_project else [])

    async def _told(self, tasks: list[Json]) -> Told:
        by = {entry.get("completed_by") for task in tasks for entry in task["annotations"] if _is_id(entry)}
        if by - self._authors.keys():
            users = (await self._calls.get("/api/users/")).value
            self._authors = {user["id"]: user["email"] for user in users}
        return await asyncio.to_thread(told_of, tasks, authors=self._authors)


async def _lacking(items: AsyncIterator[LabelingItem], there: set[AssetId]) -> AsyncIterator[LabelingItem]:
    async for item in items:
        if item.asset not in there:
            yield item


async def _batches(items: AsyncIterator[LabelingItem], *, link: Callable[[AssetId], str]) -> AsyncIterator[list[Json]]:
    batch, size = list[Json](), 0
    async for item in items:
        task = await asyncio.to_thread(task_of, item, link=link) if item.suggestions else task_of(item, link=link)
        batch.append(task)
        size += len(orjson.dumps(task))
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _loaded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _is_id(entry: Json) -> bool:
    return isinstance(entry.get("completed_by"), int)
