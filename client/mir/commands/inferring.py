"""``mir infer``: a model looks at images, and what it found is a file."""

import asyncio
import hashlib
import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from client.mir.assets import assets_of
from client.mir.codes import Code, MirError
from client.mir.configuration import read_configuration
from client.mir.executors import asked, executor_named
from client.mir.folders import use_folders
from client.mir.logs import save_log, write_configuration
from client.mir.models import model_named
from client.mir.monitor import State, WorkFolder
from client.mir.repository import open_repository
from client.mir.revs import Rev
from client.mir.running import Run
from client.mir.session import Session, working
from client.mir.sources import scratch, source_of
from client.mir.staging import ANNOTATIONS, IMAGES, stage
from client.mir.telling import show, tell
from schemas.datasets import Version
from schemas.executors import Purpose
from schemas.schema import new_id

PREDICTIONS: Final = "prediction"
RESULT: Final = "infer-result.json"


async def infer(given: Namespace) -> None:
    """Write ``out/infer-result.json`` in the work folder; no branch changes."""
    repository = open_repository(given.root)
    configuration = read_configuration(given.task_config_file)
    use_folders(repository, images=given.media_location, models=given.model_location)
    name = f"infer-{new_id()[:12]}"
    work = WorkFolder(Path(given.work_dir).expanduser().absolute(), name)
    work.start()
    write_configuration(work, configuration)
    async with working(repository, label_file=given.user_label_file) as session:
        run = Run(session, Rev(name), work)
        try:
            found = await _found(run, configuration, given)
        except MirError as error:
            work.tell(0.0, State.ERROR, error.code, error.message)
            await save_log(work, session, error.task)
            raise
    (work.made / RESULT).write_text(json.dumps({"detection": found}, ensure_ascii=False))
    work.tell(1.0, State.DONE)
    show(f"{work.made / RESULT}: {sum(len(one['boxes']) for one in found.values())} boxes on {len(found)} images")


async def _found(run: Run, configuration: dict[str, Any], given: Namespace) -> dict[str, Any]:
    session = run.session
    chosen = await model_named(session, given.model_hash)
    executor = await executor_named(session, given.executor)
    async with scratch(session) as folder:
        index = Path(given.index_file).expanduser().absolute()
        staged = await asyncio.to_thread(stage, index, folder / "files", annotations=None, suffix="")
        for line in staged.left_out:
            tell(f"warning: left out: {line}")
        names = await asyncio.to_thread(_names, folder / "files" / IMAGES)
        (folder / "files" / ANNOTATIONS).rmdir()
        source = await source_of(session, folder / "files")
        try:
            base: dict[str, Any] = {"dataset": run.to.branch, "message": "infer"}
            images = {"source": source, "format": "none"}
            imported = await run.task({"type": "import", **base, **images}, share=(0.0, 0.3))
            base |= {"source": f"{run.to.branch}@{imported.result.number}", "layer": PREDICTIONS}
            # As YMIR does: what the model calls by a name that nobody knows is in the result all the same.
            base |= {"model": chosen.parameters, "keep_other_classes": True}
            base |= asked(executor, configuration, purpose=Purpose.INFER)
            predicted = await run.task({"type": "infer", **base}, share=(0.3, 1.0))
            await save_log(run.work, session, predicted.id)
            return await _boxes(session, run.to.branch, predicted.result.number or 0, names)
        finally:
            if run.to.branch in await session.datasets():
                await session.hide(run.to.branch)


def _names(folder: Path) -> dict[str, list[str]]:
    """Return the names of images by the digest of their bytes; raise MirError if two differ and have one name."""
    names: dict[str, list[str]] = {}
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        if path.name in seen:
            message = f"two images are called {path.name}"
            raise MirError(Code.INVALID_ARGS, message, step="The result names images: give each a name of its own.")
        seen.add(path.name)
        with path.open("rb") as file:
            names.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), []).append(path.name)
    return names


async def _boxes(session: Session, dataset: str, number: int, names: Mapping[str, list[str]]) -> dict[str, Any]:
    version = await session.client.get(Version, f"{session.path}/datasets/{dataset}/versions/{number}")
    found: dict[str, Any] = {}
    async for asset in assets_of(session, version, layers=(PREDICTIONS,)):
        boxes = [_box(one) for one in asset["layers"].get(PREDICTIONS, ()) if one.get("box")]
        found |= {name: {"boxes": boxes} for name in names.get(asset["asset"], ())}
    return dict(sorted(found.items()))


def _box(annotation: Mapping[str, Any]) -> dict[str, Any]:
    box = annotation["box"]
    place = {"x": box["x"], "y": box["y"], "w": box["width"], "h": box["height"]}
    if annotation.get("rotation"):
        place["rotate_angle"] = annotation["rotation"]
    return {"box": place, "class_name": annotation.get("class"), "score": annotation.get("confidence")}
