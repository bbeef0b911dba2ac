"""What becomes of a task when the command that waits for it is interrupted, and of a command whose reader left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress

import pytest

from client.api import Client
from client.calls import Pieces, Query, Stream
from client.reach import Reached
from client.ymir.ending import run
from client.ymir.waiting import followed
from schemas.outcomes import Outcome
from tests.factories import NOON, WORKER, a_task

GIVEN = Namespace(no_wait=False, json=False)


class OneTask:
    """Answers about one task that runs until it is cancelled."""

    def __init__(self) -> None:
        self.task = a_task().claimed(by=WORKER, at=NOON)
        self.looked = asyncio.Event()

    async def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: object = None,
        pieces: Pieces | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        del query, json, pieces, headers
        if (method, path) == ("POST", f"/v1/tasks/{self.task.id}/cancel"):
            self.task = self.task.ended(Outcome(cancelled=True), at=NOON)
        self.looked.set()
        return self.task.model_dump_json().encode()

    async def told(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> Mapping[str, str]:
        raise NotImplementedError(method, path, headers, body)

    def stream(self, path: str) -> AbstractAsyncContextManager[Stream]:
        raise NotImplementedError(path)


async def interrupted(calls: OneTask, *, is_own: bool) -> None:
    """Wait for the task, and be interrupted after the first look."""
    waiting = asyncio.ensure_future(followed(Reached(Client(calls), is_own), calls.task, GIVEN))
    async with asyncio.timeout(10):
        await calls.looked.wait()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert waiting.cancelled()


async def test_a_task_of_a_service_goes_on_and_how_it_is_cancelled_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    calls = OneTask()

    await interrupted(calls, is_own=False)

    assert not calls.task.is_final
    assert f"`ymir cancel {calls.task.id}` stops it" in capsys.readouterr().err


async def test_a_task_that_runs_in_the_command_itself_is_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    calls = OneTask()

    await interrupted(calls, is_own=True)

    assert calls.task.is_final
    assert f"The task {calls.task.id} is cancelled." in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_work_tidy_up_and_is_the_exit_status(number: int, status: int) -> None:
    tidied: list[bool] = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(10)
        finally:
            tidied.append(True)
        return 0

    assert run(work()) == status
    assert tidied == [True]


def test_a_file_system_that_refuses_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        raise PermissionError(13, "Permission denied", "/data/lock")

    assert run(work()) == 1
    assert capsys.readouterr().err == "/data/lock: Permission denied.\n"


def test_a_reader_that_left_ends_a_command_without_a_word() -> None:
    program = [
        sys.executable,
        "-c",
        "import sys; from client.commands import main; sys.exit(main(['completion', 'zsh']))",
    ]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        command.stdout.close()
        assert command.stderr is not None
        said = command.stderr.read()

    assert command.returncode == 128 + signal.SIGPIPE
    assert said == b""


def test_without_a_terminal_a_line_is_said_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from client.ymir.progress import LINE_SECONDS, Lines  # noqa: PLC0415 - its clock is replaced

    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lines = Lines()
    for second in range(12):
        now[0] = float(second)
        lines.show("import", second / 20, "storing")

    assert LINE_SECONDS == 5.0
    assert capsys.readouterr().err == "import 25% storing\nimport 50% storing\n"
