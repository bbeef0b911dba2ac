"""monitor.txt: how far the work is, always one whole record that a reader may open at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RUNNING, DONE, FAILED = 2, 3, 4
SECONDS_BETWEEN_RECORDS = 0.2

Progress = Callable[[float], None]


class Monitor:
    """The record of one task; every write replaces the file at once."""

    def __init__(self, path: Path, *, task_id: str) -> None:
        self._path, self._task_id, self._share = path, task_id, 0.0
        self._due_at = 0.0

    def running(self, share: float) -> None:
        """Record the share done, 0 to 1; it never falls, and records that follow each other at once are left out."""
        self._share = max(self._share, min(share, 1.0))
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + SECONDS_BETWEEN_RECORDS
            self._write(f"{RUNNING}")

    def part(self, low: float, high: float) -> Progress:
        """Return where a part of the work reports its own progress from 0 to 1."""
        return lambda share: self.running(low + (high - low) * share)

    def done(self) -> None:
        """Record that all is done."""
        self._share = 1.0
        self._write(f"{DONE}")

    def failed(self, code: int, message: str) -> None:
        """Record that the work has ended without success, and why."""
        # The exit status and the error stream tell it as well, even where /out cannot be written.
        with suppress(OSError):
            self._write(f"{FAILED}\t{code}", message)

    def _write(self, state: str, *messages: str) -> None:
        record = f"{self._task_id}\t{time.time():.6f}\t{self._share:.6f}\t{state}"
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_text("\n".join([record, *messages]) + "\n", encoding="utf-8")
        beside.replace(self._path)
