"""Packages of models: one file of one, sent alone."""

import asyncio
import gzip
import shutil
import tarfile
import tempfile
import zlib
from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.files import file_headers, is_known, send_file
from gateway.services import SERVICES
from schemas.errors import Invalid, NotFound, Unavailable
from schemas.models import Model
from schemas.schema import derived_id

AT_ONCE: Final = 2
STEP: Final = "Restore the package from a back-up, or download it as a whole."


class Unpacking:
    """The few packages that are unpacked at the same time: each is unpacked up to the file that is asked for."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def send(self, request: web.Request, model: Model, path: str) -> web.StreamResponse:
        """Answer with a file of a model, or with the range of it that is asked for; raise NotFound."""
        if path not in model.paths:
            step = "Name a file as the model has it: <stage>/<file>, or one of its attachments."
            raise NotFound("file of the model", path, step=step)
        etag = derived_id("file", model.package.digest, path)
        headers = file_headers(etag, media_type="application/octet-stream", file_name=Path(path).name)
        if is_known(request, etag):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        services = request.app[SERVICES]
        spool = services.settings.spool
        await asyncio.to_thread(spool.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ymir-package-", dir=spool) as folder:
            package, file = Path(folder) / "package", Path(folder) / "file"
            async with self._slots:
                await services.blobs.fetch(model.package.digest, package)
                await asyncio.to_thread(_unpack, package, path, file)
            return await send_file(request, file, etag=etag, headers=headers)


UNPACKING: Final = web.AppKey("unpacking", Unpacking)


def _unpack(package: Path, path: str, to: Path) -> None:
    """Write a member of a package into a file."""
    try:
        with tarfile.open(package, mode="r:gz") as archive:
            member = next((one for one in archive if one.name.removeprefix("./") == path and one.isreg()), None)
            content = None if member is None else archive.extractfile(member)
            if content is None:
                raise Invalid(f"The package of the model has no file {path!r}.", step=STEP)
            with to.open("xb") as file:
                shutil.copyfileobj(content, file)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Invalid(f"The package of the model cannot be read: {error}.", step=STEP) from error
    except OSError as error:
        raise Unavailable(f"The file could not be unpacked: {error}.", step="Free disk space.") from error
