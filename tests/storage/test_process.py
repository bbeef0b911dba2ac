"""What processes log, as people and machines read it."""

import json

import pytest
import structlog

from storage.process import log_to_stderr


def test_commands_log_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(in_words=True)
    log = structlog.get_logger()

    log.warning("a worker vanished", task="t1", owner="embedded")
    log.error("it broke", exc_info=ValueError("of this"))

    warning, error, *traceback = capsys.readouterr().err.splitlines()
    assert warning == "warning: a worker vanished: task t1, owner embedded"
    assert (error, traceback[-1]) == ("error: it broke", "ValueError: of this")


def test_services_log_as_json_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()

    structlog.get_logger().warning("a worker vanished", task="t1")

    told = json.loads(capsys.readouterr().err)
    assert (told["level"], told["event"], told["task"]) == ("warning", "a worker vanished", "t1")
