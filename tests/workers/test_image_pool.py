"""Calls in the processes of the image pool."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from tests.workers.loop_world import FIFO, comes
from workers.image_pool import open_pool


def doubled(number: int) -> int:
    return 2 * number


def broken(message: str) -> None:
    raise ValueError(message)


def dies(code: int) -> None:
    os._exit(code)


def slow(folder: str) -> None:
    Path(folder, FIFO).open("w").close()
    time.sleep(0.5)
    Path(folder, "ended").touch()


async def test_a_call_has_the_answer_or_the_error_of_its_function() -> None:
    async with open_pool(processes=1) as pool:
        assert await pool.call(doubled, 21) == 42
        with pytest.raises(ValueError, match="so"):
            await pool.call(broken, "so")


async def test_a_process_that_dies_is_unavailable_and_the_next_call_has_another() -> None:
    async with open_pool(processes=1) as pool:
        with pytest.raises(Unavailable):
            await pool.call(dies, 3)
        assert await pool.call(doubled, 21) == 42


async def test_whoever_is_cancelled_waits_for_what_runs_already(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FIFO)
    async with open_pool(processes=1) as pool:
        job = asyncio.create_task(pool.call(slow, str(tmp_path)))
        await comes(tmp_path / FIFO)

        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

        assert (tmp_path / "ended").exists()
