"""Downloads from servers that break, lie, redirect and dawdle."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.errors import Invalid, Unavailable
from workers import downloading
from workers.downloading import download
from workers.importing.settings import ImportSettings

DATA = bytes(range(256)) * 32_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAUSE_SECONDS", 0.001)


def the_settings(**changes: Any) -> ImportSettings:  # noqa: ANN401 - any field
    return ImportSettings.model_validate({"private_networks": ("127.0.0.0/8", "::1/128"), **changes})


@asynccontextmanager
async def serving(**handlers: Handler) -> AsyncIterator[str]:
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_get(f"/{name}", as_function(handler))
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


def as_function(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    return handle


async def fetched(url: str, folder: Path, *, told: list[tuple[float, str]] | None = None, **settings: Any) -> Path:  # noqa: ANN401 - as above
    seen = [] if told is None else told
    return await download(
        url,
        folder,
        settings=the_settings(**settings),
        progress=lambda fraction, phase: seen.append((fraction, phase)),
    )


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


async def whole(_: web.Request) -> web.Response:
    return web.Response(body=DATA, headers={"Content-Disposition": 'attachment; filename="../pictures of me.zip"'})


async def never(_: web.Request) -> web.Response:
    raise AssertionError


class Breaking:
    """Sends a part of what it was asked for, then breaks the connection; a few times."""

    def __init__(self, *, breaks: int, etag: str = '"one"', part: int = 2_000_000, ranges: bool = True) -> None:
        self.asked: list[str] = []
        self._breaks = breaks
        self._etag = etag
        self._part = part
        self._ranges = ranges

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range", ""))
        start = 0
        response = web.StreamResponse()
        if self._etag:
            response.headers["ETag"] = self._etag
        if "Range" in request.headers and self._ranges:
            assert request.headers["If-Range"] == self._etag
            start = request.http_range.start or 0
            response.set_status(206)
            response.headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        response.content_length = len(DATA) - start
        await response.prepare(request)
        if self._breaks:
            self._breaks -= 1
            await response.write(DATA[start : start + self._part])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(DATA[start:])
        return response


async def test_a_file_comes_whole_under_its_name_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    async with serving(a=whole) as url:
        path = await fetched(f"{url}/a", tmp_path, told=told)

    assert path == tmp_path / "pictures of me.zip"
    assert path.read_bytes() == DATA
    assert told[-1] == (1.0, "downloading: 7 of 7 MiB")
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("", "a b.zip"),
        ('attachment; filename=".."', "download"),
        ('attachment; filename="/etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\x.zip"', "x.zip"),
        ("attachment; filename*=UTF-8''na%C3%AFve.tar.gz", "naïve.tar.gz"),
        ('attachment; filename=".hidden"', "hidden"),
        (f'attachment; filename="{"x" * 300}.zip"', "x" * 96 + ".zip"),
    ],
)
async def test_the_name_of_the_file_leads_nowhere(tmp_path: Path, disposition: str, name: str) -> None:
    async def named(_: web.Request) -> web.Response:
        return web.Response(body=b"x", headers={"Content-Disposition": disposition} if disposition else {})

    app = web.Application()
    app.router.add_get("/dir/a b.zip", named)
    async with TestServer(app) as server:
        path = await fetched(f"http://127.0.0.1:{server.port}/dir/a%20b.zip?q=1", tmp_path)

    assert path == tmp_path / name


async def test_a_download_that_breaks_goes_on_where_it_broke(tmp_path: Path) -> None:
    breaking = Breaking(breaks=3)
    async with serving(a=breaking) as url:
        path = await fetched(f"{url}/a", tmp_path)

    assert path.read_bytes() == DATA
    first, *later = breaking.asked
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later]
    assert first == ""
    assert starts == sorted(set(starts))
    assert len(starts) == 3
    assert starts[0] > 0


@pytest.mark.parametrize("server", [{"etag": ""}, {"etag": 'W/"weak"'}, {"ranges": False}])
async def test_a_file_that_may_have_changed_is_begun_anew(tmp_path: Path, server: dict[str, Any]) -> None:
    breaking = Breaking(breaks=2, **server)
    async with serving(a=breaking) as url:
        path = await fetched(f"{url}/a", tmp_path)

    assert path.read_bytes() == DATA
    assert len(breaking.asked) == 3


async def test_a_file_that_changed_between_two_connections_is_not_pasted_together(tmp_path: Path) -> None:
    state = {"asked": 0}

    async def changing(request: web.Request) -> web.StreamResponse:
        state["asked"] += 1
        if state["asked"] > 1:
            # As If-Range demands: the validator is not that of now, so all of it comes.
            return web.Response(body=DATA[::-1], headers={"ETag": '"two"'})
        return await Breaking(breaks=1)(request)

    async with serving(a=changing) as url:
        path = await fetched(f"{url}/a", tmp_path)

    assert path.read_bytes() == DATA[::-1]


async def test_a_part_other_than_the_one_asked_for_is_not_taken(tmp_path: Path) -> None:
    state = {"asked": 0}

    async def lying(request: web.Request) -> web.StreamResponse:
        state["asked"] += 1
        if "Range" not in request.headers:
            return await Breaking(breaks=state["asked"] == 1)(request)
        headers = {"Content-Range": f"bytes 5-9/{len(DATA)}", "ETag": '"one"'}
        return web.Response(status=206, body=DATA[5:10], headers=headers)

    async with serving(a=lying) as url:
        path = await fetched(f"{url}/a", tmp_path)

    assert path.read_bytes() == DATA


async def test_a_server_that_always_breaks_is_unavailable(tmp_path: Path) -> None:
    breaking = Breaking(breaks=99, part=0)
    async with serving(a=breaking) as url:
        with pytest.raises(Unavailable, match="broke off 6 times"):
            await fetched(f"{url}/a", tmp_path)

    assert len(breaking.asked) == 6


async def test_a_server_that_has_no_time_is_asked_again(tmp_path: Path) -> None:
    state = {"asked": 0}

    async def busy(request: web.Request) -> web.StreamResponse:
        state["asked"] += 1
        return web.Response(status=503) if state["asked"] < 3 else await whole(request)

    async with serving(a=busy) as url:
        assert (await fetched(f"{url}/a", tmp_path)).read_bytes() == DATA


@pytest.mark.parametrize("status", [401, 403, 404, 410, 204, 206])
async def test_an_answer_without_the_file_is_told_with_its_status(tmp_path: Path, status: int) -> None:
    async def refusing(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serving(a=refusing) as url:
        with pytest.raises(Invalid, match=f"answers {status}"):
            await fetched(f"{url}/a?signature=s3cret", tmp_path)


async def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with serving(a=whole) as url:
        with pytest.raises(Invalid, match="more than 1000 bytes"):
            await fetched(f"{url}/a", tmp_path, download_bytes=1_000)

    assert names_in(tmp_path) == []


async def test_a_file_that_does_not_say_how_large_it_is_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(bytes(100_000))

    async with serving(a=endless) as url:
        with pytest.raises(Invalid, match="more than 5000000 bytes") as caught:
            await fetched(f"{url}/a", tmp_path, download_bytes=5_000_000)

    assert "YMIR_DOWNLOAD_BYTES" in caught.value.step
    assert (tmp_path / ".download").stat().st_size <= 5_000_000


async def test_a_server_that_sends_less_than_it_says_is_found_out(tmp_path: Path) -> None:
    async def lying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnot so many")
        writer.close()

    async with await asyncio.start_server(lying, "127.0.0.1", 0) as server:
        with pytest.raises(Unavailable, match="broke off"):
            await fetched(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a", tmp_path)


async def test_a_server_that_sends_more_than_it_says_is_found_out(tmp_path: Path) -> None:
    async def lying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc" + b"x" * 1_000)
        writer.close()

    async with await asyncio.start_server(lying, "127.0.0.1", 0) as server:
        with pytest.raises(Unavailable, match="broke off"):
            await fetched(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a", tmp_path)


async def test_a_server_that_stops_sending_counts_as_broken(tmp_path: Path) -> None:
    async def stalling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(DATA)
        await response.prepare(request)
        await response.write(DATA[:10])
        await asyncio.Event().wait()
        return response

    async with serving(a=stalling) as url:
        with pytest.raises(Unavailable, match="broke off"):
            await fetched(f"{url}/a", tmp_path, download_stall_seconds=0.05)


async def test_a_server_that_dawdles_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(a=dripping) as url:
        with pytest.raises(Invalid, match=r"took more than 0\.2 s"):
            await fetched(f"{url}/a", tmp_path, download_seconds=0.2)


def to(location: str) -> Handler:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location} if location else {})

    return redirect


async def test_a_redirect_is_followed(tmp_path: Path) -> None:
    async with serving(a=to("/b?x=1"), b=to("c"), c=whole) as url:
        assert (await fetched(f"{url}/a", tmp_path)).read_bytes() == DATA


async def test_a_circle_of_redirects_ends(tmp_path: Path) -> None:
    async with serving(a=to("/a")) as url:
        with pytest.raises(Invalid, match="more than 5 times"):
            await fetched(f"{url}/a", tmp_path)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://ann:s3cret@127.0.0.1/a", "", "http://", "gopher://x/"],
)
async def test_a_redirect_to_no_address_of_the_web_is_refused(tmp_path: Path, location: str) -> None:
    async with serving(a=to(location)) as url:
        with pytest.raises(Invalid) as caught:
            await fetched(f"{url}/a?signature=s3cret", tmp_path)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://[::ffff:10.0.0.1]/", "{inside}/b"])
async def test_a_redirect_to_an_address_that_is_not_public_is_refused(tmp_path: Path, target: str) -> None:
    inside = web.Application()
    inside.router.add_get("/b", never)
    async with TestServer(inside, host="127.0.0.2") as hidden:
        location = target.format(inside=f"http://127.0.0.2:{hidden.port}")
        async with serving(a=to(location)) as url:
            with pytest.raises(Invalid, match="not public") as caught:
                await fetched(f"{url}/a", tmp_path, private_networks=("127.0.0.1/32",))

    assert "YMIR_PRIVATE_NETWORKS" in caught.value.step


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a", "http://localhost:1/a", "http://[::1]:1/a", "http://10.0.0.1/"]
)
async def test_an_address_that_is_not_public_is_refused_at_once(tmp_path: Path, url: str) -> None:
    with pytest.raises(Invalid, match="not public"):
        await fetched(url, tmp_path, private_networks=())


async def test_a_name_that_nobody_has_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises((Invalid, Unavailable)) as caught:
        await fetched("http://no-such-host.invalid/a", tmp_path)

    assert "no-such-host" in caught.value.detail


async def test_nobody_who_listens_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="broke off"):
        await fetched("http://127.0.0.1:1/a", tmp_path)


async def test_the_query_of_a_url_is_in_no_error_and_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(a=Breaking(breaks=99, part=0)) as url:
        with pytest.raises(Unavailable) as caught:
            await fetched(f"{url}/a?signature=s3cret#s3cret", tmp_path)

    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in f"{error} {getattr(error, 'step', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    # The server of the test is none of ours.
    ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    assert not any("s3cret" in message for message in ours)


async def test_the_authorization_of_an_address_goes_there_and_nowhere_else(tmp_path: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    async def noting(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization")))
        return web.Response(body=b"x") if request.path == "/b" else web.Response(status=302, headers={"Location": "b"})

    async with serving(a=noting, b=noting) as url:
        secret = {f"{url}/a/": "Bearer below", f"{url}/": "Bearer here"}
        await fetched(f"{url}/a", tmp_path, download_authorization=secret)
        await fetched(f"{url}/b", tmp_path, download_authorization={"http://127.0.0.1:1/": "Bearer other"})

    assert seen == [("/a", "Bearer here"), ("/b", "Bearer here"), ("/b", None)]
    assert "Bearer" not in repr(the_settings(download_authorization=secret))


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    app = web.Application()
    app.router.add_get("/a", never)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)

    with pytest.raises(Invalid, match="certificate"):
        await fetched(f"https://127.0.0.1:{server.port}/a", tmp_path)

    await server.close()


# Of nobody: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghRQsJw8e775W9YwA
53IFXCNb5yUANABhZyuyI0mTpBahRANCAARwhuwlFnBTq7kaYUYX/9+yytMkSrW5
ee7uSn4BU3cxAKNYY0QEbMkXfdXous2Nxg4W30WvdKrb63v78GYIeuiS
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUHkYjhDH3dJlxKAqoCQtsnjy/VtkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTIxNTEwNFoYDzIxMjYxMTAx
MjE1MTA0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARwhuwlFnBTq7kaYUYX/9+yytMkSrW5ee7uSn4BU3cxAKNYY0QEbMkX
fdXous2Nxg4W30WvdKrb63v78GYIeuiSo28wbTAdBgNVHQ4EFgQUVwljkzbZ4OhZ
nExPAi+xeEaZ0PAwHwYDVR0jBBgwFoAUVwljkzbZ4OhZnExPAi+xeEaZ0PAwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAJbTRsC6Tqo0ApUmrph0OC4SXd9a4j6gFeLizBYRV9/JAiAd
Yknx7F8YwqrEfkdW1mJ1QYIYO4YB7UecH5DyVHmnSA==
-----END CERTIFICATE-----
"""
