"""A process of the service, as a test starts it, signals it and starts it again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
END_SECONDS = 30.0


class Program:
    """``python -m <module>``; what it logs is added to a file."""

    def __init__(self, module: str, *, environment: Mapping[str, str], log: Path) -> None:
        self.environment = dict(environment)
        self.log = log
        self._module = module
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The id of the process, which must have been started."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("YMIR_")}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, stdout=log, stderr=log, cwd=ROOT, env={**own, **self.environment}
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; to one that has ended, nothing."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait for the end of the process, and return its status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), END_SECONDS)
