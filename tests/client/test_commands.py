"""The command ``ymir`` as a user meets it."""

import json
import socket
import subprocess
import sys
import urllib.request
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

import pytest

from client.commands import main
from client.data_folder import owned, owner_of


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


def test_an_address_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "client.commands", "serve", "--data", str(tmp_path), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 1
    assert f"http://127.0.0.1:{port} cannot be used" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_any_free_port_is_told_to_others_and_a_signal_ends_the_service(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "client.commands", "serve", "--data", str(tmp_path), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stderr is not None
        line = next(line for line in service.stderr if '"ready"' in line)
        owner = owner_of(tmp_path)
        assert owner is not None
        assert owner.url is not None
        with urllib.request.urlopen(f"{owner.url}/readyz", timeout=10) as answer:  # noqa: S310 - of this service
            assert answer.status == HTTPStatus.OK
        service.terminate()
        status = service.wait(timeout=10)

    assert json.loads(line)["url"] == owner.url
    assert status == 0
    assert owner_of(tmp_path) is None
