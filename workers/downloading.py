"""Downloading: one file of the web, whole, checked hop by hop, gone on with where the connection broke."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
)
from yarl import URL

from schemas.errors import Invalid, Unavailable
from schemas.web_addresses import checked_web_address
from storage.public_addresses import NotPublic, guarded_connector
from workers.importing.settings import ImportSettings

Report = Callable[[float, str], None]

PIECE_BYTES: Final = 1 << 20
REDIRECTS_AT_MOST: Final = 5
BREAKS_AT_MOST: Final = 5
"""So often in a row a connection may break without a byte gained."""
PAUSE_SECONDS: Final = 0.5
NAME_LETTERS: Final = 100
UPLOAD: Final = "Send the file to /v1/uploads instead, or ask an administrator"

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_MIB: Final = 1 << 20


async def download(url: str, folder: Path, *, settings: ImportSettings, progress: Report) -> Path:
    """Return the file of a URL, in a folder that exists, under the name that the server gives it.

    Every address that is connected to, redirects too, is public or of a network that is allowed. Raise Invalid for
    what will not succeed again either, Unavailable for what may; neither tells the query of the URL.
    """
    timeout = ClientTimeout(
        total=None, sock_connect=settings.download_connect_seconds, sock_read=settings.download_stall_seconds
    )
    async with ClientSession(
        connector=guarded_connector(settings.private_networks),
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": f"ymir/{version('ymir')}", "Accept": "*/*", "Accept-Encoding": "identity"},
    ) as session:
        try:
            async with asyncio.timeout(settings.download_seconds):
                return await _Download(URL(url), folder, session, settings, progress).run()
        except TimeoutError:
            message = f"The download of {shown(URL(url))} took more than {settings.download_seconds:g} s."
            raise Invalid(message, step=f"{UPLOAD} to raise YMIR_DOWNLOAD_SECONDS.") from None


def shown(url: URL) -> str:
    """Return a URL as it may be told: without its query, where links carry their signatures."""
    return str(url.with_user(None).with_query(None).with_fragment(None)) if url.host else "the URL"


class _BrokenError(Exception):
    """The connection broke, or the server has no time: the same again may yet succeed."""


class _Download:
    """One download under way: what is there of it, and how the rest is to be asked for."""

    def __init__(
        self, url: URL, folder: Path, session: ClientSession, settings: ImportSettings, progress: Report
    ) -> None:
        self._url = url
        self._folder = folder
        self._path = folder / ".download"
        self._session = session
        self._settings = settings
        self._progress = progress
        self._have = 0
        self._total: int | None = None
        self._validator = ""
        self._name = ""

    async def run(self) -> Path:
        """Download all of it, in as many requests as it takes."""
        breaks = 0
        while True:
            before = self._have
            try:
                await self._go_on()
            except _BrokenError as broken:
                breaks = 1 if self._have > before else breaks + 1
                if breaks > BREAKS_AT_MOST:
                    message = f"The download of {shown(self._url)} broke off {breaks} times in a row: {broken}."
                    raise Unavailable(message, step="Check that the server is there, and what it sends.") from None
                await asyncio.sleep(PAUSE_SECONDS * 2 ** (breaks - 1))
            else:
                return self._path.rename(self._folder / self._name)

    async def _go_on(self) -> None:
        try:
            async with self._answer() as response:
                self._begin(response)
                with await asyncio.to_thread(self._path.open, "ab" if self._have else "wb") as file:
                    async for piece in response.content.iter_chunked(PIECE_BYTES):
                        self._count(len(piece))
                        await asyncio.to_thread(file.write, piece)
        except (ClientError, TimeoutError) as error:
            raise self._meaning(error) from None
        if self._total is not None and self._have != self._total:
            message = f"it sent {self._have} bytes of {self._total}"
            raise _BrokenError(message)

    @asynccontextmanager
    async def _answer(self) -> AsyncIterator[ClientResponse]:
        """Give the answer that is no redirect; each address on the way is looked at like the first."""
        url = self._url
        for _ in range(REDIRECTS_AT_MOST + 1):
            async with self._session.get(url, headers=self._headers(url), allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    yield response
                    return
                url = _next(url, response.headers.get("Location", ""))
        message = f"{shown(self._url)} redirects more than {REDIRECTS_AT_MOST} times."
        raise Invalid(message, step="Give the address where the file is.")

    def _headers(self, url: URL) -> Mapping[str, str]:
        headers = {}
        for folder, authorization in self._settings.download_authorization.items():
            if str(url).startswith(str(URL(folder))):
                headers["Authorization"] = authorization.get_secret_value()
        if self._have and self._validator:
            headers |= {"Range": f"bytes={self._have}-", "If-Range": self._validator}
        return headers

    def _begin(self, response: ClientResponse) -> None:
        """Note what an answer says of the file; start anew where it does not go on from what is there."""
        if response.status in _LATER:
            message = f"it answers {_status(response)}"
            raise _BrokenError(message)
        if response.status == HTTPStatus.PARTIAL_CONTENT and self._have:
            self._check_part(response)
            return
        self._have = 0
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            message = "the file changed meanwhile"
            raise _BrokenError(message)
        if response.status != HTTPStatus.OK:
            message = f"{shown(response.url)} answers {_status(response)}."
            raise Invalid(message, step="Check the URL; it has to lead to the file without a form or a log-in.")
        self._total = response.content_length
        self._validator = _validator(response)
        self._name = _file_name(response)
        if self._total is not None:
            self._check_size(self._total)

    def _check_part(self, response: ClientResponse) -> None:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        told = None if found is None or found[3] == "*" else int(found[3])
        if found is None or int(found[1]) != self._have or (told and self._total and told != self._total):
            self._have, self._validator = 0, ""
            message = "it answers with another part than it was asked for"
            raise _BrokenError(message)
        self._total = self._total or told

    def _count(self, size: int) -> None:
        self._have += size
        self._check_size(self._have)
        if self._total:
            told = f"downloading: {self._have // _MIB} of {self._total // _MIB} MiB"
            self._progress(self._have / self._total, told)
        else:
            self._progress(0.0, f"downloading: {self._have // _MIB} MiB")

    def _check_size(self, size: int) -> None:
        limit = self._settings.download_bytes
        if size > limit:
            message = f"The file at {shown(self._url)} has more than {limit} bytes."
            raise Invalid(message, step=f"{UPLOAD} to raise YMIR_DOWNLOAD_BYTES.")

    def _meaning(self, error: ClientError | TimeoutError) -> Exception:
        where = shown(self._url)
        if isinstance(error, ClientConnectorDNSError) and _is_unknown_name(error.os_error):
            return Invalid(f"There is no host of the name that {where} leads to.", step="Check the URL.")
        if isinstance(error, ClientConnectorError) and isinstance(error.os_error, NotPublic):
            message = f"{where} leads to an address that is not public, and is not asked."
            return Invalid(message, step=f"{UPLOAD} to add its network to YMIR_PRIVATE_NETWORKS.")
        if isinstance(error, ClientSSLError):
            message = f"The certificate that {where} leads to cannot be trusted: {type(error).__name__}."
            return Invalid(message, step="Have the server's certificate renewed, or its authority made known.")
        if isinstance(error, InvalidURL):
            return Invalid("The URL cannot be used.", step="Give one of the form https://host/path.")
        cause = getattr(error, "strerror", None) or type(error).__name__
        return _BrokenError(f"{cause}")


def _next(url: URL, location: str) -> URL:
    """Return where a redirect leads; raise Invalid for what may not be followed."""
    try:
        target = url.join(URL(location))
        checked_web_address(str(target))
    except ValueError:
        message = f"{shown(url)} redirects to what is no address of a file on the web."
        raise Invalid(message, step="Give the address where the file is.") from None
    if url.scheme == "https" and target.scheme != "https":
        message = f"{shown(url)} redirects from https to http, which anybody on the way could read and change."
        raise Invalid(message, step="Give an https address that stays one.")
    return target


def _status(response: ClientResponse) -> str:
    return f"{response.status} {response.reason or ''}".strip()[:100]


def _validator(response: ClientResponse) -> str:
    """Return what tells that the file is still the same: a strong ETag, else its date (RFC 9110, section 13.1.5)."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _file_name(response: ClientResponse) -> str:
    disposition = response.content_disposition
    name = (disposition.filename if disposition else None) or unquote(response.url.name)
    plain = PurePosixPath(name.replace("\\", "/")).name
    clean = "".join(letter for letter in plain if letter.isprintable() and letter != "\0").lstrip(".")
    return clean[-NAME_LETTERS:] or "download"


def _is_unknown_name(error: OSError) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
