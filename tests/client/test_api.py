"""The HTTP client, against a small server of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from client.api import Client, at, connected
from client.calls import Refused
from schemas.blobs import BlobRef
from schemas.datasets import Version, VersionCounts
from schemas.errors import Invalid, Unavailable
from schemas.events import CloudEvent, EventType, LoggedEvent
from schemas.outcomes import Outcome
from schemas.pages import Page
from schemas.problems import Problem, ProblemError
from schemas.schema import digest_of
from storage.datasets.library import Kept
from tests.factories import NOON, PROJECT, a_kept_version, a_task

SMALL = BlobRef(digest=digest_of(b""), size=0)
KEPT = Kept(digest=SMALL.digest, manifest=SMALL, counts=VersionCounts())
VERSION = a_kept_version(KEPT, project=PROJECT, dataset="d")
EVENT = CloudEvent(id="e", source="s", type=EventType.TASK_QUEUED, subject="t", time=NOON)


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

    async def file(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 8
        await response.prepare(request)
        await response.write(b"half")
        if self.breaks:
            self.breaks -= 1
            assert request.transport is not None
            request.transport.abort()
        await response.write(b"half")
        return response

    async def versions(self, request: web.Request) -> web.Response:
        self.keys.append(request.path_qs)
        if "ref" in request.match_info:
            return web.json_response(text=VERSION.model_dump_json())
        return web.json_response(text=Page[Version](items=(VERSION,)).model_dump_json())

    async def events(self, request: web.Request) -> web.Response:
        after = 5 if "last" in request.query else int(request.query["after"])
        last = 6 if "last" in request.query else min(after + 2, 9)
        found = [LoggedEvent.at(position, EVENT, PROJECT) for position in range(after + 1, last + 1)]
        page = Page[LoggedEvent](items=tuple(found), next=str(last) if last < 9 else None)
        return web.json_response(text=page.model_dump_json())

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
    app.router.add_get("/file", server.file)
    app.router.add_get("/v1/projects/p/datasets/d/versions", server.versions)
    app.router.add_get("/v1/projects/p/datasets/d/versions/{ref}", server.versions)
    app.router.add_get("/v1/events", server.events)
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


async def test_a_file_is_saved_when_it_is_complete(client: Client, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    await client.save("/file", tmp_path / "file", seen=lambda done, of: seen.append((done, of)))

    assert (tmp_path / "file").read_bytes() == b"halfhalf"
    assert seen[-1] == (8, 8)


async def test_of_a_file_that_broke_off_nothing_stays(client: Client, server: Server, tmp_path: Path) -> None:
    server.breaks = 1
    (tmp_path / "file").write_bytes(b"what was there")

    with pytest.raises(Unavailable):
        await client.save("/file", tmp_path / "file")

    assert contents(tmp_path) == [b"what was there"]


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]


async def test_what_is_no_file_is_written_into_and_not_replaced(client: Client, tmp_path: Path) -> None:
    full, null = tmp_path / "full", tmp_path / "null"
    full.symlink_to("/dev/full")
    null.symlink_to("/dev/null")

    with pytest.raises(Unavailable, match="No space left"):
        await client.save("/file", full)
    await client.save("/file", null)

    assert full.readlink() == Path("/dev/full")
    assert null.readlink() == Path("/dev/null")


async def test_a_file_that_cannot_be_written_is_told_with_its_folder(client: Client, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no folder"):
        await client.save("/file", tmp_path / "nowhere" / "file")


async def test_a_ref_names_a_version_by_number_or_tag_or_else_the_newest(client: Client, server: Server) -> None:
    for ref in ("d", "d@3", "d@old"):
        assert await client.version("p", ref) == VERSION

    paths = "/v1/projects/p/datasets/d/versions"
    assert server.keys == [f"{paths}?limit=1", f"{paths}/3", f"{paths}/old"]


async def test_events_are_followed_from_the_last_one_on(client: Client) -> None:
    followed = client.events(look_seconds=0.01)

    positions = [(await anext(followed)).position for _ in range(3)]

    assert positions == [7, 8, 9]


async def test_where_nobody_answers_the_address_is_told() -> None:
    async with connected("http://127.0.0.1:1", "key") as client:
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer") as told:
            await client.read("/readyz")

    assert told.value.step


@pytest.mark.parametrize(("url", "key"), [("no address", "key"), ("http://[", "key"), ("http://there", "kéy")])
async def test_what_is_no_address_or_no_key_is_told_at_once(url: str, key: str) -> None:
    with pytest.raises(Invalid):
        async with connected(url, key) as client:
            await client.read("/")


def test_names_are_quoted_in_paths() -> None:
    assert at("projects", "a/b c", 3) == "/v1/projects/a%2Fb%20c/3"
