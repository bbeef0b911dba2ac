"""Commands about the conflicts of a merge: what both sides changed differently, and the answers."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from client.api import at
from client.reach import reached
from client.ymir.ending import run, say
from client.ymir.reaching import add_common, reading, target
from client.ymir.tasks import add_waiting
from client.ymir.telling import tell_all
from client.ymir.waiting import followed
from schemas.annotations import Annotation
from schemas.conflicts import Conflict, ConflictStatus, Take
from schemas.counts import counted
from schemas.errors import Invalid
from schemas.tasks import Task

TAKES = tuple(str(take) for take in Take)


def add_conflicts(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir conflicts``."""
    parser.add_argument("task", metavar="TASK", help="the id of a merge that waits for answers")
    parser.add_argument("--open", action="store_true", help="only those that are not answered")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_conflicts(given)))


def add_resolve(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir resolve``."""
    parser.add_argument("task", metavar="TASK", help="the id of a merge that waits for answers")
    told = f"the number of a conflict, and what settles it: {', '.join(TAKES)}"
    parser.add_argument("answers", metavar="NUMBER=TAKE", nargs="*", type=_answer, help=told)
    parser.add_argument("--all", choices=TAKES, metavar="TAKE", help="what settles all that are open")
    add_waiting(parser)
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_resolve(given)))


def _answer(text: str) -> dict[str, Any]:
    number, _, take = text.partition("=")
    if not number.isdecimal() or take not in TAKES:
        raise ArgumentTypeError(f"{text!r} is not of the form NUMBER=TAKE, with {', '.join(TAKES)} to take")
    return {"number": int(number), "take": take}


async def _conflicts(given: Namespace) -> int:
    query = {"state": "open"} if given.open else {}
    async with reading(given) as client:
        found = [conflict async for conflict in client.items(Conflict, at("tasks", given.task, "conflicts"), **query)]
    rows = [
        (str(one.number), one.file_name or one.asset[:12], str(one.kind), *map(_told, (one.base, one.ours, one.theirs)))
        for one in found
    ]
    tell_all(given, ("number", "image", "kind", "base", "ours", "theirs"), zip(found, rows, strict=True))
    return 0


async def _resolve(given: Namespace) -> int:
    if not given.answers and given.all is None:
        raise Invalid("What settles the conflicts?", step="Give NUMBER=TAKE, or --all.")
    body = {"answers": given.answers, **({"all": given.all} if given.all else {})}
    async with reached(target(given)) as found:
        path = at("tasks", given.task)
        status = await found.client.post(ConflictStatus, f"{path}/conflicts/resolve", body)
        if status.open:
            of = counted(status.total, "conflict")
            say(f"Open are {status.open:,} of {of}: `ymir conflicts {given.task} --open`.")
            return 0
        return await followed(found, await found.client.get(Task, path), given)


def _told(annotation: Annotation | None) -> str:
    if annotation is None:
        return "-"
    box = annotation.box
    where = "" if box is None else f" {box.x:g},{box.y:g} {box.width:g}x{box.height:g}"
    return f"{annotation.class_name or ''}{where}".strip()
