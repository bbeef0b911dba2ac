"""What is wrong with one file that an executor wrote."""

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
