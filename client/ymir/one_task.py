"""Commands about one task: ask for any, show it, read what it wrote, cancel it, try it again."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from client.api import at
from client.reach import reached
from client.ymir.ending import run
from client.ymir.given_json import object_of
from client.ymir.progress import displayed
from client.ymir.reaching import add_common, reading, target
from client.ymir.tasks import add_waiting, done
from client.ymir.telling import tell
from client.ymir.waiting import fetched, followed
from schemas.reports import Report
from schemas.tasks import Task


def add_submit(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir task submit``."""
    told = 'the parameters, such as {"type": "sample", "source": "train", "count": 10, "dataset": "few"}; - reads them'
    parser.add_argument("parameters", metavar="JSON", help=told)
    add_waiting(parser)
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_submit(given)), on_server=True)


def add_one(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of a command about one task that there is."""
    parser.add_argument("task", metavar="TASK", help="the id of a task; `ymir tasks` lists them")
    if command == "archive":
        parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="where the archive goes")
    if command == "retry":
        add_waiting(parser)
    add_common(parser, project=False)
    work = {
        "show": _show,
        "report": _report,
        "archive": _archive,
        "cancel": _cancel,
        "retry": _retry,
    }[command]
    parser.set_defaults(run=lambda given: run(work(given)))


async def _submit(given: Namespace) -> int:
    return await done(object_of(given.parameters), given)


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        task = await client.get(Task, at("tasks", given.task))
    if given.json:
        tell(task.model_dump_json())
        return 0
    shown = task.model_dump(mode="json", exclude_defaults=True)
    # The type is a default of its parameters, and says which they are.
    shown["parameters"] = {"type": task.parameters.type, **shown["parameters"]}
    tell(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


async def _report(given: Namespace) -> int:
    async with reading(given) as client:
        report = await client.get(Report, at("tasks", given.task, "report"))
    if given.json:
        tell(report.model_dump_json())
        return 0
    for finding in report.findings:
        tell(f"{finding.kind + ': ' if finding.kind else ''}{finding.subject}: {finding.detail}")
    return 0


async def _archive(given: Namespace) -> int:
    async with reading(given) as client:
        task = await client.get(Task, at("tasks", given.task))
        with displayed() as display:
            await fetched(client, task, given.to, display)
    tell(str(given.to))
    return 0


async def _cancel(given: Namespace) -> int:
    async with reading(given) as client:
        task = await client.post(Task, at("tasks", given.task, "cancel"))
    if given.json:
        tell(task.model_dump_json())
    else:
        tell(f"{task.id} is {task.state}" if task.is_final else f"{task.id} is to stop, which takes some seconds")
    return 0


async def _retry(given: Namespace) -> int:
    async with reached(target(given)) as found:
        task = await found.client.post(Task, at("tasks", given.task, "retry"))
        return await followed(found, task, given)
