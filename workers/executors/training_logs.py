"""What a training wrote for TensorBoard: its event files kept, and the scalars in them."""

import asyncio
import os
import tarfile
from pathlib import Path
from typing import Final, NamedTuple

from schemas.counts import counted
from schemas.errors import Unavailable
from schemas.training_logs import EVENTS_MEDIA_TYPE, TrainingLogs
from storage.ports import Blobs
from workers.executors.event_files import EventFiles, ScalarsRead, read_scalars
from workers.executors.layout import TENSORBOARD
from workers.executors.runs import Run
from workers.executors.scratch import scratch_errors
from workers.image_pool import ImagePool

BYTES_KEPT: Final = 256 << 20
FILES_KEPT: Final = 1_000
MARK: Final = "tfevents"
"""In the name of every event file."""


class KeptLogs(NamedTuple):
    """What was kept, if there was anything, and what the user should know about it."""

    logs: TrainingLogs | None
    warnings: tuple[str, ...]


class _Found(NamedTuple):
    files: EventFiles
    sizes: list[int]
    warnings: tuple[str, ...]


async def keep_logs(run: Run, *, blobs: Blobs, pool: ImagePool) -> KeptLogs:
    """Keep the event files of a run, however it ended, and their scalars; nothing in them makes a training fail."""
    found = await asyncio.to_thread(_found, run.folder.made / TENSORBOARD)
    if not found.files.names:
        return KeptLogs(None, found.warnings)
    path = run.folder.root / "tensorboard.tar"
    with scratch_errors():
        await asyncio.to_thread(_pack, found, path)
    read = await _read(found.files, pool)
    logs = TrainingLogs(
        events=await blobs.put_file(path, media_type=EVENTS_MEDIA_TYPE),
        scalars=await blobs.put(read.table, media_type="application/json"),
        tags=read.tags,
    )
    return KeptLogs(logs, (*found.warnings, *read.warnings))


async def _read(files: EventFiles, pool: ImagePool) -> ScalarsRead:
    try:
        return await pool.call(read_scalars, files)
    except Unavailable as error:
        # The training is not done anew for this.
        return ScalarsRead(b'{"tags":{}}', 0, (f"The scalars for TensorBoard were not read: {error.detail}",))


def _found(folder: Path) -> _Found:
    root = folder.resolve()
    paths = sorted(path for path in folder.rglob(f"*{MARK}*") if _is_readable(path, root))
    names, sizes, left = [], [], BYTES_KEPT
    for path in paths[:FILES_KEPT]:
        size = path.stat().st_size
        names.append(path.relative_to(folder).as_posix())
        sizes.append(min(size, left))
        left -= sizes[-1]
    files = EventFiles(folder, names)
    lost = sum(path.stat().st_size for path in paths) - sum(sizes)
    if not lost:
        return _Found(files, sizes, ())
    told = f"Of {counted(len(paths), 'event file')} for TensorBoard the first {BYTES_KEPT} bytes are kept"
    return _Found(files, sizes, (f"{told}, of at most {FILES_KEPT} files; {lost} bytes are not.",))


def _is_readable(path: Path, root: Path) -> bool:
    is_own = path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(root)
    return is_own and os.access(path, os.R_OK)


def _pack(found: _Found, path: Path) -> None:
    """Write the files into a tar, each as far as it is kept; equal files make equal bytes."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, size in zip(found.files.names, found.sizes, strict=True):
            member = tarfile.TarInfo(name)
            member.size, member.mode = size, 0o644
            with (found.files.folder / name).open("rb") as file:
                archive.addfile(member, file)
