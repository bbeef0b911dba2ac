"""The log of a run while it grows: its end is kept where the gateway finds it, whichever machine that runs on."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from schemas.errors import Conflict, YmirError
from schemas.live_logs import LiveLog
from schemas.tasks import Task
from storage.ports import Clock, Documents

TAIL_BYTES: Final = 65_536
LOOK_SECONDS: Final = 1.0
STORE_SECONDS: Final = 3.0

logger = structlog.get_logger(__name__)


class Tail(NamedTuple):
    """The end of a file, and how long the file is."""

    text: str
    left_out: int


@asynccontextmanager
async def kept_live(path: Path, task: Task, *, logs: Documents[LiveLog], now: Clock) -> AsyncIterator[None]:
    """Keep the end of a growing log for others to see, at most a second late; a store that is away is no failure."""
    keeping = asyncio.create_task(_keep(path, task, logs, now))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def forget_live(task: Task, *, logs: Documents[LiveLog]) -> None:
    """Forget what was kept of an attempt; what a later one keeps stays. Raises Unavailable."""
    for kept in await logs.get_many([task.id]):
        if kept.epoch <= task.epoch:
            with suppress(Conflict):
                await logs.remove(kept.id, was=kept)


async def _keep(path: Path, task: Task, logs: Documents[LiveLog], now: Clock) -> None:
    seen: tuple[int, int] | None = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        marks = await asyncio.to_thread(_marks, path)
        if marks is None or marks == seen:
            continue
        tail = await asyncio.to_thread(_tail, path)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                kept = await _put(tail, task, logs, now)
        except (YmirError, TimeoutError) as error:
            logger.warning("the log of a run is not to be seen for now", error=str(error) or "it took too long")
            continue
        if not kept:
            return  # another attempt has the word
        seen = marks


async def _put(tail: Tail, task: Task, logs: Documents[LiveLog], now: Clock) -> bool:
    log = LiveLog(id=task.id, epoch=task.epoch, left_out=tail.left_out, text=tail.text, written_at=now())
    while True:
        known = await logs.get_many([task.id])
        if known and known[0].epoch > task.epoch:
            return False
        try:
            if known:
                successor = log.model_copy(update={"generation": known[0].generation + 1})
                await logs.replace(successor, was=known[0])
            else:
                await logs.add(log)
        except Conflict:
            continue
        return True


def _marks(path: Path) -> tuple[int, int] | None:
    try:
        told = path.lstat()
    except OSError:
        return None
    return (told.st_size, told.st_mtime_ns) if stat.S_ISREG(told.st_mode) and told.st_size else None


def _tail(path: Path) -> Tail:
    # The executor may put anything in its place meanwhile: a link out of its folder, a pipe that nobody writes to.
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Tail("", 0)
    try:
        told = os.fstat(file)
        start = max(0, told.st_size - TAIL_BYTES)
        data = os.pread(file, TAIL_BYTES, start) if stat.S_ISREG(told.st_mode) else b""
    finally:
        os.close(file)
    return Tail(data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"), start)
