"""Files sent by clients: ours and a public one of tus, over connections that break, by processes that end."""

import asyncio
import hashlib
import os
import tarfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from tusclient.client import TusClient

from client import uploading
from client.api import connected
from client.calls import Refused
from client.files import SeenBytes
from client.uploading import upload
from gateway import partial_uploads
from gateway.app import build_app
from gateway.services import Services
from schemas.errors import Invalid
from schemas.uploads import Upload, UploadPart
from tests.faults.cable import plugged_in
from tests.gateway.api import ADMIN, MEMBER

DATA = os.urandom(700_000)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_uploads, "PART_BYTES", 100_000)
    monkeypatch.setattr(uploading, "REQUEST_BYTES", 150_000)
    monkeypatch.setattr(uploading, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("client.files.PIECE_BYTES", 60_000)


@pytest.fixture
async def server(services: Services) -> AsyncIterator[TestServer]:
    server = TestServer(build_app(services))
    async with server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "naïve birds.zip"
    path.write_bytes(DATA)
    return path


class Ended(Exception):
    """Stands for the end of a process."""


def ending(after: int) -> SeenBytes:
    def seen(done: int, _: int | None) -> None:
        if done >= after:
            raise Ended

    return seen


def changed(file: Path) -> None:
    """Change what is in a file so that nobody sees it without reading it."""
    was = file.stat()
    file.write_bytes(DATA[::-1])
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


async def kept(services: Services, sent: Upload) -> bytes:
    return await services.blobs.get(sent.blob.digest)


async def test_a_file_is_sent_and_progress_told(server: TestServer, services: Services, file: Path) -> None:
    told: list[tuple[int, int | None]] = []
    async with connected(str(server.make_url("/")), ADMIN) as client:
        sent = await upload(client, file, seen=lambda done, of: told.append((done, of)))

    assert (sent.name, await kept(services, sent)) == (file.name, DATA)
    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told)


async def test_another_process_sends_only_what_is_missing(server: TestServer, services: Services, file: Path) -> None:
    told: list[int] = []
    async with connected(str(server.make_url("/")), ADMIN) as client:
        with pytest.raises(Ended):
            await upload(client, file, seen=ending(after=300_000))
    async with connected(str(server.make_url("/")), ADMIN) as client:
        sent = await upload(client, file, seen=lambda done, _: told.append(done))

    assert told[0] >= 300_000
    assert await kept(services, sent) == DATA


async def test_a_file_that_was_sent_whole_is_not_sent_again(server: TestServer, services: Services, file: Path) -> None:
    told: list[int] = []
    async with connected(str(server.make_url("/")), ADMIN) as client:
        first = await upload(client, file)
        again = await upload(client, file, seen=lambda done, _: told.append(done))
    async with connected(str(server.make_url("/")), MEMBER) as client:
        others = await upload(client, file)

    assert (again.id, told) == (first.id, [len(DATA)])
    assert others.id != first.id
    assert await services.database.documents(Upload).count() == 2


async def test_a_folder_is_sent_as_an_archive_that_is_gone_on_with(
    server: TestServer, services: Services, tmp_path: Path
) -> None:
    folder = tmp_path / "birds"
    (folder / "images").mkdir(parents=True)
    for number in range(5):
        (folder / "images" / f"{number}.jpg").write_bytes(DATA[number * 100_000 :][:100_000])
    told: list[int] = []
    async with connected(str(server.make_url("/")), ADMIN) as client:
        with pytest.raises(Ended):
            await upload(client, folder, seen=ending(after=200_000))
        sent = await upload(client, folder, seen=lambda done, _: told.append(done))

    assert sent.name == "birds.tar"
    assert told[0] >= 200_000
    with tarfile.open(fileobj=BytesIO(await kept(services, sent))) as archive:
        assert archive.getnames() == [f"images/{number}.jpg" for number in range(5)]


async def test_a_file_that_changed_between_two_attempts_is_not_pasted_together(server: TestServer, file: Path) -> None:
    async with connected(str(server.make_url("/")), ADMIN) as client:
        with pytest.raises(Ended):
            await upload(client, file, seen=ending(after=300_000))
        await asyncio.to_thread(changed, file)

        with pytest.raises(Invalid, match="changed while it was sent"):
            await upload(client, file)
        sent = await upload(client, file)

    assert sent.blob.digest == f"sha256:{hashlib.sha256(DATA[::-1]).hexdigest()}"


async def test_a_file_larger_than_the_service_takes_is_refused_at_once(server: TestServer, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    async with connected(str(server.make_url("/")), ADMIN) as client:
        with pytest.raises(Refused, match="at most 1048576 bytes"):
            await upload(client, tmp_path / "large")


async def test_over_a_cable_that_is_cut_again_and_again_the_file_arrives(
    server: TestServer, services: Services, file: Path
) -> None:
    assert server.port is not None
    cuts = [120_000, 290_000, 450_000, 600_000]
    async with plugged_in(server.port) as cable:

        def seen(done: int, _: int | None) -> None:
            if cuts and done >= cuts[0]:
                cuts.pop(0)
                for end in cable._ends:
                    end.transport.abort()

        async with connected(f"http://127.0.0.1:{cable.port}", ADMIN) as client:
            sent = await upload(client, file, seen=seen)

    assert cuts == []
    assert await kept(services, sent) == DATA
    assert await services.database.documents(UploadPart).count() == 0


async def test_a_public_client_of_tus_sends_and_resumes(server: TestServer, services: Services) -> None:
    client = TusClient(str(server.make_url("/v1/uploads")), headers={"Authorization": f"Bearer {ADMIN}"})

    def sent(*, url: str | None = None, stop_at: int | None = None) -> str:
        uploader = client.uploader(
            file_stream=BytesIO(DATA),
            url=url,
            chunk_size=100_000,
            metadata={"filename": "birds.zip"},
            upload_checksum=True,
        )
        uploader.upload(stop_at=stop_at)
        return str(uploader.url)

    address = await asyncio.to_thread(sent, stop_at=250_000)
    half = await services.database.documents(UploadPart).count()
    await asyncio.to_thread(sent, url=address)

    assert half
    upload = await services.database.documents(Upload).get(address.rpartition("/")[2])
    assert (upload.name, await kept(services, upload)) == ("birds.zip", DATA)
