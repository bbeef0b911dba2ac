"""The log of a run while it grows: its end, within seconds, and nothing afterwards."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.live_logs import LiveLog
from schemas.tasks import Task
from storage.ports import Documents
from storage.sqlite import open_database
from tests.factories import NOON, a_task
from tests.faults.waiting import until
from workers.executors import live_log
from workers.executors.live_log import TAIL_BYTES, forget_live, kept_live

SEEN_SECONDS = 2.0
TASK = a_task().claimed(by="worker", at=NOON)


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[Documents[LiveLog]]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield database.documents(LiveLog)


async def seen(logs: Documents[LiveLog], text: str, *, task: Task = TASK) -> LiveLog:
    async def look() -> LiveLog | None:
        return next((kept for kept in await logs.get_many([task.id]) if text in kept.text), None)

    return await until(look, seconds=SEEN_SECONDS)


async def test_what_is_printed_is_seen_within_two_seconds(logs: Documents[LiveLog], tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with kept_live(path, TASK, logs=logs, now=lambda: NOON):
        path.write_bytes(b"one\n")
        assert (await seen(logs, "one")).shown() == "one\n"
        path.write_bytes(b"one\ntwo\n")
        assert (await seen(logs, "two")).shown() == "one\ntwo\n"


async def test_of_a_long_log_the_end_is_kept_and_how_much_is_missing(logs: Documents[LiveLog], tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 1_000 + b"\0\xff" + b"y" * TAIL_BYTES)

    async with kept_live(tmp_path / "log", TASK, logs=logs, now=lambda: NOON):
        kept = await seen(logs, "y")

    assert kept.shown() == "[... 1002 bytes before ...]\n" + "y" * TAIL_BYTES


async def test_an_attempt_that_lost_its_task_shows_nothing_more(
    logs: Documents[LiveLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_log, "LOOK_SECONDS", 0.05)
    later = TASK.orphaned(at=NOON).claimed(by="another", at=NOON)
    (tmp_path / "later").write_bytes(b"of the later attempt")
    async with kept_live(tmp_path / "later", later, logs=logs, now=lambda: NOON):
        await seen(logs, "of the later")
    (tmp_path / "earlier").write_bytes(b"of the earlier attempt")

    async with kept_live(tmp_path / "earlier", TASK, logs=logs, now=lambda: NOON):
        with pytest.raises(TimeoutError):
            await seen(logs, "of the earlier")
    await forget_live(TASK, logs=logs)
    assert await logs.count() == 1

    await forget_live(later, logs=logs)
    assert await logs.count() == 0


@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_what_is_no_file_is_not_read(
    logs: Documents[LiveLog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(live_log, "LOOK_SECONDS", 0.05)
    (tmp_path / "secret").write_text("of the host")
    if kind == "link":
        (tmp_path / "log").symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(tmp_path / "log")

    async with kept_live(tmp_path / "log", TASK, logs=logs, now=lambda: NOON):
        with pytest.raises(TimeoutError):
            await seen(logs, "")
