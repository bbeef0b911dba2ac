"""Waiting for a task: what is shown meanwhile, what it came to, and what an interruption does."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from client.api import Client, at
from client.calls import Refused
from client.reach import Reached
from client.ymir.ending import FAILED, NO_OPTIONS, say
from client.ymir.progress import Display, bytes_shown, displayed
from client.ymir.results import project_name, results
from client.ymir.telling import tell
from client.ymir.wording import worded
from schemas.errors import YmirError
from schemas.labeling import JobStatus
from schemas.task_states import TaskState
from schemas.tasks import Task

CANCEL_SECONDS: Final = 15.0


async def followed(reached: Reached, task: Task, given: Namespace) -> int:
    """Wait for the end of a task, unless told not to; say what it came to, and return the exit status.

    A task that waits for people is left to them. When this is interrupted, a task of a service goes on; one that
    runs in this process is cancelled, since nobody would run it.
    """
    client = reached.client
    if given.no_wait and not reached.is_own:
        tell(task.model_dump_json() if given.json else task.id)
        return 0
    if given.no_wait:
        say("No service runs on the folder: the task is done here and now.")
    try:
        with displayed() as display:
            task = await _waited(client, task, display)
            if (to := getattr(given, "to", None)) is not None and task.result.archive is not None:
                await fetched(client, task, to, display)
    except asyncio.CancelledError:
        await _interrupted(reached, task)
        raise
    return await _ended(client, task, given)


async def fetched(client: Client, task: Task, to: Path, display: Display) -> None:
    """Save the archive of a task as a file."""
    path = at("tasks", task.id, "archive")
    await client.save(path, to, seen=lambda done, of: bytes_shown(display, to.name, done, of))


async def _waited(client: Client, task: Task, display: Display) -> Task:
    async for now in client.looks(task):
        task = now
        display.show(task.parameters.type, task.progress.fraction, _told(task))
        if task.state is TaskState.WAITING:
            break
    return task


def _told(task: Task) -> str:
    if task.state is TaskState.QUEUED and task.waiting_for:
        return f"queued for {task.waiting_for}"
    return task.progress.phase or ("" if task.state is TaskState.RUNNING else str(task.state))


async def _interrupted(reached: Reached, task: Task) -> None:
    if not reached.is_own:
        say(f"The task goes on. `ymir watch {task.id}` follows it, `ymir cancel {task.id}` stops it.")
        return
    say("Cancelling the task; interrupt again to leave at once.")
    client = reached.client
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            task = await client.post(Task, at("tasks", task.id, "cancel"))
            async for now in client.looks(task):
                task = now
    except (YmirError, TimeoutError):  # also where it has just ended by itself
        with suppress(YmirError):
            task = await client.get(Task, at("tasks", task.id))
    going_on = "" if task.is_final else f" and could not be cancelled; `ymir watch {task.id}` goes on with it"
    say(f"The task {task.id} is {task.state}{going_on}.")


async def _ended(client: Client, task: Task, given: Namespace) -> int:
    for warning in task.warnings:
        say(f"warning: {warning}")
    if given.json:
        tell(task.model_dump_json())
    if task.problem is not None or task.state is TaskState.CANCELLED:
        told = str(Refused(task.problem)) if task.problem else f"The task {task.id} was cancelled."
        say(worded(told, getattr(given, "options", NO_OPTIONS)))
        _say_report(task)
        return FAILED
    if task.state is TaskState.WAITING:
        say(f"The task {task.id} waits for {task.waiting_for or 'an answer'}. {await _how_to_answer(client, task)}")
    if not given.json:
        lines = await results(client, task, fetched_to=getattr(given, "to", None))
        for line in [*lines, *_summary(task.result.summary)] or [f"{task.id} is {task.state}"]:
            tell(line)
        _say_report(task)
    return 0


async def _how_to_answer(client: Client, task: Task) -> str:
    if task.result.conflicts is not None:
        return f"`ymir conflicts {task.id}` lists them, `ymir resolve {task.id} 0=ours 1=theirs` settles them."
    if task.result.labeling is not None:
        project, job = await project_name(client, task), task.result.labeling
        found = (await client.get(JobStatus, at("projects", project, "labeling", job))).job
        there = f"It is labeled at {found.tool_address}. " if found.tool_address else ""
        return (
            f"{there}`ymir labeling show {job} -p {project}` shows how far it is and `ymir labeling items` what is to "
            f"be labeled; `ymir labeling close` ends it, and `ymir watch {task.id}` goes on with what is labeled."
        )
    return f"`ymir watch {task.id}` says when it goes on."


def _say_report(task: Task) -> None:
    if task.report is not None and (task.warnings or task.problem is not None or task.result.conflicts is not None):
        say(f"All findings: `ymir task report {task.id}`.")


def _summary(summary: dict[str, JsonValue]) -> Sequence[str]:
    return [f"  {name.replace('_', ' ')}: {_shown(value)}" for name, value in summary.items() if value]


def _shown(value: JsonValue) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and all(isinstance(part, int | str) for part in value.values()):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items())
    return value if isinstance(value, str) else to_json(value).decode()
