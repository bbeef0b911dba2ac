"""The embedded service, started for the demo as a user would start it."""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from client.api import Client, connected, ready

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0


@asynccontextmanager
async def served(data: Path, *, import_root: Path) -> AsyncIterator[Client]:
    """Run ``ymir serve`` on a data folder and return its administrator's client; its log goes beside the folder."""
    port = await asyncio.to_thread(_free_port)
    options = ["--data", str(data), "--port", str(port), "--import-root", str(import_root)]
    data.parent.mkdir(parents=True, exist_ok=True)
    with data.with_suffix(".log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "client.commands", "serve", *options, stdout=log, stderr=log
        )
        try:
            key = await _key(data / "admin.key", process)
            async with connected(f"http://127.0.0.1:{port}", key) as client:
                await ready(client, seconds=START_SECONDS)
                yield client
        finally:
            await _stop(process)


async def _key(path: Path, process: Process) -> str:
    async with asyncio.timeout(START_SECONDS):
        while not await asyncio.to_thread(_has_text, path):
            if process.returncode is not None:
                message = f"the service ended with status {process.returncode}; see its log beside the data folder"
                raise RuntimeError(message)
            await asyncio.sleep(0.05)
    return (await asyncio.to_thread(path.read_text)).strip()


def _has_text(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
