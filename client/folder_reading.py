"""What is asked most often of a data folder, answered from its documents at once; all else the gateway answers.

The gateway takes most of a second to load. What is answered here is what it would answer, and only where that is
plain: whatever does not exist, is hidden, or is asked for in another way is left to it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from client.api import connected
from client.calls import Calls, Pieces, Query, Stream
from client.data_folder import DOCUMENTS, with_data
from gateway.ancestry import ancestors_of
from schemas.datasets import Dataset, Tag, Version, dataset_id
from schemas.errors import NotFound, YmirError
from schemas.models import Model
from schemas.pages import Page
from schemas.projects import ClassList, Project
from schemas.schema import Document, Schema
from schemas.tasks import Task
from storage import ports
from storage.datasets.refs import resolve
from storage.ports import Database
from storage.sqlite import open_database

PAGE_ITEMS: Final = 50
PAGE_ITEMS_AT_MOST: Final = 1_000


class Asked(NamedTuple):
    """What is asked for: the names in the path, and the page."""

    database: Database
    names: Mapping[str, str]
    limit: int
    cursor: str | None

    async def project(self) -> Project:
        """Return the project; raise NotFound."""
        named = ports.Query(equal={"name": self.names["project"], "removed_at": None})
        for project in (await self.database.documents(Project).list(named, order="name", limit=1)).items:
            return project
        raise NotFound("project", self.names["project"])

    async def dataset(self) -> Dataset:
        """Return the dataset; raise NotFound."""
        identity = dataset_id((await self.project()).id, self.names["dataset"])
        dataset = await self.database.documents(Dataset).get(identity)
        if dataset.removed_at is not None:
            raise NotFound("dataset", dataset.name)
        return dataset

    async def version(self) -> Version:
        """Return the version; raise NotFound."""
        ref = f"{self.names['dataset']}@{self.names['ref']}"
        return await resolve(ref, (await self.project()).id, self.database)

    async def page(self, kind: type[Document], order: str, **equal: str | None) -> Page[Document]:
        """Return the page of documents that are asked for."""
        wanted = ports.Query(equal=equal)
        return await self.database.documents(kind).list(wanted, order=order, limit=self.limit, cursor=self.cursor)


async def _projects(asked: Asked) -> Schema:
    return await asked.page(Project, "name", removed_at=None)


async def _project(asked: Asked) -> Schema:
    return await asked.project()


async def _classes(asked: Asked) -> Schema:
    return await asked.database.documents(ClassList).get((await asked.project()).id)


async def _datasets(asked: Asked) -> Schema:
    return await asked.page(Dataset, "name", project=(await asked.project()).id, removed_at=None)


async def _models(asked: Asked) -> Schema:
    return await asked.page(Model, "-created_at", project=(await asked.project()).id, removed_at=None)


async def _tasks(asked: Asked) -> Schema:
    return await asked.page(Task, "-created_at", project=(await asked.project()).id)


async def _versions(asked: Asked) -> Schema:
    return await asked.page(Version, "-number", dataset=(await asked.dataset()).id, removed_at=None)


async def _tags(asked: Asked) -> Schema:
    return await asked.page(Tag, "name", dataset=(await asked.dataset()).id)


async def _version(asked: Asked) -> Schema:
    return await asked.version()


async def _history(asked: Asked) -> Schema:
    versions = asked.database.documents(Version)
    return await ancestors_of(await asked.version(), versions, start=int(asked.cursor or 0), limit=asked.limit)


async def _task(asked: Asked) -> Schema:
    return await asked.database.documents(Task).get(asked.names["task"])


ANSWERS: Final[Mapping[str, Callable[[Asked], Awaitable[Schema]]]] = {
    "/v1/projects": _projects,
    "/v1/projects/{project}": _project,
    "/v1/projects/{project}/classes": _classes,
    "/v1/projects/{project}/datasets": _datasets,
    "/v1/projects/{project}/models": _models,
    "/v1/projects/{project}/tasks": _tasks,
    "/v1/projects/{project}/datasets/{dataset}/versions": _versions,
    "/v1/projects/{project}/datasets/{dataset}/tags": _tags,
    "/v1/projects/{project}/datasets/{dataset}/versions/{ref}": _version,
    "/v1/projects/{project}/datasets/{dataset}/versions/{ref}/history": _history,
    "/v1/tasks/{task}": _task,
}
PATTERNS: Final = [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), answer) for path, answer in ANSWERS.items()]


class FolderCalls:
    """Answers from the documents of a folder; ``gateway`` makes what answers everything else."""

    def __init__(self, database: Database, gateway: Callable[[], Awaitable[Calls]]) -> None:
        self._database = database
        self._start = gateway
        self._lock = asyncio.Lock()
        self._gateway: Calls | None = None

    async def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = None,
        pieces: Pieces | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the whole answer to a call."""
        if method == "GET" and (found := await self._read(path, query or {})) is not None:
            return found.model_dump_json().encode()
        calls = await self._rest()
        return await calls.answer(method, path, query=query, json=json, pieces=pieces, headers=headers)

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        """Return the headers of the answer to a call whose body is bytes."""
        return await (await self._rest()).told(method, path, headers=headers, body=body)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[Stream]:
        """Open the answer at a path, piece by piece."""
        async with (await self._rest()).stream(path) as stream:
            yield stream

    async def _read(self, path: str, query: Query) -> Schema | None:
        """Return what is at a path where that is plain, else None."""
        limit, cursor = query.get("limit", PAGE_ITEMS), query.get("cursor")
        plain = set(query) <= {"limit", "cursor"} and isinstance(limit, int) and 0 < limit <= PAGE_ITEMS_AT_MOST
        for pattern, answer in PATTERNS if plain else ():
            if found := pattern.fullmatch(path):
                names = {name: unquote(text) for name, text in found.groupdict().items()}
                try:
                    return await answer(
                        Asked(self._database, names, int(str(limit)), None if cursor is None else str(cursor))
                    )
                except (YmirError, ValueError):
                    return None  # the gateway says what is wrong
        return None

    async def _rest(self) -> Calls:
        async with self._lock:
            if self._gateway is None:
                self._gateway = await self._start()
            return self._gateway


@asynccontextmanager
async def reading(data: Path, *, key: Callable[[], Awaitable[str]]) -> AsyncIterator[FolderCalls]:
    """Open what answers about a data folder; the gateway is started when it is needed, and called with the key.

    Raise Invalid if there is nothing in the folder.
    """
    async with AsyncExitStack() as stack:

        async def gateway() -> Calls:
            from client import folder_gateway  # noqa: PLC0415 - it is what takes time to load

            url = await stack.enter_async_context(folder_gateway.readable(data))
            return (await stack.enter_async_context(connected(url, await key()))).calls

        database = await stack.enter_async_context(open_database(with_data(data) / DOCUMENTS))
        yield FolderCalls(database, gateway)
