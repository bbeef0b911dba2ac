"""A person who labels in Label Studio, over its own API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import ClientSession

from tests.servers.label_studio import TOKEN

Json = dict[str, Any]


class Annotator:
    """Works on the one project of a job."""

    def __init__(self, session: ClientSession, project: str = "") -> None:
        self._session = session
        self.project = project

    def of(self, project: str) -> Self:
        return type(self)(self._session, project)

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - foreign JSON
        async with self._session.request(method, path, json=body, params=query) as response:
            assert response.status < 300, (response.status, await response.text())
            return await response.json() if response.content_type == "application/json" else None

    async def projects(self, job: str) -> list[Json]:
        """Return the projects that were made for a job."""
        found = await self.call("GET", "/api/projects/", page_size="1000")
        return [project for project in found["results"] if job in (project["description"] or "")]

    async def tasks(self) -> dict[str, Json]:
        """Return the tasks of the project by asset."""
        found = await self.call("GET", "/api/tasks", project=self.project, fields="all", page_size="1000")
        assert len({task["data"]["asset"] for task in found["tasks"]}) == len(found["tasks"])
        return {task["data"]["asset"]: task for task in found["tasks"]}

    async def hooks(self) -> list[str]:
        return [hook["url"] for hook in await self.call("GET", "/api/webhooks/", project=self.project)]

    async def submit(self, task: int, results: Sequence[Mapping[str, Any]]) -> int:
        """Submit annotations; return the id that they have together."""
        made = await self.call("POST", f"/api/tasks/{task}/annotations/", {"result": list(results)})
        return int(made["id"])

    async def skip(self, task: int) -> int:
        made = await self.call("POST", f"/api/tasks/{task}/annotations/", {"result": [], "was_cancelled": True})
        return int(made["id"])

    async def change(self, annotation: int, results: Sequence[Mapping[str, Any]]) -> None:
        await self.call("PATCH", f"/api/annotations/{annotation}/", {"result": list(results)})

    async def delete(self, annotation: int) -> None:
        await self.call("DELETE", f"/api/annotations/{annotation}/")


def rectangle(label: str, place: Mapping[str, float], *, size: tuple[int, int], identity: str = "drawn") -> Json:
    """Return a rectangle as the editor gives it, in percents."""
    return {
        "id": identity,
        "type": "rectanglelabels",
        "from_name": "rectangle",
        "to_name": "image",
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "origin": "manual",
        "value": {"rotation": 0, **place, "rectanglelabels": [label]},
    }


@asynccontextmanager
async def annotating(url: str) -> AsyncIterator[Annotator]:
    """Log in to a Label Studio."""
    async with ClientSession(url, headers={"Authorization": f"Token {TOKEN}"}) as session:
        yield Annotator(session)
