"""A small client of the service, typed by the schemas: what Python programs and the commands use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from client.calls import Calls, Pieces, Query, Refused
from client.files import SeenBytes, file_pieces, saved, unseen
from schemas.datasets import Version
from schemas.errors import NotFound, Unavailable
from schemas.events import LoggedEvent
from schemas.pages import Page
from schemas.parameters import Parameters
from schemas.problems import Problem
from schemas.refs import parse_ref
from schemas.schema import Schema, new_id
from schemas.task_states import TaskState
from schemas.tasks import Task

S = TypeVar("S", bound=Schema)
FIRST_LOOK_SECONDS: Final = 0.02
LONGEST_LOOK_SECONDS: Final = 0.5


class Client:
    """Calls one service with one key. Use ``async with connected(url, key) as client``.

    Every call raises Refused, with the problem, when the service refuses it, and Unavailable when nobody answers.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        """How the service is reached."""

    async def get(self, kind: type[S], path: str, **query: str | int | Sequence[str]) -> S:
        """Return what is at a path."""
        return kind.model_validate_json(await self.calls.answer("GET", path, query=query))

    async def post(self, kind: type[S], path: str, body: Schema | Mapping[str, Any] | None = None) -> S:
        """Post a body, under a key that makes it happen once however often it is sent; return the answer."""
        headers = {"Idempotency-Key": f'"{new_id()}"'}
        return kind.model_validate_json(await self.calls.answer("POST", path, json=_plain(body), headers=headers))

    async def put(self, kind: type[S], path: str, body: Schema | Mapping[str, Any] | Path | Pieces) -> S:
        """Put a body, or stream a file or pieces of bytes; return the answer."""
        if isinstance(body, Schema | Mapping):
            return kind.model_validate_json(await self.calls.answer("PUT", path, json=_plain(body)))
        pieces = file_pieces(body) if isinstance(body, Path) else body
        return kind.model_validate_json(await self.calls.answer("PUT", path, pieces=pieces))

    async def patch(self, kind: type[S], path: str, change: Schema | Mapping[str, Any]) -> S:
        """Change what is at a path; return it as it is then."""
        return kind.model_validate_json(await self.calls.answer("PATCH", path, json=_plain(change)))

    async def delete(self, path: str) -> None:
        """Remove or hide what is at a path."""
        await self.calls.answer("DELETE", path)

    async def items(self, kind: type[S], path: str, **query: str | int | Sequence[str]) -> AsyncIterator[S]:
        """Yield every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(Page[kind], path, **query, **cursor)  # type: ignore[valid-type]  # made at run time
            for item in page.items:
                yield item
            if page.next is None:
                return
            cursor = {"cursor": page.next}

    async def read(self, path: str, **query: str | int | Sequence[str]) -> bytes:
        """Return the bytes at a path."""
        return await self.calls.answer("GET", path, query=query)

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        """Return the headers of the answer to a call that is told of in headers: those of resumable uploads."""
        return await self.calls.told(method, path, headers=headers, body=body)

    async def save(self, path: str, to: Path, *, seen: SeenBytes = unseen) -> None:
        """Stream what is at a path into a file, which is there only once it is complete."""
        async with self.calls.stream(path) as stream:
            await saved(stream, to, seen=seen)

    async def submit(self, project: str, parameters: Parameters | Mapping[str, Any]) -> Task:
        """Ask for a task; return it as accepted."""
        return await self.post(Task, at("projects", project, "tasks"), parameters)

    async def looks(self, task: Task) -> AsyncIterator[Task]:
        """Yield a task as it is at each look, until it has ended; ask seldom where nothing changes."""
        pause = FIRST_LOOK_SECONDS
        while True:
            yield task
            if task.is_final:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_SECONDS)
            task = await self.get(Task, at("tasks", task.id))

    async def ended(self, task: Task, *, watch: Callable[[Task], None] = lambda _: None) -> Task:
        """Wait until a task has succeeded, and return it; ``watch`` sees it on the way."""
        async for now in self.looks(task):
            task = now
            watch(task)
        if task.state is not TaskState.SUCCEEDED:
            raise Refused(task.problem or _not_succeeded(task))
        return task

    async def version(self, project: str, ref: str) -> Version:
        """Return the version that a ref names: ``name@tag``, ``name@3``, or the newest of ``name``."""
        dataset, number_or_tag = parse_ref(ref)
        path = at("projects", project, "datasets", dataset, "versions")
        if number_or_tag is not None:
            return await self.get(Version, f"{path}/{quote(number_or_tag, safe='')}")
        async for newest in self.items(Version, path, limit=1):
            return newest
        raise NotFound("version", ref, step="The dataset has none yet.")

    async def events(
        self, after: int | None = None, *, query: Query | None = None, look_seconds: float = LONGEST_LOOK_SECONDS
    ) -> AsyncIterator[LoggedEvent]:
        """Yield the events after a position (from now on without one), and then each as it happens, for ever."""
        if (position := after) is None:
            newest = await self.get(Page[LoggedEvent], "/v1/events", last="true")
            position = newest.items[-1].position if newest.items else 0
        while True:
            page = await self.get(Page[LoggedEvent], "/v1/events", **{**(query or {}), "after": position})
            for logged in page.items:
                yield logged
                position = logged.position
            if page.next is None:
                await asyncio.sleep(look_seconds)


@asynccontextmanager
async def connected(url: str, key: str, *, patience_seconds: float = 0.0) -> AsyncIterator[Client]:
    """Open a client of the service at ``url``; for ``patience_seconds`` a call is tried again while nobody answers."""
    from client.http import open_calls  # noqa: PLC0415 - what reads a folder without a service needs no HTTP

    async with open_calls(url, key, patience_seconds=patience_seconds) as calls:
        yield Client(calls)


async def ready(client: Client, *, seconds: float) -> None:
    """Wait until the service says that it is ready. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await client.read("/readyz")
            except (Unavailable, Refused):
                await asyncio.sleep(0.05)
            else:
                return


def at(*parts: str | int) -> str:
    """Return the path of the API that some names lead to: ``at("projects", "cats")``."""
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def _plain(body: Schema | Mapping[str, Any] | None) -> object:
    return body.model_dump(mode="json", exclude_none=True) if isinstance(body, Schema) else body


def _not_succeeded(task: Task) -> Problem:
    detail = f"The task {task.id} has ended as {task.state}."
    return Problem(type="about:blank", title=f"Task {task.state}", status=HTTPStatus.CONFLICT, detail=detail)
