"""Commands about labeling jobs: what people are asked for, how far they are, and when that is enough."""

from argparse import ArgumentParser, Namespace

from client.api import Client, at
from client.ymir.ending import run, say
from client.ymir.reaching import add_common, changing, project_of, reading
from client.ymir.telling import tell, tell_all
from schemas.counts import counted
from schemas.labeling import ItemState, ItemView, JobState, JobStatus, LabelingJob


def add_list(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir labeling list``."""
    states = [str(state) for state in JobState]
    parser.add_argument("--state", choices=states, help="only those in a state")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_one(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of a command about one job."""
    parser.add_argument("id", metavar="ID", help="as ymir labeling list says it")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(ONE[name](given)))


def add_items(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of ``ymir labeling items``."""
    states = [str(state) for state in ItemState]
    parser.add_argument("--state", choices=states, help="only those in a state")
    add_one(parser, name)


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "labeling")
        query = {"state": given.state} if given.state else {}
        found = [job async for job in client.items(LabelingJob, path, **query)]
    rows = [
        (job.id, job.tool, str(job.state), counted(job.items, "image"), ", ".join(job.classes), job.tool_address)
        for job in found
    ]
    tell_all(given, ("id", "tool", "state", "images", "classes", "where"), zip(found, rows, strict=True))
    return 0


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        _tell(given, await client.get(JobStatus, await _path(client, given)))
    return 0


async def _items(given: Namespace) -> int:
    async with reading(given) as client:
        query = {"state": given.state} if given.state else {}
        found = [item async for item in client.items(ItemView, f"{await _path(client, given)}/items", **query)]
    rows = [
        (item.file_name or item.asset[:12], str(item.state), str(len(item.annotations)), item.author or item.refused)
        for item in found
    ]
    tell_all(given, ("image", "state", "annotations", "by, or what is wrong"), zip(found, rows, strict=True))
    return 0


async def _close(given: Namespace) -> int:
    async with changing(given) as client:
        status = await client.post(JobStatus, f"{await _path(client, given)}/close")
    _tell(given, status)
    say(f"Its task makes a version of what was answered: `ymir watch {status.job.task}`.")
    return 0


async def _path(client: Client, given: Namespace) -> str:
    return at("projects", await project_of(client, given), "labeling", given.id)


def _tell(given: Namespace, status: JobStatus) -> None:
    if given.json:
        tell(status.model_dump_json())
        return
    job = status.job
    where = f" at {job.tool_address}" if job.tool_address else ""
    tell(f"job {job.id}: {job.state}, in {job.tool}{where}")
    tell(f"{status.labeled:,} labeled, {status.skipped:,} skipped, {status.open:,} open; task {job.task}")


ONE = {"show": _show, "close": _close, "items": _items}
