"""``ymir watch``: what happens, as it happens."""

from argparse import ArgumentParser, Namespace
from typing import Final

from client.api import Client, at
from client.calls import Refused
from client.reach import is_unattended, reached
from client.ymir.ending import FAILED, run, say
from client.ymir.progress import displayed
from client.ymir.reaching import add_common, project_of, reading, target
from client.ymir.results import results
from client.ymir.telling import tell
from client.ymir.waiting import followed
from schemas.events import LoggedEvent
from schemas.tasks import Task, TaskState

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
    """Follow a task to its end; do it here if it was left in a folder by a command that was killed."""
    async with reading(given) as client:
        task = await client.get(Task, at("tasks", given.task))
        if task.state not in UNDER_WAY or not await is_unattended(target(given)):
            return await _followed(client, task, given)
    async with reached(target(given)) as found:
        if found.is_own:
            say("No service runs on the folder: the task is done here and now.")
        return await followed(found, task, given)


async def _followed(client: Client, task: Task, given: Namespace) -> int:
    with displayed() as display:
        async for now in client.looks(task):
            task = now
            display.show(task.parameters.type, task.progress.fraction, task.progress.phase or str(task.state))
    if given.json:
        tell(task.model_dump_json())
    if task.state is not TaskState.SUCCEEDED:
        say(str(Refused(task.problem)) if task.problem else f"The task {task.id} was cancelled.")
        return FAILED
    if not given.json:
        tell("\n".join(await results(client, task)) or f"{task.id} has succeeded")
    return 0


def _line(logged: LoggedEvent) -> str:
    event = logged.event
    told = [f"{name} {event.data[name]}" for name in ("dataset", "number", "phase") if event.data.get(name)]
    fraction = event.data.get("fraction")
    share = f"{fraction:.0%}" if isinstance(fraction, float) else ""
    kind = str(event.data.get("type", ""))
    name = event.type.removeprefix("ymir.")
    return " ".join(part for part in (f"{event.time:%H:%M:%S}", name, event.subject, kind, share, *told) if part)
