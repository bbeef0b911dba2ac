"""The command ``ymir`` as a test calls it: in this process, on a folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from client.commands import main


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Ymir = Callable[..., Ended]


def on_folder(data: Path, capsys: pytest.CaptureFixture[str], *, project: str = "") -> Ymir:
    """Return what runs commands on a data folder."""

    def ymir(*words: str | Path) -> Ended:
        with patch.dict(os.environ, {"YMIR_DATA": str(data), "YMIR_PROJECT": project}):
            status = main([*map(str, words)])
        return Ended(status, *capsys.readouterr())

    return ymir
