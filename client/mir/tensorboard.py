"""What a training wrote for TensorBoard, unpacked into a folder."""

import asyncio
import tarfile
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from client.calls import Refused
from client.mir.codes import Code, MirError
from client.mir.session import Session
from client.mir.telling import tell


async def save_tensorboard(session: Session, task: str | None, *, folder: str | None) -> None:
    """Write the event files of a task below a folder, if one is named; say so if there are none. Raise MirError."""
    if folder is None or task is None:
        return
    with TemporaryDirectory(prefix="mir-tensorboard-") as scratch:
        packed = Path(scratch) / "events.tar"
        try:
            await session.client.save(f"/v1/tasks/{task}/tensorboard", packed)
        except Refused as refused:
            if refused.problem.status != HTTPStatus.NOT_FOUND:
                raise
            tell("the executor wrote nothing for TensorBoard")
            return
        await asyncio.to_thread(_unpack, packed, Path(folder).expanduser())


def _unpack(packed: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        message = f"the files for TensorBoard cannot be written to {folder}: {error}"
        raise MirError(Code.PERMISSION_ERROR, message, step="Name another --tensorboard-dir.") from error
