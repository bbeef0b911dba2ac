"""What only an S3 server does: it goes away, comes back, refuses strangers, and hands out links."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3

from schemas.errors import Invalid, Unavailable
from schemas.schema import digest_of
from storage.s3 import S3Blobs, open_blobs
from tests.servers import s3
from tests.servers.found import S3, required
from tests.servers.process import ServerProcess, free_port

Server = tuple[ServerProcess, Mapping[str, str], Path]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    required(S3.name, install=S3.install, found=s3.program() is not None)
    with s3.running(tmp_path / "s3") as (process, settings):
        yield process, settings, tmp_path / "s3" / "data" / s3.BUCKET


@pytest.fixture
async def blobs(s3_settings: Mapping[str, str]) -> AsyncIterator[S3Blobs]:
    async with opened(s3_settings, f"{s3_settings['YMIR_S3_URL']}/{uuid4().hex}") as blobs:
        yield blobs


@pytest.mark.parametrize("url", ["", "127.0.0.1:9000", "ftp://host/bucket", "http://user:word@host/bucket"])
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="address of the S3 server") as caught:
        async with open_blobs(url, access_key=s3.ACCESS_KEY, secret_key=s3.SECRET_KEY):
            pass

    assert "word" not in caught.value.detail


@pytest.mark.slow
async def test_a_server_that_is_away_is_unavailable() -> None:
    async with (
        open_blobs(
            f"http://127.0.0.1:{free_port()}/blobs", access_key=s3.ACCESS_KEY, secret_key=s3.SECRET_KEY
        ) as blobs,
        asyncio.timeout(30),
    ):
        with pytest.raises(Unavailable, match="does not answer"):
            await blobs.get(digest_of(b"anything"))


@pytest.mark.slow
async def test_wrong_credentials_are_refused_with_the_next_step(s3_settings: Mapping[str, str]) -> None:
    url, known = s3_settings["YMIR_S3_URL"], s3_settings["YMIR_S3_ACCESS_KEY"]
    async with open_blobs(url, access_key=known, secret_key=uuid4().hex) as blobs:
        with pytest.raises(Invalid, match="refuses us") as caught:
            await blobs.put(b"a picture")

    assert "YMIR_S3_SECRET_KEY" in caught.value.step


@pytest.mark.slow
async def test_a_link_shows_a_blob_as_its_media_type_to_whoever_has_it(blobs: S3Blobs) -> None:
    ref = await blobs.put(b"a picture")

    link = blobs.link(ref.digest, seconds=60, media_type="image/jpeg")
    answer = await asyncio.to_thread(urllib3.request, "GET", link)

    assert (answer.status, answer.data) == (200, b"a picture")
    assert "response-content-type=image%2Fjpeg" in link


@pytest.mark.slow
async def test_a_bucket_that_is_missing_is_made(s3_settings: Mapping[str, str]) -> None:
    url = s3_settings["YMIR_S3_URL"].rpartition("/")[0] + f"/new-{uuid4().hex}"
    async with opened(s3_settings, url) as blobs:
        ref = await blobs.put(b"a picture")

        assert await blobs.get(ref.digest) == b"a picture"


@pytest.mark.slow
async def test_what_was_put_outlives_a_killed_server(server: Server) -> None:
    process, settings, _ = server
    async with open_blobs(settings["YMIR_S3_URL"], access_key=s3.ACCESS_KEY, secret_key=s3.SECRET_KEY) as blobs:
        refs = await asyncio.gather(*(blobs.put(f"{number}".encode()) for number in range(50)))

        await asyncio.to_thread(process.kill)
        with pytest.raises(Unavailable):
            await blobs.get(refs[0].digest)
        await asyncio.to_thread(process.start)

        assert [await blobs.get(ref.digest) for ref in refs] == [f"{number}".encode() for number in range(50)]


@pytest.mark.slow
async def test_a_blob_older_than_a_day_is_refreshed_by_putting_it_again(server: Server) -> None:
    process, settings, folder = server
    async with open_blobs(settings["YMIR_S3_URL"], access_key=s3.ACCESS_KEY, secret_key=s3.SECRET_KEY) as blobs:
        ref = await blobs.put(b"a picture", media_type="image/jpeg")
        (path,) = (path for path in folder.rglob("*") if path.is_file())
        os.utime(path, (0, 86_400))
        # It remembers what it wrote.
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)
        assert [blob.written_at.year async for blob in blobs.list()] == [1970]

        await blobs.put(b"a picture")

        assert [blob.written_at.year async for blob in blobs.list()] != [1970]
        assert await blobs.get(ref.digest) == b"a picture"


def opened(settings: Mapping[str, str], url: str) -> AbstractAsyncContextManager[S3Blobs]:
    access_key, secret_key = settings["YMIR_S3_ACCESS_KEY"], settings["YMIR_S3_SECRET_KEY"]
    return open_blobs(url, access_key=access_key, secret_key=secret_key)
