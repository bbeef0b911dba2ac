"""The command ``ymir`` on its own."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

from tests.bench.measuring import timed
from tests.bench.row import Measured, Size

RUNS = 10


async def version(_: Path, __: Size) -> Measured:
    """Ask for the version, in a new process each time."""
    command = [str(Path(sys.executable).with_name("ymir")), "--version"]

    async def act() -> None:
        await asyncio.to_thread(subprocess.run, command, check=True, stdout=subprocess.DEVNULL)

    await act()
    runs = await timed(act, runs=RUNS)
    return Measured(runs=runs, peak_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
