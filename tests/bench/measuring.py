"""Time, memory and processor time of processes, from the clock and /proc."""

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

RUNS = 5


async def timed(
    act: Callable[[], Awaitable[Any]], *, runs: int = RUNS, after: Callable[[], Awaitable[None]] | None = None
) -> list[float]:
    """Return the seconds of each run; ``after`` each, outside its time, what it left behind is removed."""
    seconds = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        await act()
        seconds.append(time.perf_counter() - start)
        if after is not None:
            await after()
    return seconds


async def limit_of(act: Callable[[], Any], *, runs: int = RUNS) -> list[float]:
    """Return the seconds of each run of something bare, after one that is not counted."""
    await asyncio.to_thread(act)

    async def once() -> None:
        await asyncio.to_thread(act)

    return await timed(once, runs=runs)


def peak_mb(*, pid: int | None = None) -> float:
    """Return the most memory that a process and those below it had resident, in MB, summed over them.

    Not ``ru_maxrss``: that of a process starts at what the one that made it had. Pages that processes share count
    for each of them, so the sum is rather too high.
    """
    return sum(_status_kb(process, "VmHWM") for process in family(pid or os.getpid())) / 1024


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and those below it have used."""
    ticks = 0
    for process in family(pid):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started, and that those started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        # Threads come and go meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text(encoding="utf-8").split():
                yield from family(int(child))


def _status_kb(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = next((line for line in text.splitlines() if line.startswith(f"{name}:")), f"{name}: 0 kB")
    return int(found.split()[1])
