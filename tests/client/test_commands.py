"""The command ``ymir`` as a user meets it."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from client.commands import main
from client.data_folder import owned


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])

    assert end.value.code == 0
    assert capsys.readouterr().out == f"ymir {version('ymir')}\n"


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "serve" in capsys.readouterr().out


def test_a_data_folder_that_another_serves_is_refused_in_one_line(tmp_path: Path) -> None:
    with owned(tmp_path) as tell:
        tell("http://127.0.0.1:1")
        ended = subprocess.run(
            [sys.executable, "-m", "client.commands", "serve", "--data", str(tmp_path), "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 1
    assert "http://127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr
