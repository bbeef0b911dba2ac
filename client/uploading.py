"""Sending files so that what arrived need not be sent again: not after a broken connection, nor by another process."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from client.api import Client
from client.calls import Pieces, Refused
from client.files import SeenBytes, file_pieces, unseen
from client.packing import files_in, packed
from schemas.errors import Invalid, Unavailable
from schemas.uploads import Upload

TUS: Final = {"Tus-Resumable": "1.0.0"}
REQUEST_BYTES: Final = 8 * 2**20
"""So much is sent in one request, and in memory meanwhile."""
PATIENCE_SECONDS: Final = 60.0
"""For how long an upload is tried again without a byte that arrives."""
AGAIN_SECONDS: Final = 0.5


async def upload(client: Client, path: Path, *, seen: SeenBytes = unseen) -> Upload:
    """Send a file, or the files of a folder as one archive; return the upload that a task can name.

    Where the same files were being sent before, with the same key, only the rest of them goes. ``seen`` is told how
    many bytes are there, those of before included. Raise Invalid for a file that changed meanwhile; Refused;
    Unavailable when the service was away for a minute.
    """
    sending = await asyncio.to_thread(_sending_of, path)
    return await _Upload(client, sending, seen).run()


class _Sending(NamedTuple):
    """What is sent: under which name, how large if that is known, and what tells it from other files."""

    name: str
    pieces: Pieces
    size: int | None
    identity: str


def _sending_of(path: Path) -> _Sending:
    if path.is_file():
        found = path.stat()
        identity = _identity([(path.name, found)])
        return _Sending(path.name, file_pieces(path), found.st_size, identity)
    name = f"{path.resolve().name or 'folder'}.tar"
    identity = _identity((str(file.relative_to(path)), file.stat()) for file in files_in(path))
    return _Sending(name, packed(path, seen=unseen), None, identity)


def _identity(files: Iterable[tuple[str, os.stat_result]]) -> str:
    digest = hashlib.sha256()
    for name, found in files:
        digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


class _Upload:
    """One upload on its way."""

    def __init__(self, client: Client, sending: _Sending, seen: SeenBytes) -> None:
        self._client = client
        self._sending = sending
        self._seen = seen
        self._address = ""
        self._there = 0
        self._moved_at = time.monotonic()

    async def run(self) -> Upload:
        """Send what is missing, again and again until it is there."""
        while True:
            try:
                digest = await self._attempt()
                upload = await self._client.get(Upload, self._address)
            except (Unavailable, Refused) as error:
                await self._again(error)
            else:
                break
        if upload.blob.digest != digest:
            await self._client.told("DELETE", self._address, headers=TUS)
            message = f"{self._sending.name} changed while it was sent."
            raise Invalid(message, step="Send it again when nobody writes to it.")
        return upload

    async def _attempt(self) -> str:
        """Send everything behind what is there, and return the digest of all of it."""
        self._address = self._address or await self._begun()
        told = await self._client.told("HEAD", self._address, headers=TUS)
        is_whole = told.get("Upload-Length") == told["Upload-Offset"]
        self._move(int(told["Upload-Offset"]))
        digest, position, waiting = hashlib.sha256(), 0, bytearray()
        async for piece in self._sending.pieces():
            await asyncio.to_thread(digest.update, piece)
            missing = piece[max(0, self._there + len(waiting) - position) :]
            position += len(piece)
            waiting += missing
            if len(waiting) >= REQUEST_BYTES:
                await self._send(waiting)
                waiting = bytearray()
        if not is_whole and (waiting or self._sending.size is None):
            await self._send(waiting, {"Upload-Length": str(position)} if self._sending.size is None else {})
        return f"sha256:{digest.hexdigest()}"

    async def _begun(self) -> str:
        name = base64.b64encode(self._sending.name.encode(errors="replace")).decode()
        size = self._sending.size
        length = {"Upload-Defer-Length": "1"} if size is None else {"Upload-Length": str(size)}
        key = {"Idempotency-Key": f'"{self._sending.identity}"', "Upload-Metadata": f"filename {name}"}
        return (await self._client.told("POST", "/v1/uploads", headers={**TUS, **length, **key}))["Location"]

    async def _send(self, data: bytearray, more: Mapping[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(self._there)}
        headers = {**TUS, **kind, **(more or {})}
        told = await self._client.told("PATCH", self._address, headers=headers, body=bytes(data))
        self._move(int(told["Upload-Offset"]))

    def _move(self, there: int) -> None:
        if there > self._there:
            self._moved_at = time.monotonic()
        self._there = there
        self._seen(there, self._sending.size)

    async def _again(self, error: Unavailable | Refused) -> None:
        """Wait before another attempt; raise the error where that has no sense any more."""
        status = error.problem.status if isinstance(error, Refused) else HTTPStatus.SERVICE_UNAVAILABLE
        # 409: a former connection had more of it on the way than it knew. 404: it expired, and is begun anew.
        if status not in {404, 408, 409, 429, 503} or time.monotonic() - self._moved_at > PATIENCE_SECONDS:
            raise error
        if status == HTTPStatus.NOT_FOUND:
            self._address = ""
        await asyncio.sleep(AGAIN_SECONDS)
