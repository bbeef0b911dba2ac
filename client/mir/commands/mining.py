"""``mir mining``: the images from which a model would learn most become a state."""

from argparse import Namespace
from typing import Any

from client.mir.codes import Code, MirError
from client.mir.commands.algebra import ref_of
from client.mir.configuration import read_configuration
from client.mir.executors import asked, executor_named
from client.mir.folders import use_folders
from client.mir.logs import save_log, write_configuration
from client.mir.models import model_named
from client.mir.repository import open_repository
from client.mir.revs import parse_rev
from client.mir.running import Run, running, target
from client.mir.telling import show
from schemas.executors import Purpose
from schemas.mining import EXECUTOR


async def mining(given: Namespace) -> None:
    """Keep the images that a model is least sure of; without ``--topk`` all of them, perhaps with its predictions."""
    if given.topk is not None and given.topk <= 0:
        step = "Give how many images are wanted; leave it out to keep all."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: --topk {given.topk}", step=step)
    configuration = read_configuration(given.task_config_file)
    use_folders(open_repository(given.root), images=given.media_location, models=given.model_location)
    async with running(given, "mine") as run:
        write_configuration(run.work, configuration)
        try:
            task = await run.task(await _parameters(run, configuration, given))
        except MirError as error:
            await save_log(run.work, run.session, error.task)
            raise
        await save_log(run.work, run.session, task.id)
        summary = task.result.summary
        facts = ("candidates", "picks", "layer", "predictions", "images_with_predictions")
        show(", ".join(f"{name}: {summary[name]}" for name in facts if name in summary) or "all images are kept")
        await run.made_version(task)


async def _parameters(run: Run, configuration: dict[str, Any], given: Namespace) -> dict[str, Any]:
    source = await run.session.version(parse_rev(given.src_revs))
    if source is None or not source.counts.images:
        message = f"no assets found in metadatas.mir: {given.src_revs} is empty"
        raise MirError(Code.MERGE_ERROR, message, step="Name a branch with images.")
    chosen = await model_named(run.session, given.model_hash)
    base: dict[str, Any] = {**target(run, f"mining: {given.src_revs}"), "source": ref_of(source)}
    if given.topk is None and not given.add_prediction:
        return {"type": "sample", **base, "rate": 1.0}
    base["model"] = chosen.parameters
    executor = await executor_named(run.session, given.executor)
    if given.topk is None:
        return {"type": "infer", **base, **asked(executor, configuration, purpose=Purpose.INFER)}
    options = {"strategy": EXECUTOR, "top_k": given.topk, "keep_predictions": given.add_prediction}
    return {"type": "mine", **base, **options, **asked(executor, configuration, purpose=Purpose.MINING)}
