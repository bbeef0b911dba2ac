"""`mir` answers at once where nothing is to be done."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent.parent
LOADED: Final = """
import sys

from client.mir.main import main

assert main(sys.argv[1:]) == 0
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"aiohttp", "numpy", "pyarrow", "PIL", "pydantic"}))
"""
TRIES: Final = 3

pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YMIR_")}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    ).stdout


def cpu_seconds(*arguments: str, cwd: Path) -> float:
    """Return the processor time of one run, the least of several: what others do on the machine is not counted."""
    found = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("-m", "client.mir.main", *arguments, cwd=cwd)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def test_the_version_is_told_within_its_budget(tmp_path: Path) -> None:
    assert run("-m", "client.mir.main", "--version", cwd=tmp_path).startswith("mir version: ")
    assert cpu_seconds("--version", cwd=tmp_path) <= 0.2


def test_a_branch_is_shown_within_its_budget(repository: Path) -> None:
    assert cpu_seconds("show", "--src-revs", "training", cwd=repository) <= 0.5


@pytest.mark.parametrize("command", [["show", "--src-revs", "val@import"], ["branch"], ["status"], ["--version"]])
def test_what_only_looks_loads_nothing_heavy(command: list[str], repository: Path) -> None:
    said = run("-c", LOADED, *command, cwd=repository)

    assert said.splitlines()[-1] == ""
