"""Commands about one model: its stages, where it comes from, its package."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from client.api import Client, at
from client.ymir.ending import run, say
from client.ymir.progress import bytes_shown, displayed
from client.ymir.reaching import add_common, changing, project_of, reading
from client.ymir.telling import table, tell
from schemas.models import Model, ModelChange

SAVED: Final = ("package", "file", "tensorboard")
"""The commands that fetch something, by the last part of its address."""


def add_model(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of a command about one model."""
    parser.add_argument("model", metavar="MODEL", help="the id of a model; `ymir models` lists them")
    if command == "recommend":
        parser.add_argument("stage", metavar="STAGE", help="the name of one of its stages")
    if command == "describe":
        parser.add_argument("description", metavar="TEXT", help="what is worth knowing of it")
    if command == "file":
        parser.add_argument("path", metavar="PATH", help="`STAGE/FILE`, or an attachment: `ymir model show` lists them")
    if command in SAVED:
        parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="where it goes")
    if command == "scalars":
        told = "only the values of this tag; may be repeated; without it the tags are listed with their last values"
        parser.add_argument("--tag", action="append", default=[], metavar="TAG", help=told)
    add_common(parser)
    work = {
        "show": _show,
        "recommend": _recommend,
        "describe": _describe,
        "lineage": _lineage,
        "scalars": _scalars,
        **dict.fromkeys(SAVED, _save),
        "hide": _hide,
    }[command]
    parser.set_defaults(run=lambda given: run(work(given)), run_as=command)


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        model = await client.get(Model, await _path(client, given))
    _tell(model, given)
    return 0


async def _recommend(given: Namespace) -> int:
    return await _changed(ModelChange(recommended_stage=given.stage), given)


async def _describe(given: Namespace) -> int:
    return await _changed(ModelChange.model_construct(description=given.description), given)


async def _changed(change: ModelChange, given: Namespace) -> int:
    async with changing(given) as client:
        model = await client.patch(Model, await _path(client, given), change)
    _tell(model, given)
    return 0


async def _hide(given: Namespace) -> int:
    async with changing(given) as client:
        path = await _path(client, given)
        answer = await client.calls.answer("DELETE", path)
    for holder in json.loads(answer or b"{}").get("items", ()):
        say(f"needed by {holder['kind']} {holder['name']} ({holder['id']}): {holder['why']}")
    tell(f"{given.model} is hidden; `ymir api patch {path} '{{\"removed\": false}}'` shows it again")
    return 0


async def _save(given: Namespace) -> int:
    last = given.run_as
    query = f"?path={quote(given.path, safe='')}" if last == "file" else ""
    async with reading(given) as client:
        path = await _path(client, given)
        with displayed() as display:
            await client.save(f"{path}/{last}{query}", given.to, seen=partial(bytes_shown, display, given.to.name))
    tell(str(given.to))
    return 0


async def _lineage(given: Namespace) -> int:
    async with reading(given) as client:
        answer = await client.read(f"{await _path(client, given)}/lineage")
    if given.json:
        tell(answer.decode())
    else:
        for line in _lineage_lines(json.loads(answer)):
            tell(line)
    return 0


async def _scalars(given: Namespace) -> int:
    async with reading(given) as client:
        answer = await client.read(f"{await _path(client, given)}/scalars", tag=given.tag)
    if given.json:
        tell(answer.decode())
        return 0
    series: dict[str, list[dict[str, Any]]] = json.loads(answer).get("series", {})
    shown = [(tag, point) for tag, points in series.items() for point in (points if given.tag else points[-1:])]
    table(("tag", "step", "value"), [(tag, str(point["step"]), _figure(point["value"])) for tag, point in shown])
    return 0


async def _path(client: Client, given: Namespace) -> str:
    return at("projects", await project_of(client, given), "models", given.model)


def _tell(model: Model, given: Namespace) -> None:
    if given.json:
        tell(model.model_dump_json())
        return
    tell(f"model {model.id}: {model.name}, of {model.executor}, {model.created_at:%Y-%m-%d %H:%M} UTC")
    told = {
        "description": model.description,
        "classes": ", ".join(model.classes),
        "object type": str(model.object_type),
        "attachments": ", ".join(model.attachments),
        "preprocess": "" if model.preprocess is None else _preprocessed(model.preprocess.model_dump()),
        "pretrained": "" if model.pretrained is None else model.pretrained.id,
        "task": model.task,
    }
    for name, value in told.items():
        if value:
            tell(f"  {name}: {value}")
    table(("  stage", "", "measured", "files"), list(_stage_rows(model)))


def _stage_rows(model: Model) -> Iterator[tuple[str, str, str, str]]:
    for stage in model.stages:
        marks = {"best": model.best_stage, "recommended": model.recommended_stage}
        told = ", ".join(mark for mark, name in marks.items() if name == stage.name)
        measured = ", ".join(f"{name} {value:.3f}" for name, value in stage.metrics.items())
        yield f"  {stage.name}", told, measured, " ".join(stage.files)


def _lineage_lines(lineage: dict[str, Any]) -> Iterator[str]:
    model = lineage["model"]
    yield f"model {model['id']}: {model['name']}"
    executor = lineage["executor"]
    yield f"  executor: {executor['name']} {executor['digest'] or ''}".rstrip()
    for version in lineage["learned_from"]:
        name = f"{version['dataset']}@{version['number']}" if version["dataset"] else f"{version['ref']} (gone)"
        yield f"  {version['use']} on {name}: {version['digest'] or 'unknown'}"
    if lineage["preprocess"]:
        yield f"  preprocess: {_preprocessed(lineage['preprocess'])}"
    for ancestor in lineage["ancestors"]:
        yield f"  trained on from model {ancestor['id']}: {ancestor['name']}"
    if lineage["is_cut"]:
        yield "  older ancestors are left out; ask for the lineage of the last one here"
    for name, value in sorted(lineage["configuration"].items()):
        yield f"  {name}: {json.dumps(value, ensure_ascii=False)}"


def _preprocessed(how: dict[str, Any]) -> str:
    enlarged = ", smaller ones enlarged" if how.get("enlarge") else ""
    return f"long side {how['long_side']} pixels{enlarged}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
