"""``ymir task log``: what the executor of a task wrote, also while it still writes."""

import asyncio
import re
from argparse import ArgumentParser, Namespace
from http import HTTPStatus
from typing import Final

from client.api import Client, at
from client.calls import Refused
from client.ymir.ending import FAILED, run
from client.ymir.reaching import add_common, reading
from client.ymir.telling import tell
from schemas.task_states import TaskState
from schemas.tasks import Task

LOOK_SECONDS: Final = 1.0
# Above the end of a long log that is still written.
_LEFT_OUT: Final = re.compile(rb"\[\.\.\. (\d+) bytes before \.\.\.\]\n")


def add_log(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir task log``."""
    parser.add_argument("task", metavar="TASK", help="the id of a task; `ymir tasks` lists them")
    told = "go on with what comes, until the task ends; fail if it does"
    parser.add_argument("-f", "--follow", action="store_true", help=told)
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_follow(given) if given.follow else _log(given)))


async def _log(given: Namespace) -> int:
    async with reading(given) as client:
        log = await client.read(at("tasks", given.task, "log"))
    tell(log.decode(errors="replace").rstrip("\n"))
    return 0


async def _follow(given: Namespace) -> int:
    async with reading(given) as client:
        seen = 0
        while True:
            # Looked at first, so that nothing is missed of what is written as it ends.
            task = await client.get(Task, at("tasks", given.task))
            text, seen = news(await _so_far(client, task), seen)
            # A line that is not whole yet is said with its rest.
            whole = len(text) if task.is_final else text.rfind(b"\n") + 1
            seen -= len(text) - whole
            if whole:
                tell(text[:whole].decode(errors="replace").rstrip("\n"), at_once=True)
            if task.is_final:
                return 0 if task.state is TaskState.SUCCEEDED else FAILED
            await asyncio.sleep(LOOK_SECONDS)


async def _so_far(client: Client, task: Task) -> bytes:
    try:
        return await client.read(at("tasks", task.id, "log"))
    except Refused as refused:
        if refused.problem.status != HTTPStatus.NOT_FOUND:
            raise
        return b""


def news(log: bytes, seen: int) -> tuple[bytes, int]:
    """Return what of a log comes after ``seen`` bytes of it, and how many have been seen then.

    A log that is shorter than that is one of another attempt, and new as a whole.
    """
    start = 0
    if (head := _LEFT_OUT.match(log)) is not None:
        start, log = int(head[1]), log[head.end() :]
    end = start + len(log)
    if end < seen:
        seen = 0
    return log[max(seen - start, 0) :], end
