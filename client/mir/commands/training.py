"""``mir train``: an executor makes a model of one or several states."""

from argparse import Namespace
from itertools import combinations
from typing import Any

from client.mir.codes import Code, MirError
from client.mir.commands.algebra import ref_of
from client.mir.configuration import class_names_of, read_configuration
from client.mir.executors import asked, executor_named
from client.mir.folders import use_folders
from client.mir.logs import save_log, write_configuration
from client.mir.models import lines_of, model_named, model_of_task
from client.mir.packages import package_path
from client.mir.repository import open_repository
from client.mir.revs import Rev, parse_revs
from client.mir.running import Run, running
from client.mir.session import Session
from client.mir.telling import show
from client.mir.tensorboard import save_tensorboard
from schemas.datasets import Version
from schemas.diffs import VersionDiff
from schemas.executors import Purpose


async def train(given: Namespace) -> None:
    """Train a model, and print its hash."""
    sources = parse_revs(given.src_revs)
    configuration = read_configuration(given.task_config_file)
    classes = class_names_of(configuration, path=given.task_config_file)
    repository = open_repository(given.root)
    use_folders(repository, images=given.media_location, models=given.model_location)
    async with running(given, "train") as run:
        write_configuration(run.work, configuration)
        try:
            task = await run.task(await _parameters(run, sources, classes, configuration, given))
        except MirError as error:
            await save_log(run.work, run.session, error.task)
            await save_tensorboard(run.session, error.task, folder=given.tensorboard_dir)
            raise
        await save_log(run.work, run.session, task.id)
        await save_tensorboard(run.session, task.id, folder=given.tensorboard_dir)
        model = await model_of_task(run.session, task.id)
        if model is not None:
            path = await package_path(run.session, model, folder=given.model_location)
            for line in (*lines_of(model), f"package: {path}"):
                show(line)
        run.done(task)


async def _parameters(
    run: Run, sources: list[Rev], classes: list[str], configuration: dict[str, Any], given: Namespace
) -> dict[str, Any]:
    session = run.session
    named = [(rev, await session.version(rev)) for rev in sources]
    filled = [(rev, version) for rev, version in named if version is not None]
    if not filled:
        step = "Name a branch with labeled images."
        raise MirError(Code.EMPTY_TRAIN_SET, f"no training set: {given.src_revs} is empty", step=step)
    if given.strategy == "stop":
        await _check_conflicts(session, [version for _, version in filled])
    if given.strategy == "guest":
        filled.reverse()  # of an asset that two sources have, the first one's counts
    training = [
        {"ref": ref_of(version), **({} if rev.split is None else {"split": rev.split})} for rev, version in filled
    ]
    pretrained = {}
    if given.model_hash is not None:
        pretrained = {"pretrained": (await model_named(session, given.model_hash)).parameters}
    return {
        "type": "train",
        "training": training,
        "model": run.to.branch,
        "classes": classes,
        **asked(await executor_named(session, given.executor), configuration, purpose=Purpose.TRAINING),
        **pretrained,
    }


async def _check_conflicts(session: Session, versions: list[Version]) -> None:
    """Raise MirError if two sources have an asset in common: which one's annotations are meant nobody said."""
    for one, other in combinations(versions, 2):
        path = f"{session.path}/datasets/{one.dataset_name}/versions/{one.number}/diff"
        difference = await session.client.get(VersionDiff, path, against=ref_of(other))
        joint = one.counts.images - difference.added.count
        if joint:
            message = f"{joint} assets are in {ref_of(one)} and in {ref_of(other)}"
            step = "Say with -s host or -s guest whose annotations and split count."
            raise MirError(Code.MERGE_ERROR, message, step=step)
