"""Rules for any run: how it ends, what monitor.txt says, and what is left alone."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from workers.executors.conformance.rules import Breaches
from workers.executors.conformance.trials import Trial
from workers.executors.layout import LOG, MONITOR
from workers.executors.monitor import FAILED, known_state
from workers.executors.runtime import Cause

LINES_TOLD: Final = 5
TAIL_BYTES: Final = 65_536
COLUMNS: Final = 4
STATES: Final = (1, 2, 3, 4)
CAUSES: Final = {
    Cause.STOPPED: "It was stopped from outside.",
    Cause.SECONDS: "It took longer than it may and was ended.",
    Cause.OUTPUT_BYTES: "It wrote more than it may and was ended.",
    Cause.MEMORY_BYTES: "It used more memory than it may and was ended.",
}


def conduct(trial: Trial) -> Breaches:
    """Return what is wrong with a run, whatever it was for."""
    return {"ends": _ends(trial), **_monitor(trial), "input-untouched": _changed(trial), "output-only": _left(trial)}


def _ends(trial: Trial) -> list[str]:
    if trial.has_ended_well:
        failed = _state(trial.monitor[-1:]) == FAILED
        return [f"It ended with exit code 0, and {MONITOR} says that it failed."] if failed else []
    code = trial.ended.code
    how = f"It was killed by signal {-code}." if code < 0 else f"It ended with exit code {code}."
    return [CAUSES.get(trial.ended.cause, how), *(f"{LOG}: {line}" for line in _last_lines(trial))]


def _state(lines: Sequence[str]) -> int | None:
    columns = lines[-1].split("\t") if lines else []
    return known_state(columns[COLUMNS - 1]) if len(columns) >= COLUMNS else None


def _last_lines(trial: Trial) -> list[str]:
    path = trial.folder.made / LOG
    text = path.read_bytes()[-TAIL_BYTES:].decode(errors="replace") if path.is_file() else ""
    return [line[:1_000] for line in text.splitlines() if line.strip()][-LINES_TOLD:]


def _monitor(trial: Trial) -> Breaches:
    if not trial.monitor:
        return {"monitor-written": [f"There is no {MONITOR}, or it is empty."]}
    last = trial.monitor[-1]
    # While it runs a line may be seen half-written: that is not to be held against it.
    fractions = [fraction for line in trial.monitor if (fraction := _fraction(line)) is not None]
    return {
        "monitor-written": [],
        "monitor-form": [f"{MONITOR}, line 1: {fault}" for fault in _form(last, trial.task)],
        "monitor-bounds": [f"{MONITOR}: the progress was {one}." for one in fractions if not 0 <= one <= 1],
        "monitor-rises": [
            f"{MONITOR}: the progress fell from {before} to {after}."
            for before, after in pairwise(fractions)
            if after < before
        ],
    }


def _fraction(line: str) -> float | None:
    columns = line.split("\t")
    if len(columns) < COLUMNS:
        return None
    try:
        return float(columns[2])
    except ValueError:
        return None


def _form(line: str, task: str) -> list[str]:
    columns = line.rstrip("\r").split("\t")
    if len(columns) < COLUMNS:
        return [f"{line[:200]!r} has {len(columns)} columns."]
    faults = []
    if columns[0] != task:
        faults.append(f"the first column is {columns[0][:100]!r}, not the task_id.")
    if not _is_number(columns[1]):
        faults.append(f"the second column is {columns[1][:100]!r}, no seconds since 1970.")
    if _fraction(line) is None:
        faults.append(f"the third column is {columns[2][:100]!r}, no progress.")
    if known_state(columns[3]) not in STATES:
        faults.append(f"the fourth column is {columns[3][:100]!r}, none of the states {STATES}.")
    if columns[COLUMNS:] and not columns[COLUMNS].strip().isdigit():
        faults.append(f"the fifth column is {columns[COLUMNS][:100]!r}, no return code.")
    return faults


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _changed(trial: Trial) -> list[str]:
    return [f"/in/{name} was changed, added or removed." for name in trial.changed]


def _left(trial: Trial) -> list[str]:
    # Programs keep caches and settings in hidden folders of their home, which the run's folder is.
    left = sorted(path.name for path in trial.folder.root.iterdir() if not path.name.startswith("."))
    return [*trial.unsafe, *(f"{name} was left beside in and out." for name in left if name not in {"in", "out"})]
