"""monitor.txt: how far an executor says it is, read while it is being written."""

import math
import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

READ_BYTES: Final = 65_536
FAILED: Final = 4
# YMIR 0.2 and 0.3 had words for the states.
WORDS: Final = {"pending": 1, "running": 2, "done": 3, "finished": 3, "error": 4, "failed": 4}
CODES: Final = {
    300001: "its configuration is wrong",
    300002: "the dataset is wrong",
    300003: "an image format is not supported",
    300004: "the model is wrong",
    300005: "the object type is not supported",
    300101: "CUDA and the driver do not fit",
    300102: "no GPU was found",
    300103: "it ran out of memory",
    300201: "it met a NaN",
    300301: "it had no network",
}


class MonitorRecord(NamedTuple):
    """The latest record."""

    fraction: float
    """From 0 to 1; what lies outside is taken for the nearest of them."""
    state: int
    """1 pending, 2 running, 3 done, 4 error."""
    code: int | None
    message: str
    fault: str = ""
    """What is wrong with the record, if something is."""


def read_monitor(path: Path) -> MonitorRecord | None:
    """Return the latest record; None while there is none, or only a half-written one."""
    text = beginning(path).decode(errors="replace")
    first, _, message = text.partition("\n")
    columns = first.strip().split("\t")
    try:
        fraction, state = float(columns[2]), known_state(columns[3])
        code = int(columns[4]) if len(columns) > 4 else None  # noqa: PLR2004 - the fifth column is optional
    except (ValueError, IndexError):
        return None
    if state is None:
        return None
    fault = ""
    if not 0 <= fraction <= 1:  # NaN is outside too
        fault = f"{path.name}, line 1: the progress must lie between 0 and 1, not be {columns[2]!r}."
        fraction = 0.0 if math.isnan(fraction) else min(max(fraction, 0.0), 1.0)
    return MonitorRecord(fraction, state, code, message.strip(), fault)


def beginning(path: Path) -> bytes:
    """Return the beginning of a file that is being written, nothing if it is no regular file."""
    # The executor may put anything there while this is read: a link out of its folder, a pipe that nobody writes to.
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, READ_BYTES) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)


def known_state(told: str) -> int | None:
    """Return the state that a column says, as a number or in the words of old; None if it says none."""
    word = told.strip().lower()
    return WORDS.get(word, int(word) if word.isdecimal() else None)


def meaning(code: int) -> str:
    """Return what an executor means by a code."""
    return CODES.get(code, "an error of its own")
