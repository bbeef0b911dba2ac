"""The work folder of a command: ``out/monitor.txt`` says how far it is, and how it ended."""

import time
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

from client.mir.codes import Code, MirError

MONITOR: Final = "monitor.txt"
LOG: Final = "log.txt"


class State(IntEnum):
    """Where a command is."""

    PENDING = 1
    RUNNING = 2
    DONE = 3
    ERROR = 4


class WorkFolder(NamedTuple):
    """The folder that ``-w`` named; without one nothing is written."""

    path: Path | None
    tid: str

    @property
    def given(self) -> Path:
        """The folder of the input."""
        return (self.path or Path()) / "in"

    @property
    def made(self) -> Path:
        """The folder of the output."""
        return (self.path or Path()) / "out"

    def start(self) -> None:
        """Make the folder, and say that nothing was done yet; raise MirError if it cannot be used."""
        if self.path is None:
            return
        try:
            self.made.mkdir(parents=True, exist_ok=True)
            self.tell(0.0, State.PENDING)
        except OSError as error:
            message = f"the work folder {self.path} cannot be used: {error.strerror}"
            raise MirError(Code.PERMISSION_ERROR, message, step="Choose another with -w.") from error

    def tell(self, fraction: float, state: State, code: Code = Code.OK, message: str = "") -> None:
        """Write how far the command is, in the place of what was said before."""
        if self.path is None:
            return
        line = f"{self.tid}\t{time.time():.6f}\t{fraction:.2f}\t{int(state)}\t{int(code)}\n"
        draft = self.made / f"{MONITOR}.new"
        draft.write_text(line + (f"{message}\n" if message else ""))
        draft.replace(self.made / MONITOR)

    def log(self, lines: Sequence[str]) -> None:
        """Add lines to ``out/log.txt``."""
        if self.path is None or not lines:
            return
        with (self.made / LOG).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{line}\n" for line in lines)
