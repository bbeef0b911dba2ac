"""A small client of the HTTP API, typed by the schemas."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

from aiohttp import ClientConnectionError, ClientPayloadError, ClientResponse, ClientSession, ClientTimeout
from pydantic import ValidationError
from yarl import URL

from schemas.errors import YmirError
from schemas.pages import Page
from schemas.parameters import Parameters
from schemas.problems import Problem
from schemas.schema import Schema, new_id
from schemas.tasks import Task, TaskState

S = TypeVar("S", bound=Schema)
FIRST_LOOK_SECONDS: Final = 0.02
LONGEST_LOOK_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 0.1


class Refused(YmirError):
    """The service answered with a problem, or a task ended as failed or cancelled."""

    slug = "refused"
    title = "Refused"

    def __init__(self, problem: Problem) -> None:
        """Tell of a problem in one text: what, where, and the next step."""
        where = "".join(f"\n  {error.pointer}: {error.detail}" for error in problem.errors)
        super().__init__(f"{problem.title}: {problem.detail}{where}", step=problem.step)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.detail}\n{self.step}" if self.step else self.detail


class Client:
    """Calls one service with one key. Use ``async with connected(url, key) as client``."""

    def __init__(self, session: ClientSession, *, patience_seconds: float = 0.0) -> None:
        """``patience_seconds``: for how long a call is tried again while nobody answers."""
        self._session = session
        self._patience_seconds = patience_seconds

    async def get(self, kind: type[S], path: str, **query: str | int) -> S:
        """Return what is at a path. Raises Refused, and ClientConnectionError when nobody answers."""
        return await self._call(kind, "GET", path, params=query)

    async def post(self, kind: type[S], path: str, body: Schema | Mapping[str, Any] | None = None) -> S:
        """Post a body, under a key that makes it happen once however often it is sent. Raises Refused."""
        headers = {"Idempotency-Key": f'"{new_id()}"'}
        return await self._call(kind, "POST", path, json=_plain(body), headers=headers)

    async def put(self, kind: type[S], path: str, body: Schema | Mapping[str, Any] | Path) -> S:
        """Put a body, or stream a file; return the answer. Raises Refused."""
        if isinstance(body, Path):
            return await self._call(kind, "PUT", path, file=body)
        return await self._call(kind, "PUT", path, json=_plain(body))

    async def items(self, kind: type[S], path: str, **query: str | int) -> AsyncIterator[S]:
        """Return every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(Page[kind], path, **query, **cursor)  # type: ignore[valid-type]  # made at run time
            for item in page.items:
                yield item
            if page.next is None:
                return
            cursor = {"cursor": page.next}

    async def read(self, path: str, **query: str | int) -> bytes:
        """Return the bytes at a path. Raises Refused."""
        return await self._bytes("GET", path, params=query)

    async def submit(self, project: str, parameters: Parameters) -> Task:
        """Ask for a task; return it as accepted. Raises Refused."""
        return await self.post(Task, f"/v1/projects/{project}/tasks", parameters)

    async def ended(self, task: Task, *, watch: Callable[[Task], None] = lambda _: None) -> Task:
        """Wait until a task has succeeded, and return it; ``watch`` sees it on the way. Raises Refused."""
        pause = FIRST_LOOK_SECONDS
        while not task.is_final:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_SECONDS)
            task = await self.get(Task, f"/v1/tasks/{task.id}")
            watch(task)
        if task.state is not TaskState.SUCCEEDED:
            raise Refused(task.problem or _not_succeeded(task))
        return task

    async def _call(self, kind: type[S], method: str, path: str, **arguments: Any) -> S:  # noqa: ANN401 - aiohttp's
        return kind.model_validate_json(await self._bytes(method, path, **arguments))

    async def _bytes(self, method: str, path: str, *, file: Path | None = None, **arguments: Any) -> bytes:  # noqa: ANN401 - aiohttp's
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                with ExitStack() as opened:
                    if file is not None:  # anew for each try: the one before has read from it
                        arguments["data"] = opened.enter_context(file.open("rb"))
                    async with self._session.request(method, path, **arguments) as response:
                        await _check(response)
                        return await response.read()
            except (ClientConnectionError, ClientPayloadError):
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def connected(url: str, key: str, *, patience_seconds: float = 0.0) -> AsyncIterator[Client]:
    """Open a client of the service at ``url``."""
    headers = {"Authorization": f"Bearer {key}"}
    timeout = ClientTimeout(total=None, sock_connect=10, sock_read=300)
    async with ClientSession(URL(url), headers=headers, timeout=timeout) as session:
        yield Client(session, patience_seconds=patience_seconds)


async def ready(client: Client, *, seconds: float) -> None:
    """Wait until the service says that it is ready. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await client.read("/readyz")
            except (ClientConnectionError, Refused):
                await asyncio.sleep(0.05)
            else:
                return


def _plain(body: Schema | Mapping[str, Any] | None) -> object:
    return body.model_dump(mode="json", exclude_none=True) if isinstance(body, Schema) else body


def _not_succeeded(task: Task) -> Problem:
    detail = f"The task {task.id} has ended as {task.state}."
    return Problem(type="about:blank", title=f"Task {task.state}", status=HTTPStatus.CONFLICT, detail=detail)


async def _check(response: ClientResponse) -> None:
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    body = await response.read()
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        text = body[:500].decode(errors="replace")
        problem = Problem(type="about:blank", title=response.reason or "Error", status=response.status, detail=text)
    raise Refused(problem)
