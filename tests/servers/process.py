"""A server as a process of ours: started in its own folder, waited for, killed, started again."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

START_SECONDS: Final = 90.0
PAUSE_SECONDS: Final = 0.05
CONNECT_SECONDS: Final = 1.0


class ServerProcess:
    """A program that serves on the loopback interface; it is killed, never asked: what it keeps must bear that."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        is_ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """``command`` runs in ``folder``, which must exist, with ``environment`` added to that of the tests."""
        self._command = command
        self._folder = folder
        self._is_ready = is_ready
        self._start_seconds = start_seconds
        self._environment = {**os.environ, **(environment or {})}
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start, and return when the server answers; raise RuntimeError, with the end of its log, if it does not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + self._start_seconds
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"{self._command[0]} did not start:\n{self._log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(PAUSE_SECONDS)
        return self

    def kill(self) -> None:
        """Kill the server and the processes that it started; one that does not run is no error."""
        self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and the processes that it started."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, number)


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Return whether something accepts connections on a port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS):
            return True
    except OSError:
        return False
