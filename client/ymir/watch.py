"""``ymir watch``: what happens, as it happens."""

from argparse import ArgumentParser, Namespace
from typing import Final

from client.api import at
from client.reach import Reached, is_unattended, reached
from client.ymir.ending import run, say
from client.ymir.reaching import add_common, project_of, reading, target
from client.ymir.telling import tell
from client.ymir.waiting import followed
from schemas.events import LoggedEvent
from schemas.task_states import TaskState
from schemas.tasks import Task

UNDER_WAY: Final = frozenset({TaskState.QUEUED, TaskState.RUNNING})


def add_watch(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir watch``."""
    parser.add_argument("task", metavar="TASK", nargs="?", help="a task, until it ends; else all that happens")
    parser.add_argument("--after", type=int, metavar="N", help="begin after the event at a position; 0 for the first")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_watch(given)), no_wait=False)


async def _watch(given: Namespace) -> int:
    if given.task is not None:
        return await _task(given)
    async with reading(given) as client:
        query = {"project": await project_of(client, given)} if given.project else {}
        async for logged in client.events(given.after, query=query):
            tell(logged.model_dump_json() if given.json else _line(logged), at_once=True)
    return 0


async def _task(given: Namespace) -> int:
    """Follow a task to its end, or until people are to answer; do it here if a killed command left it in a folder."""
    async with reading(given) as client:
        task = await client.get(Task, at("tasks", given.task))
        if task.state not in UNDER_WAY or not await is_unattended(target(given)):
            return await followed(Reached(client, is_own=False), task, given)
    async with reached(target(given)) as found:
        if found.is_own:
            say("No service runs on the folder: the task is done here and now.")
        return await followed(found, task, given)


def _line(logged: LoggedEvent) -> str:
    event = logged.event
    told = [f"{name} {event.data[name]}" for name in ("dataset", "number", "phase") if event.data.get(name)]
    fraction = event.data.get("fraction")
    share = f"{fraction:.0%}" if isinstance(fraction, float) else ""
    kind = str(event.data.get("type", ""))
    name = event.type.removeprefix("ymir.")
    return " ".join(part for part in (f"{event.time:%H:%M:%S}", name, event.subject, kind, share, *told) if part)
