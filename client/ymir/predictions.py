"""``ymir infer`` and ``ymir task predictions``: what a model finds on a version, or on pictures of this machine."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from client.api import Client, at
from client.reach import reached
from client.ymir import tasks
from client.ymir.ending import FAILED, run
from client.ymir.options import parameters_of
from client.ymir.progress import displayed
from client.ymir.reaching import add_common, project_of, reading, target
from client.ymir.sending import sent
from client.ymir.telling import tell
from client.ymir.waiting import followed
from schemas.errors import Invalid
from schemas.predictions import PredictedPicture
from schemas.task_states import TaskState
from schemas.tasks import Task

FORMATS: Final = ("jpeg", "png")
SUFFIXES: Final = {"jpeg": ".jpg", "png": ".png"}


def add_infer(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of ``ymir infer``."""
    tasks.add(parser, command)
    told = "predict on these pictures, folders or archives of pictures, instead of SOURCE; they come into no dataset"
    parser.add_argument("--picture", nargs="+", action="extend", type=Path, default=[], metavar="FILE", help=told)
    _add_drawing(parser)
    parser.set_defaults(run=_run_infer, drawn_from=0.0)


def add_predictions(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir task predictions``."""
    parser.add_argument("task", metavar="TASK", help="the id of an inference on pictures")
    told = "only what is at least so sure, from 0 to 1"
    parser.add_argument("--confidence", type=float, default=0.0, metavar="CONFIDENCE", dest="drawn_from", help=told)
    _add_drawing(parser)
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_predictions(given)))


def _add_drawing(parser: ArgumentParser) -> None:
    parser.add_argument("--draw", type=Path, metavar="DIR", help="write the pictures with what was found into a folder")
    told = "how they are written (jpeg)"
    parser.add_argument("--draw-as", choices=FORMATS, default="jpeg", metavar="|".join(FORMATS), help=told)


def _run_infer(given: Namespace) -> int:
    return run(_infer({"type": "infer", **parameters_of(given)}, given), options=given.options)


async def _infer(parameters: dict[str, Any], given: Namespace) -> int:
    if missing := [path for path in given.picture if not path.exists()]:
        raise Invalid(f"There is nothing at {missing[0]}.", step="Correct the path.")
    if given.draw is not None and not (given.picture or parameters.get("uploads")):
        step = "Leave it out; thumbnails of a version show its predictions."
        raise Invalid("--draw is for pictures, and none is named.", step=step)
    async with reached(target(given)) as found:
        project = await project_of(found.client, given)
        if given.picture:
            uploads = [(await sent(found.client, path)).id for path in given.picture]
            parameters["uploads"] = [*parameters.get("uploads", ()), *uploads]
        task = await found.client.submit(project, parameters)
        status = await followed(found, task, given)
        task = await found.client.get(Task, at("tasks", task.id))
        if task.state is TaskState.SUCCEEDED and task.result.predictions is not None:
            await _told(found.client, task, given)
        return status


async def _predictions(given: Namespace) -> int:
    async with reading(given) as client:
        task = await client.get(Task, at("tasks", given.task))
        await _told(client, task, given)
    return FAILED if task.problem is not None else 0


async def _told(client: Client, task: Task, given: Namespace) -> None:
    """Say what was found on each picture, and write the pictures with that if a folder is named."""
    path = at("tasks", task.id, "predictions")
    found = [one async for one in client.items(PredictedPicture, path, confidence=str(given.drawn_from))]
    found.sort(key=lambda picture: picture.file_name)
    for picture in found:
        for line in [picture.model_dump_json()] if given.json else _lines(picture):
            tell(line)
    if given.draw is not None:
        await _draw(client, task, found, given)


def _lines(picture: PredictedPicture) -> Sequence[str]:
    """Return a line for each thing found: picture, class, confidence, and where: its box, or how it is turned."""
    lines = []
    for one in sorted(picture.annotations, key=lambda one: -(one.confidence or 0.0)):
        place = ""
        if one.box is not None:
            place = f"{one.box.x:.0f},{one.box.y:.0f} {one.box.width:.0f}x{one.box.height:.0f}"
        turn = f" turned {one.rotation:.2f}" if one.rotation else ""
        lines.append(f"{picture.file_name}  {one.class_name}  {one.confidence or 0.0:.2f}  {place}{turn}".rstrip())
    return lines or [f"{picture.file_name}  nothing found"]


async def _draw(client: Client, task: Task, found: Sequence[PredictedPicture], given: Namespace) -> None:
    folder: Path = given.draw
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with displayed() as display:
        for number, picture in enumerate(found):
            display.show("drawing", number / len(found), picture.file_name)
            to = await asyncio.to_thread(_place, folder, picture, SUFFIXES[given.draw_as])
            query = f"format={given.draw_as}&confidence={given.drawn_from}"
            await client.save(f"{at('tasks', task.id, 'pictures', picture.asset, 'drawn')}?{query}", to)
    tell(f"drawn into {folder}")


def _place(folder: Path, picture: PredictedPicture, suffix: str) -> Path:
    """Return where a drawn picture goes, under its own name; its folder is there then."""
    name = picture.file_name if picture.file_name.lower().endswith(suffix) else f"{picture.file_name}{suffix}"
    to = folder / name
    if not to.resolve().is_relative_to(folder.resolve()):
        to = folder / f"{picture.asset}{suffix}"
    to.parent.mkdir(parents=True, exist_ok=True)
    return to
