"""Resumable uploads: tus 1.0.0, request by request."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from gateway import partial_uploads
from gateway.app import build_app
from gateway.services import Services
from schemas.errors import Unavailable
from schemas.uploads import PartialUpload, Upload, UploadPart
from storage.ports import Database
from tests.factories import NOON
from tests.faults.waiting import until
from tests.gateway.api import MEMBER, VIEWER, Api
from tests.gateway.clock import HandClock
from tests.gateway.world import World
from tests.happenings import Before

DATA = os.urandom(300_000)
TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}
METADATA = "filename " + base64.b64encode("naïve birds.zip".encode()).decode() + ",private"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_uploads, "PART_BYTES", 50_000)


async def begun(api: Api, **headers: str) -> str:
    """Begin an upload and return its address."""
    given = {"Upload-Length": str(len(DATA)), "Upload-Metadata": METADATA}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    response = await api.raw("POST", "/v1/uploads", headers={**TUS, **{k: v for k, v in given.items() if v}})
    assert response.status == 201, await response.text()
    return response.headers["Location"]


async def sent(api: Api, address: str, at: int, data: bytes, **headers: str) -> ClientResponse:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.raw("PATCH", address, headers={**CHUNK, "Upload-Offset": str(at), **given}, data=data)


async def told(api: Api, address: str) -> Mapping[str, str]:
    response = await api.raw("HEAD", address, headers=TUS)
    assert response.status == 200
    return response.headers


async def offset(api: Api, address: str) -> int:
    return int((await told(api, address))["Upload-Offset"])


async def kept(api: Api, address: str) -> bytes:
    upload = Upload.model_validate(await api.get(address))
    return await api.services.blobs.get(upload.blob.digest)


async def is_gone(api: Api, address: str) -> bool:
    headers = {**TUS, "Authorization": f"Bearer {api.secret}"}
    response = await api.client.head(address, headers=headers)
    return response.status == 404 and "Upload-Offset" not in response.headers


async def test_what_can_be_done_is_told_to_everybody(api: Api) -> None:
    for path in ("/v1/uploads", f"/v1/uploads/{'0' * 32}"):
        response = await api.bearing("").raw("OPTIONS", path)

        assert response.status == 204
        assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
        assert set(response.headers["Tus-Extension"].split(",")) == {
            "creation",
            "creation-with-upload",
            "creation-defer-length",
            "expiration",
            "checksum",
            "termination",
        }
        assert response.headers["Tus-Max-Size"] == str(2**20)
        assert response.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


async def test_an_upload_is_begun_gone_on_with_and_named_by_an_import(api: Api, world: World) -> None:
    address = await begun(api)
    first = await sent(api, address, 0, DATA[:120_000])
    half = await told(api, address)
    last = await sent(api, address, 120_000, DATA[120_000:])

    assert (first.status, first.headers["Upload-Offset"]) == (204, "120000")
    assert (half["Upload-Offset"], half["Upload-Length"]) == ("120000", "300000")
    assert half["Upload-Metadata"] == METADATA
    assert half["Cache-Control"] == "no-store"
    assert (last.status, last.headers["Upload-Offset"]) == (204, "300000")
    assert await offset(api, address) == 300_000
    shown = await api.get(address)
    assert (shown["name"], shown["blob"]["size"]) == ("naïve birds.zip", 300_000)
    assert shown["blob"]["digest"] == f"sha256:{hashlib.sha256(DATA).hexdigest()}"
    assert shown["blob"]["media_type"] == "application/zip"
    body = {"type": "import", "dataset": "d", "source": {"upload": shown["id"]}}
    await api.post(f"/v1/projects/{world.project.name}/tasks", body, expect=202)


async def test_of_an_upload_that_is_whole_no_part_is_left(api: Api, database: Database) -> None:
    address = await begun(api)
    await sent(api, address, 0, DATA)

    assert await database.documents(UploadPart).count() == 0
    assert await database.documents(PartialUpload).count() == 0
    assert await kept(api, address) == DATA


async def test_an_upload_that_is_not_whole_can_be_neither_shown_nor_named(api: Api, world: World) -> None:
    address = await begun(api)
    await sent(api, address, 0, DATA[:5])

    shown = await api.get(address, expect=404)
    body = {"type": "import", "dataset": "d", "source": {"upload": address.rpartition("/")[2]}}
    problem = await api.post(f"/v1/projects/{world.project.name}/tasks", body, expect=422)

    assert "5 of 300000 bytes" in shown["step"]
    assert problem["errors"][0]["pointer"] == "/source/upload"
    assert "5 of 300000 bytes" in problem["errors"][0]["detail"]


async def test_the_first_bytes_may_come_with_the_beginning(api: Api) -> None:
    headers = {**CHUNK, "Upload-Length": str(len(DATA))}

    some = await api.raw("POST", "/v1/uploads", headers=headers, data=DATA[:7])
    all_of_it = await api.raw("POST", "/v1/uploads", headers=headers, data=DATA)

    assert (some.status, some.headers["Upload-Offset"]) == (201, "7")
    assert all_of_it.headers["Upload-Offset"] == str(len(DATA))
    assert await kept(api, all_of_it.headers["Location"]) == DATA
    assert (await api.get(all_of_it.headers["Location"]))["name"] == "upload"


async def test_a_length_may_be_told_later(api: Api) -> None:
    address = await begun(api, Upload_Length="", Upload_Defer_Length="1")
    await sent(api, address, 0, DATA)
    before = await told(api, address)

    last = await sent(api, address, len(DATA), b"", Upload_Length=str(len(DATA)))
    again = await sent(api, await begun(api), 0, b"x", Upload_Length="7")

    assert before["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in before
    assert last.status == 204
    assert await kept(api, address) == DATA
    assert again.status == 400


async def test_bytes_for_another_place_are_refused_and_the_place_is_told(api: Api) -> None:
    address = await begun(api)
    await sent(api, address, 0, DATA[:10])

    for at in (0, 9, 11, 300_000):
        response = await sent(api, address, at, DATA)

        assert response.status == 409
        assert "10 bytes" in (await response.json())["detail"]
    assert await offset(api, address) == 10


async def test_of_two_senders_at_once_one_is_refused_and_what_is_there_is_the_others(
    api: Api, services: Services
) -> None:
    address = await begun(api)
    one, other = DATA, bytes(reversed(DATA))
    async with TestClient(TestServer(build_app(services))) as client:
        second = Api(client, api.secret)
        responses = await asyncio.gather(sent(api, address, 0, one), sent(second, address, 0, other))

    assert sorted(response.status for response in responses) == [204, 409]
    winner = one if responses[0].status == 204 else other
    assert await kept(api, address) == winner


@pytest.mark.parametrize("is_checked", [False, True])
async def test_a_sender_that_comes_after_another_has_finished_is_refused(
    api: Api, services: Services, before: Before, is_checked: bool
) -> None:
    address, parts = await begun(api), services.database.documents(UploadPart)

    async def finish() -> None:
        assert (await sent(api, address, 0, DATA)).status == 204

    other = DATA[::-1]
    checksum = "sha256 " + base64.b64encode(hashlib.sha256(other).digest()).decode()
    before(parts, "add", finish)
    response = await sent(api, address, 0, other, **({"Upload_Checksum": checksum} if is_checked else {}))

    assert response.status == 409
    assert await kept(api, address) == DATA
    assert await parts.count() == 0


async def test_what_comes_after_an_upload_was_given_up_is_not_kept(
    api: Api, services: Services, before: Before
) -> None:
    address, parts = await begun(api), services.database.documents(UploadPart)

    async def give_up() -> None:
        assert (await api.raw("DELETE", address, headers=TUS)).status == 204

    before(parts, "add", give_up)
    response = await sent(api, address, 0, DATA)

    assert response.status == 409
    assert await parts.count() == 0


async def test_a_process_that_ended_before_it_put_the_parts_together_is_made_up_for(
    api: Api, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dead(*_: object) -> Upload:
        raise Unavailable("The process is about to end.")

    address = await begun(api)
    with monkeypatch.context() as patched:
        patched.setattr(partial_uploads.PartialUploads, "finished", dead)
        assert (await sent(api, address, 0, DATA)).status == 503

    async with TestClient(TestServer(build_app(services))) as client:
        assert await offset(Api(client, api.secret), address) == len(DATA)
        assert await kept(api, address) == DATA


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_bytes_are_compared_with_their_checksum(api: Api, algorithm: str) -> None:
    address = await begun(api)
    digest = base64.b64encode(hashlib.new(algorithm, DATA).digest()).decode()

    wrong = await sent(api, address, 0, DATA[:-1] + b"?", Upload_Checksum=f"{algorithm} {digest}")
    between = await offset(api, address)
    right = await sent(api, address, 0, DATA, Upload_Checksum=f"{algorithm} {digest}")

    assert (wrong.status, between, right.status) == (460, 0, 204)
    assert (await wrong.json())["title"] == "Checksum Mismatch"
    assert await kept(api, address) == DATA


@pytest.mark.parametrize("checksum", ["md5 " + "0" * 24, "sha1", "sha1 ?", "sha1 " + base64.b64encode(b"x").decode()])
async def test_a_checksum_that_is_none_is_refused(api: Api, checksum: str) -> None:
    response = await sent(api, await begun(api), 0, DATA, Upload_Checksum=checksum)

    assert response.status == 400


async def test_an_upload_that_is_given_up_is_gone(api: Api, database: Database) -> None:
    address = await begun(api)
    whole = await begun(api)
    await sent(api, address, 0, DATA[:60_000])
    await sent(api, whole, 0, DATA)

    for one in (address, whole):
        assert (await api.raw("DELETE", one, headers=TUS)).status == 204
        assert await is_gone(api, one)
    assert (await sent(api, address, 60_000, DATA)).status == 404
    assert await database.documents(UploadPart).count() == 0


async def test_an_upload_that_is_not_gone_on_with_expires(api: Api, clock: HandClock) -> None:
    address = await begun(api)

    expires = parsedate_to_datetime((await told(api, address))["Upload-Expires"])
    clock.advance(7 * 24 * 3600)

    assert expires == (NOON + timedelta(days=7)).astimezone(UTC)
    assert await is_gone(api, address)
    assert (await sent(api, address, 0, DATA)).status == 404


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", ""])
async def test_another_version_of_tus_is_refused_with_ours(api: Api, version: str | None) -> None:
    address = await begun(api)
    headers = {**CHUNK, "Upload-Length": "5", "Upload-Offset": "0"}
    headers.pop("Tus-Resumable")
    headers |= {} if version is None else {"Tus-Resumable": version}

    for method, path in (("POST", "/v1/uploads"), ("HEAD", address), ("PATCH", address), ("DELETE", address)):
        response = await api.client.request(
            method, path, headers={**headers, "Authorization": f"Bearer {api.secret}"}, data=b"12345"
        )

        assert response.status == 412
        assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "ten"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "5", "Upload-Defer-Length": "1"}, 400),
        ({"Upload-Defer-Length": "2"}, 400),
        ({"Upload-Length": "5", "Upload-Metadata": "filename ?"}, 400),
        ({"Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="}, 400),
        ({"Upload-Length": "5", "Upload-Metadata": f"filename {base64.b64encode(b'../a').decode()}"}, 422),
        ({"Upload-Length": "0"}, 422),
        ({"Upload-Length": str(2**20 + 1)}, 413),
    ],
)
async def test_what_begins_no_upload_is_refused(api: Api, headers: dict[str, str], status: int) -> None:
    response = await api.raw("POST", "/v1/uploads", headers={**TUS, **headers})

    assert response.status == status
    assert await api.services.database.documents(PartialUpload).count() == 0


async def test_what_goes_on_with_nothing_is_refused(api: Api) -> None:
    address = await begun(api)

    no_type = await api.raw("PATCH", address, headers={**TUS, "Upload-Offset": "0"}, data=b"x")
    no_place = await api.raw("PATCH", address, headers=CHUNK, data=b"x")
    unknown = await sent(api, f"/v1/uploads/{'0' * 32}", 0, b"x")
    other_method = await api.raw("POST", address, headers=CHUNK, data=b"x")

    assert [one.status for one in (no_type, no_place, unknown, other_method)] == [415, 400, 404, 405]
    assert other_method.headers["Allow"]


async def test_more_than_an_upload_takes_is_refused(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield DATA

    address = await begun(api)
    deferred = await begun(api, Upload_Length="", Upload_Defer_Length="1")

    said = await sent(api, address, 0, DATA + b"x")
    unsaid = await api.raw("PATCH", address, headers={**CHUNK, "Upload-Offset": "0"}, data=endless())
    beyond = await api.raw("PATCH", deferred, headers={**CHUNK, "Upload-Offset": "0"}, data=endless())

    assert [one.status for one in (said, unsaid, beyond)] == [413, 413, 413]
    assert await offset(api, address) <= len(DATA)
    assert await offset(api, deferred) <= 2**20


async def test_a_client_that_can_only_post_says_what_it_means(api: Api) -> None:
    address = await begun(api)
    meaning = {**CHUNK, "Upload-Offset": "0"}

    patched = await api.raw("POST", address, headers={**meaning, "X-HTTP-Method-Override": "PATCH"}, data=DATA)
    removed = await api.raw("POST", address, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})

    assert (patched.status, removed.status) == (204, 204)
    await api.get(address, expect=404)


async def test_the_same_key_begins_the_same_upload_however_much_of_it_is_there(api: Api) -> None:
    key = {"Idempotency_Key": '"the same"'}
    address = await begun(api, **key)
    await sent(api, address, 0, DATA[:70_000])

    half = await begun(api, **key)
    await sent(api, address, 70_000, DATA[70_000:])
    whole = await begun(api, **key)
    headers = {**TUS, "Idempotency-Key": '"the same"', "Upload-Length": "5"}
    other = await api.raw("POST", "/v1/uploads", headers=headers)

    assert address == half == whole
    assert await offset(api, whole) == len(DATA)
    assert other.status == 422


async def test_an_upload_is_gone_on_with_by_its_sender_alone(api: Api) -> None:
    address = await begun(api.bearing(MEMBER))
    other = await begun(api)

    assert (await sent(api.bearing(MEMBER), other, 0, b"x")).status == 403
    assert (await api.bearing(MEMBER).raw("DELETE", other, headers=TUS)).status == 403
    assert (await sent(api.bearing(VIEWER), address, 0, b"x")).status == 403
    assert (await sent(api, address, 0, DATA)).status == 204


async def cut_off(api: Api, address: str, data: bytes, *, said: int, chunked: bool = False) -> None:
    """Send a part of a body, then close the connection."""
    server = api.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    body = f"{len(data):x}\r\n".encode() + data + b"\r\n" if chunked else data
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {said}"
    writer.write(
        f"PATCH {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.secret}\r\nTus-Resumable: 1.0.0\r\n"
        f"Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n{length}\r\n\r\n".encode()
    )
    writer.write(body)
    await writer.drain()
    await there(api, address, 200_000)
    writer.close()
    await reader.read()


async def there(api: Api, address: str, size: int) -> int:
    """Wait until so much of an upload is there, and return how much that is."""

    async def look() -> int | None:
        return found if (found := await offset(api, address)) >= size else None

    return await until(look, seconds=5)


@pytest.mark.parametrize("chunked", [False, True])
async def test_what_came_before_the_connection_broke_is_kept(api: Api, *, chunked: bool) -> None:
    address = await begun(api)

    await cut_off(api, address, DATA[:230_000], said=len(DATA), chunked=chunked)

    kept_bytes = await there(api, address, 230_000)
    assert (await sent(api, address, kept_bytes, DATA[kept_bytes:])).status == 204
    assert await kept(api, address) == DATA


async def test_of_a_body_that_broke_off_nothing_is_kept_that_a_checksum_would_have_covered(api: Api) -> None:
    address = await begun(api)
    digest = base64.b64encode(hashlib.sha1(DATA).digest()).decode()  # noqa: S324 - tus asks for it

    async def breaking() -> AsyncIterator[bytes]:
        yield DATA[:200_000]
        raise ConnectionResetError

    headers = {**CHUNK, "Upload-Offset": "0", "Upload-Checksum": f"sha1 {digest}"}
    with pytest.raises(ClientError):
        await api.raw("PATCH", address, headers=headers, data=breaking())

    assert await offset(api, address) == 0
    assert (await sent(api, address, 0, DATA)).status == 204


async def test_a_sender_that_stops_is_not_waited_for(services: Services) -> None:
    settings = services.settings.model_copy(update={"upload_stall_seconds": 0.1})
    async with TestClient(TestServer(build_app(replace(services, settings=settings)))) as client:
        api = Api(client)
        address = await begun(api)

        async def stalling() -> AsyncIterator[bytes]:
            yield DATA[:1_000]
            await asyncio.Event().wait()

        response = await api.raw("PATCH", address, headers={**CHUNK, "Upload-Offset": "0"}, data=stalling())

        assert response.status == 408
        assert await offset(api, address) == 1_000


async def test_a_body_that_is_malformed_is_refused_and_what_came_is_kept(api: Api) -> None:
    address = await begun(api)
    server = api.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        f"PATCH {address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.secret}\r\nTus-Resumable: 1.0.0\r\n"
        "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\n12345\r\n".encode()
    )
    writer.write(b"no number\r\n")

    answer = await reader.read(20)
    writer.close()

    assert b" 400 " in answer
    assert await offset(api, address) in {0, 5}


async def test_too_many_parts_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_uploads, "PARTS_AT_MOST", 2)
    address = await begun(api)

    statuses = [(await sent(api, address, at, b"x")).status for at in range(3)]

    assert statuses == [204, 204, 422]


async def test_nothing_of_an_upload_is_known_to_one_process_alone(services: Services) -> None:
    address = ""
    for number in range(0, len(DATA), 100_000):
        async with TestClient(TestServer(build_app(services))) as client:
            api = Api(client)
            address = address or await begun(api)
            assert (await sent(api, address, number, DATA[number : number + 100_000])).status == 204

    async with TestClient(TestServer(build_app(services))) as client:
        assert await kept(Api(client), address) == DATA


async def test_no_file_is_left_where_uploads_are_put_together(api: Api, tmp_path: Path) -> None:
    await sent(api, await begun(api), 0, DATA)

    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("ymir-upload-*")))
