"""``mir import``: images and annotations become a state of a branch."""

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Final, NamedTuple

from client.mir.codes import Code, MirError
from client.mir.folders import use_folders
from client.mir.repository import open_repository
from client.mir.running import Run, running, target
from client.mir.sources import scratch, source_of
from client.mir.staging import is_index, stage
from client.mir.telling import show, tell
from schemas.tasks import Task

TOLD: Final = 5
PREDICTIONS: Final = "prediction"
# What the type of annotations is called, and what of it is a format.
_OBJECTS: Final = ("det", "sem-seg", "ins-seg", "multi-modal", "no-annos")
_FORMATS: Final = {"voc": "voc", "coco": "coco", "none": "none"}
_DEFAULTS: Final = {"det": "voc", "sem-seg": "coco", "ins-seg": "coco", "multi-modal": "coco", "no-annos": "none"}
_SUFFIXES: Final = {"voc": ".xml", "coco": ".json", "none": ""}


class _Given(NamedTuple):
    """What is to be imported."""

    path: str
    truth: Path | None
    predictions: Path | None
    format: str | None


async def import_dataset(given: Namespace) -> None:
    """Import what an index file, a folder, an archive or a URL has."""
    wanted = _wanted(given)
    use_folders(open_repository(given.root), images=given.gen_dir)
    async with running(given, "import") as run:
        message = given.dataset_name or run.to.tid or ""
        parameters = {**target(run, f"import {message}"), "unknown_classes": _policy(given)}
        async with scratch(run.session) as folder:
            if wanted.predictions is None:
                task = await run.task(await _parameters(run, wanted, parameters, folder))
            else:
                task = await _with_predictions(run, wanted, parameters, folder)
            _tell_of(task)
        await run.made_version(task)


def _wanted(given: Namespace) -> _Given:
    """Return what is to be imported, in the words of either era; raise MirError."""
    path = given.index_file or given.asset_path
    if path is None:
        step = "Name the images: --index-file FILE, or --asset-path with a folder, archive, URL or index file."
        raise MirError(Code.INVALID_ARGS, "invalid arg: neither --index-file nor --asset-path", step=step)
    truth, predictions = given.annotation_dir or given.gt_dir, given.pred_dir
    form = _format(given)
    if given.index_file is None and not is_index(Path(path)):
        if truth is not None or predictions is not None:
            tell("--gt-dir and --pred-dir belong to an index file; folders and archives have their annotations inside")
        return _Given(path, None, None, form)
    if form is None:
        form = "none" if truth is None and predictions is None else "voc"
    if form == "none":
        truth = predictions = None
    return _Given(
        path, None if truth is None else Path(truth), None if predictions is None else Path(predictions), form
    )


def _format(given: Namespace) -> str | None:
    if given.anno_type is None:
        return None
    objects, _, form = given.anno_type.partition(":")
    if objects not in _OBJECTS or (form and form not in _FORMATS):
        step = f"Types are {', '.join(f'{one}:{_DEFAULTS[one]}' for one in _OBJECTS)}; det:coco too."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: --anno-type {given.anno_type}", step=step)
    return _FORMATS[form] if form else _DEFAULTS[objects]


def _policy(given: Namespace) -> str:
    if given.ignore_unknown_types:
        return "ignore"
    return given.unknown_types_strategy or "stop"


async def _parameters(
    run: Run, wanted: _Given, target: dict[str, str], folder: Path, *, predictions: bool = False
) -> dict[str, object]:
    """Return the parameters of an import, its files linked or sent."""
    parameters: dict[str, object] = {"type": "import", **target}
    parameters |= {"layer": PREDICTIONS} if predictions else {}
    if wanted.path.startswith(("http://", "https://")):
        source = {"url": wanted.path}
    else:
        source = await _local(run, wanted, folder, predictions=predictions)
    form = {} if wanted.format is None else {"format": wanted.format}
    return {**parameters, **form, "source": source}


async def _local(run: Run, wanted: _Given, folder: Path, *, predictions: bool) -> dict[str, str]:
    path = Path(wanted.path).expanduser().absolute()
    if not path.exists():
        raise MirError(Code.INVALID_FILE, f"there is nothing at {path}", step="Correct the path.")
    if wanted.format is not None and is_index(path):
        annotations = wanted.predictions if predictions else wanted.truth
        into = folder / ("predictions" if predictions else "files")
        suffix = _SUFFIXES[wanted.format]
        staged = await asyncio.to_thread(stage, path, into, annotations=annotations, suffix=suffix)
        if staged.left_out:
            tell(f"warning: {len(staged.left_out)} lines of {path} are left out")
            for line in staged.left_out[:TOLD]:
                tell(f"  {line}")
        path = into
    return await source_of(run.session, path)


async def _with_predictions(run: Run, wanted: _Given, target: dict[str, str], folder: Path) -> Task:
    """Import the ground truth, then the predictions beside it, and unite the two."""
    apart = {"dataset": f"{run.to.branch}-{PREDICTIONS}"[:100], "message": target["message"]}
    shared = {"unknown_classes": target["unknown_classes"]}
    base = {"dataset": target["dataset"], "message": target["message"], **shared}
    truth = await run.task(await _parameters(run, wanted, base, folder), share=(0.0, 0.5))
    asked = await _parameters(run, wanted, {**apart, **shared}, folder, predictions=True)
    found = await run.task(asked, share=(0.5, 0.9))
    sources = [{"ref": f"{task.result.dataset}@{task.result.number}"} for task in (truth, found)]
    kept = {name: target[name] for name in ("dataset", "tag", "message")}
    united = await run.task({"type": "merge", **kept, "sources": sources, "strategy": "host"}, share=(0.9, 1.0))
    await run.session.hide(apart["dataset"])
    return united.model_copy(update={"result": united.result.model_copy(update={"summary": truth.result.summary})})


def _tell_of(task: Task) -> None:
    summary = task.result.summary
    names = ("images", "annotated", "annotations", "skipped", "duplicates")
    counts = ", ".join(f"{name}: {summary[name]}" for name in names if name in summary)
    show(f"imported as {summary.get('format')}: {counts}")
    if unknown := summary.get("unknown_classes"):
        show(f"unknown classes: {unknown}")
