"""The embedded service as a process that a test can kill and start again."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from client.api import Client, connected, ready

START_SECONDS = 60.0


class Service:
    """``ymir serve`` on one data folder and port."""

    def __init__(self, data: Path, *, import_root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.port = _free_port()
        self.log = data.with_suffix(".log")
        self._import_root = import_root
        self._environment = {**os.environ, **(environment or {})}
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        options = ["--data", str(self.data), "--port", str(self.port), "--import-root", str(self._import_root)]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "client.commands",
                "serve",
                *options,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        async with asyncio.timeout(START_SECONDS):
            while not (self.data / "admin.key").exists():
                assert self._process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)
        async with self.client() as client:
            await ready(client, seconds=START_SECONDS)

    @asynccontextmanager
    async def client(self, *, patience_seconds: float = 0.0) -> AsyncIterator[Client]:
        key = (self.data / "admin.key").read_text().strip()
        async with connected(self.url, key, patience_seconds=patience_seconds) as client:
            yield client

    async def kill(self) -> None:
        """End the process as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            os.kill(self._process.pid, number)
            await asyncio.wait_for(self._process.wait(), START_SECONDS)


@asynccontextmanager
async def served(
    data: Path, *, import_root: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Service]:
    """Run a service for the length of a test."""
    service = Service(data, import_root=import_root, environment=environment)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
