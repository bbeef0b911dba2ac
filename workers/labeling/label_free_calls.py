"""Calls of LabelFree's API, and what is read of their answers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from schemas.errors import Invalid, Unavailable
from storage.labeling.settings import ToolSettings
from workers.executors.scratch import scratch_errors
from workers.labeling.tool_errors import Reached, check_status, tool_errors

PAGE: Final = "docs/labelfree.md"
# YMIR's own client waited as long: a sync looks at every image.
TIMEOUT_SECONDS: Final = 600.0
PIECE_BYTES: Final = 1 << 20
EXPORT_BYTES: Final = 8 << 30


class Progress(NamedTuple):
    """How many tasks a project has, and how many of them somebody labeled."""

    tasks: int
    labeled: int


class Calls:
    """One LabelFree, used as one of its users. Every call raises Unavailable, Invalid, and NotFound for 404."""

    def __init__(
        self, settings: ToolSettings, session: ClientSession, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self.tool = Reached("LabelFree", settings.url.rstrip("/"), PAGE)
        self._token = settings.token
        self._session = session
        self._timeout = ClientTimeout(total=timeout_seconds)

    async def made(self, path: str, body: Mapping[str, object]) -> int:
        """Make something and return its id."""
        return self._whole(await self._call("POST", path, body=body), "id", least=1)

    async def sync(self, path: str) -> None:
        """Have the tool look at a storage."""
        await self._call("POST", path)

    async def progress(self, project: int) -> Progress:
        """Return how far a project is."""
        found = await self._call("GET", f"/api/projects/{project}")
        return Progress(self._whole(found, "task_number"), self._whole(found, "num_tasks_with_annotations"))

    async def delete_unlabeled(self, project: int) -> None:
        """Have a project keep those tasks alone that somebody labeled."""
        await self._call("PUT", f"/api/projects/{project}", query={"delete_unlabeled_task": "true"})

    async def newest_export(self, project: int) -> str:
        """Return the id of the export that is listed first, empty if there is none."""
        listed = await self._call("GET", "/api/v1/export", query={"project_id": str(project), "page_size": "1"})
        match listed:
            case {"data": {"export_tasks": []}}:
                return ""
            case {"data": {"export_tasks": [{"task_id": str() | int() as identity}, *_]}}:
                return str(identity)
        raise self._unexpected("a list of exports")

    async def begin_export(self, project: int, *, kind: int) -> str:
        """Have a project exported without its images; return the id of the export, empty where that is not told."""
        wanted = {"project_id": project, "export_type": kind, "export_image": False}
        match await self._call("POST", "/api/v1/export", body=wanted):
            case {"data": {"task_id": str() | int() as identity}}:
                return str(identity)
        return ""

    async def export_path(self, export: str) -> str:
        """Return where an export can be fetched, empty while it is being made."""
        match await self._call("GET", f"/api/v1/export/{export}"):
            case {"data": {"store_path": str(path)}}:
                # Releases were seen that put this in the place of a host that is not configured.
                return path.removeprefix("None")
        return ""

    async def download(self, path: str, to: Path) -> None:
        """Write what is at a path of the tool, or at an address that it gave, into a file."""
        here = URL(self.tool.url)
        address = URL(path) if URL(path).is_absolute() else URL(f"{self.tool.url}/{path.lstrip('/')}")
        if address.scheme not in {"http", "https"}:
            raise self._unexpected(f"an address that can be fetched: {path[:200]}")
        # The token is for the tool alone: its exports may lie in a store elsewhere.
        headers = self._headers() if address.origin() == here.origin() else {}
        with tool_errors(self.tool):
            async with self._session.get(address, headers=headers, timeout=self._timeout) as response:
                if response.status >= 300:  # noqa: PLR2004 - any status that is no success
                    check_status(response, await response.read(), tool=self.tool)
                await self._written(response, to)

    async def _written(self, response: ClientResponse, to: Path) -> None:
        size = 0
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            if (size := size + len(piece)) > EXPORT_BYTES:
                step = "Ask for labels of fewer images at a time."
                raise Invalid(f"The export of {self.tool} has more than {EXPORT_BYTES:,} bytes.", step=step)
            await asyncio.to_thread(_append, to, piece)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON of the tool
        data = None if body is None else orjson.dumps(body)
        headers = self._headers() | ({} if data is None else {"Content-Type": "application/json"})
        with tool_errors(self.tool):
            async with self._session.request(
                method,
                f"{self.tool.url}{path}",
                params=query,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                text = await response.read()
                check_status(response, text, tool=self.tool)
        try:
            return orjson.loads(text) if text else None
        except ValueError as error:
            raise Unavailable(f"{self.tool} answers something else than JSON.") from error

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.get_secret_value()}", "Accept": "application/json"}

    def _whole(self, found: object, key: str, *, least: int = 0) -> int:
        value = found.get(key) if isinstance(found, dict) else None
        if type(value) is not int or value < least:
            raise self._unexpected(f"a whole number as {key}")
        return value

    def _unexpected(self, wanted: str) -> Invalid:
        step = f"See whether the labeling tool's release is one that is supported: {PAGE}."
        return Invalid(f"{self.tool} answers without {wanted}.", step=step)


def _append(to: Path, piece: bytes) -> None:
    with scratch_errors(), to.open("ab") as file:
        file.write(piece)
