"""Checking what an executor wrote."""

import math
from typing import Final

from schemas.errors import Fault

FAULTS_TOLD: Final = 1_000


class Faults:
    """Collects the first thousand faults of a file."""

    def __init__(self, file: str) -> None:
        self.told: list[Fault] = []
        self._file = file

    def add(self, where: str, detail: str) -> None:
        """Keep a fault at a path inside the file."""
        if len(self.told) < FAULTS_TOLD:
            self.told.append(Fault(detail, f"{self._file}: {where}" if where else self._file))


def number(value: object) -> float | None:
    """Return a finite number as a float; None if it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
