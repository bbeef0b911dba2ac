"""Partial uploads: their bytes are kept as they come, so that a broken connection or process loses next to none."""

import asyncio
import hashlib
import mimetypes
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final
from weakref import WeakValueDictionary

from aiohttp import web

from gateway.incoming import STEP, Incoming
from gateway.operations import BINARY
from gateway.problems import Refused
from gateway.services import Services
from gateway.tus import MISMATCH, Checksum
from schemas.blobs import BlobRef
from schemas.errors import Conflict, Invalid, NotFound, Unavailable
from schemas.schema import Id
from schemas.uploads import PartialUpload, Upload, UploadPart
from storage.contested import added
from storage.paging import every
from storage.ports import Query

PART_BYTES: Final = 8 * 2**20
"""So much of an upload is in memory at most, while it comes."""
PARTS_AT_MOST: Final = 100_000


class PartialUploads:
    """The uploads that are being sent. Nothing of them is known here alone: any gateway can take the next part."""

    def __init__(self, services: Services) -> None:
        self._uploads = services.database.documents(PartialUpload)
        self._parts = services.database.documents(UploadPart)
        self._whole = services.database.documents(Upload)
        self._blobs = services.blobs
        self._settings = services.settings
        self._now = services.clock
        self._locks: WeakValueDictionary[Id, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, upload: PartialUpload) -> PartialUpload:
        """Keep a new upload and return it; or the one that was begun under the same id before, unless it expired."""
        for known in await self._uploads.get_many([upload.id]):
            if known.expires_at <= self._now():
                await self.forget(known)
        return await added(upload, self._uploads)

    async def find(self, identity: Id) -> PartialUpload:
        """Return an upload that can be gone on with; raise NotFound."""
        found = await self._uploads.get_many([identity])
        if not found or found[0].expires_at <= self._now():
            raise NotFound("upload", identity, step="It was never begun, or not sent or used in time: send it anew.")
        return found[0]

    async def whole(self, identity: Id) -> Upload:
        """Return an upload that a task may name; raise NotFound, saying how much is there of one that is not whole."""
        found = await self._whole.get_many([identity])
        if found:
            return found[0]
        upload = await self.find(identity)
        offset = await self.offset(upload)
        if offset == upload.length:
            return await self.finished(upload)
        length = "an unknown number of" if upload.length is None else upload.length
        step = f"It has {offset} of {length} bytes so far: send the rest by PATCH."
        raise NotFound("whole upload", identity, step=step)

    async def offset(self, upload: PartialUpload) -> int:
        """Return how many bytes of an upload are there."""
        last = await self._last(upload.id)
        return 0 if last is None else last.end

    async def with_length(self, upload: PartialUpload, length: int) -> PartialUpload:
        """Return an upload whose length is known now; raise Conflict if another was told meanwhile."""
        known = upload.successor(length=length)
        await self._uploads.replace(known, was=upload)
        return known

    async def append(
        self, upload: PartialUpload, request: web.Request, *, at: int, checksum: Checksum | None = None
    ) -> int:
        """Keep the body of a request behind what is there, and return how much that is then.

        What came of a body that breaks off is kept, unless there is a checksum that it would need. Raise Refused: 409
        where something else is at that place, 413 for more than the upload can have, 460 for another checksum.
        """
        last = await self._last(upload.id)
        end = 0 if last is None else last.end
        if at != end:
            detail = f"The upload has {end} bytes, and the request begins at {at}."
            raise Refused(HTTPStatus.CONFLICT, detail, step=STEP)
        limit = self._settings.upload_limit_bytes if upload.length is None else upload.length
        body = Incoming(request, room=limit - end, stall_seconds=self._settings.upload_stall_seconds)
        if checksum is not None:
            return await self._append_checked(upload, body, last, checksum)
        async for data in body.parts(PART_BYTES):
            last = await self._stored(upload, data, last)
            await self._add(last)
        body.check_whole()
        return 0 if last is None else last.end

    async def finished(self, upload: PartialUpload) -> Upload:
        """Return the whole upload that a complete one comes to: its parts become one blob."""
        # The same from several requests at once is done once here, and has the same outcome elsewhere.
        async with self._locks.setdefault(upload.id, asyncio.Lock()):
            known = await self._whole.get_many([upload.id])
            if not known:
                known = [await self._put_together(upload)]
            await self.forget(upload)
            return known[0]

    async def forget(self, upload: PartialUpload) -> None:
        """Remove an upload that is whole, or was given up, and its parts."""
        await self._uploads.remove(upload.id)
        async for part in every(self._parts, Query(equal={"upload": upload.id})):
            await self._parts.remove(part.id)

    async def _append_checked(
        self, upload: PartialUpload, body: Incoming, last: UploadPart | None, checksum: Checksum
    ) -> int:
        found, parts = hashlib.new(checksum.algorithm), list[UploadPart]()
        async for data in body.parts(PART_BYTES):
            await asyncio.to_thread(found.update, data)
            last = await self._stored(upload, data, last)
            parts.append(last)
        body.check_whole()
        if found.digest() != checksum.digest:
            detail = f"The body has another {checksum.algorithm} than its Upload-Checksum says; nothing of it is kept."
            raise Refused(MISMATCH, detail, step="Send the same bytes again.")
        for part in parts:
            await self._add(part)
        return 0 if last is None else last.end

    async def _stored(self, upload: PartialUpload, data: bytes, last: UploadPart | None) -> UploadPart:
        part = UploadPart.after(last, await self._blobs.put(data), upload=upload)
        if part.number >= PARTS_AT_MOST:
            raise Invalid("The upload is in too many parts.", step=f"Send {PART_BYTES} bytes in each request.")
        return part

    async def _last(self, upload: Id) -> UploadPart | None:
        page = await self._parts.list(Query(equal={"upload": upload}), order="-start", limit=1)
        return page.items[0] if page.items else None

    async def _add(self, part: UploadPart) -> None:
        try:
            await self._parts.add(part)
        except Conflict as conflict:
            detail = f"Another request has put something at {part.start} meanwhile."
            raise Refused(HTTPStatus.CONFLICT, detail, step=STEP) from conflict
        # An upload is forgotten before its parts are: what is put where those of another were is seen here.
        if not await self._uploads.get_many([part.upload]):
            await self._parts.remove(part.id)
            detail = "Another request has finished the upload, or given it up, meanwhile."
            raise Refused(HTTPStatus.CONFLICT, detail, step=STEP)

    async def _put_together(self, upload: PartialUpload) -> Upload:
        media_type = mimetypes.guess_type(upload.name)[0] or BINARY
        last = await self._last(upload.id)
        if last is not None and last.number == 0:
            blob = last.blob.model_copy(update={"media_type": media_type})
        else:
            blob = await self._joined_blob(upload, media_type)
        if blob.size != upload.length:
            # Another process was quicker, and what it made was removed since.
            raise NotFound("upload", upload.id, step="It was given up meanwhile: send it anew.")
        whole = Upload(id=upload.id, name=upload.name, blob=blob, created_by=upload.created_by, created_at=self._now())
        return await added(whole, self._whole)

    async def _joined_blob(self, upload: PartialUpload, media_type: str) -> BlobRef:
        spool = self._settings.spool
        await asyncio.to_thread(spool.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ymir-upload-", dir=spool) as folder:
            path = Path(folder) / "upload"
            try:
                digest = await self._joined(upload, path)
            except OSError as error:
                message = f"The upload could not be put together: {error.strerror}."
                raise Unavailable(message, step="Free disk space.") from error
            return await self._blobs.put_file(path, media_type=media_type, digest=digest)

    async def _joined(self, upload: PartialUpload, path: Path) -> str:
        digest = hashlib.sha256()
        with await asyncio.to_thread(path.open, "wb") as file:
            cursor = None
            while True:
                parts = await self._parts.list(Query(equal={"upload": upload.id}), order="start", cursor=cursor)
                for part in parts.items:
                    async for piece in self._blobs.stream(part.blob.digest):
                        await asyncio.to_thread(_write, file, digest, piece)
                if (cursor := parts.next) is None:
                    return f"sha256:{digest.hexdigest()}"


def _write(file: IO[bytes], digest: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)


PARTIAL: Final = web.AppKey("partial_uploads", PartialUploads)
