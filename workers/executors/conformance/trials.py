"""One trial: an executor is given the built-in set, run, and watched."""

import asyncio
import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from schemas.executors import Executor
from schemas.schema import new_id
from workers.executors.conformance.trial_input import Asked, write_input
from workers.executors.contract import shared_memory_bytes
from workers.executors.layout import MONITOR, Layout, RunFolder
from workers.executors.monitor import beginning
from workers.executors.output_folder import made_safe
from workers.executors.runtime import Cause, ExecutorRuntime, Exit, Order

LOOK_SECONDS: Final = 0.02


class Trial(NamedTuple):
    """What came of it."""

    asked: Asked
    folder: RunFolder
    layout: Layout
    task: str
    ended: Exit
    seconds: float
    monitor: tuple[str, ...]
    """The first lines of monitor.txt, one after the other, as they were seen."""
    changed: tuple[str, ...]
    """The files under ``in/`` that are others than before, or gone."""
    unsafe: tuple[str, ...]
    """What was found under ``out/`` that the system does not take."""

    @property
    def has_ended_well(self) -> bool:
        """Whether there is a result to look at."""
        return self.ended.is_success


async def tried(
    executor: Executor, asked: Asked, *, runtime: ExecutorRuntime, root: Path, stop_after: float | None = None
) -> Trial:
    """Run an executor in a new folder; with ``stop_after`` it is asked to end so long after its first sign of life."""
    folder, task = RunFolder(root / new_id()), new_id()
    layout = runtime.layout(executor, folder)
    config = await asyncio.to_thread(write_input, executor, asked, folder, layout, task)
    before = await asyncio.to_thread(_listed, folder.given)
    seen: list[str] = []
    alive = asyncio.Event()
    watching = asyncio.create_task(_watch(folder.made / MONITOR, seen, alive))
    order = Order(executor, folder, task, 1, [str(number) for number in range(asked.gpus)], shared_memory_bytes(config))
    began = time.monotonic()
    running = asyncio.create_task(runtime.run(order, progress=lambda _: None))
    try:
        if stop_after is not None:
            await _first_sign(running, alive, stop_after)
            began = time.monotonic()
            running.cancel()
        ended = await running
    except asyncio.CancelledError:
        if stop_after is None or not running.cancelled():
            raise
        ended = Exit(0, Cause.STOPPED)
    finally:
        seconds = time.monotonic() - began
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    _look(folder.made / MONITOR, seen)
    unsafe = await asyncio.to_thread(made_safe, folder.made)
    after = await asyncio.to_thread(_listed, folder.given)
    changed = tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
    return Trial(asked, folder, layout, task, ended, seconds, tuple(seen), changed, unsafe)


def _listed(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def _watch(path: Path, seen: list[str], alive: asyncio.Event) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        _look(path, seen)
        if seen:
            alive.set()


def _look(path: Path, seen: list[str]) -> None:
    first = beginning(path).decode(errors="replace").partition("\n")[0]
    if first and seen[-1:] != [first]:
        seen.append(first)


async def _first_sign(running: asyncio.Task[Exit], alive: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.create_task(alive.wait())
    await asyncio.wait({running, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
