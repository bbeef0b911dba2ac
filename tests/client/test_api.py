"""The HTTP client, against a small server of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from client.api import Client, Refused, connected
from schemas.blobs import BlobRef
from schemas.outcomes import Outcome
from schemas.pages import Page
from schemas.problems import Problem, ProblemError
from schemas.schema import digest_of
from tests.factories import NOON, a_task

SMALL = BlobRef(digest=digest_of(b""), size=0)


class Server:
    """Answers as the service would; breaks the first connections if told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.breaks = 0

    async def page(self, request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", 0))
        items = tuple(BlobRef(digest=SMALL.digest, size=size) for size in range(start, start + 2))
        page = Page[BlobRef](items=items, next=str(start + 2) if start < 4 else None)
        return web.json_response(text=page.model_dump_json())

    async def post(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        if self.breaks:
            self.breaks -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(text=BlobRef.model_validate(await request.json()).model_dump_json())

    async def put(self, request: web.Request) -> web.Response:
        data = await request.read()
        if self.breaks:
            self.breaks -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(text=BlobRef(digest=digest_of(data), size=len(data)).model_dump_json())

    async def refuse(self, request: web.Request) -> web.Response:
        del request
        errors = (ProblemError(detail="is too large", pointer="/size"),)
        problem = Problem(type="x", title="Invalid", status=422, detail="No.", errors=errors, step="Send less.")
        return web.json_response(text=problem.model_dump_json(), status=422)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_get("/page", server.page)
    app.router.add_post("/post", server.post)
    app.router.add_put("/put", server.put)
    app.router.add_get("/refuse", server.refuse)
    async with TestServer(app) as running, connected(str(running.make_url("/")), "key", patience_seconds=5) as client:
        yield client


async def test_all_items_of_a_list_come_page_by_page(client: Client) -> None:
    sizes = [item.size async for item in client.items(BlobRef, "/page")]

    assert sizes == [0, 1, 2, 3, 4, 5]


async def test_a_post_that_broke_off_is_sent_again_under_the_same_key(client: Client, server: Server) -> None:
    server.breaks = 2

    assert await client.post(BlobRef, "/post", SMALL) == SMALL

    assert len(server.keys) == 3
    assert len(set(server.keys)) == 1


async def test_a_file_is_streamed(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")

    assert (await client.put(BlobRef, "/put", path)).size == 10


async def test_a_file_whose_upload_broke_off_is_sent_again_whole(
    client: Client, server: Server, tmp_path: Path
) -> None:
    server.breaks = 1
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")

    assert (await client.put(BlobRef, "/put", path)).size == 10


async def test_a_task_that_was_cancelled_is_not_taken_for_one_that_succeeded(client: Client) -> None:
    cancelled = a_task().ended(Outcome(cancelled=True), at=NOON)

    with pytest.raises(Refused, match=f"{cancelled.id} has ended as cancelled"):
        await client.ended(cancelled)


async def test_a_problem_is_raised_with_what_where_and_the_next_step(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await client.get(BlobRef, "/refuse")

    assert str(refused.value) == "Invalid: No.\n  /size: is too large\nSend less."
    assert refused.value.problem.status == 422


async def test_an_answer_that_is_no_problem_document_is_told_as_it_is(client: Client) -> None:
    with pytest.raises(Refused, match="Not Found"):
        await client.get(BlobRef, "/nowhere")
