"""``mir branch``, ``checkout``, ``status``, ``commit`` and ``reset``."""

from argparse import Namespace
from typing import TYPE_CHECKING

from client.mir.codes import Code, MirError
from client.mir.glance import Glanced, glanced_datasets, glanced_version
from client.mir.repository import Entry, Repository, open_repository
from client.mir.revs import HEAD, MASTER, Rev, check_name, parse_rev
from client.mir.telling import show, tell

if TYPE_CHECKING:  # a look at a repository loads no client
    from client.mir.session import Session


async def branch(given: Namespace) -> None:
    """List the branches, the current one marked; or remove one."""
    repository = open_repository(given.root)
    if given.delete is not None:
        await _remove(repository, given)
        return
    head = repository.head
    if head.tid is not None:
        show(f"* (at {head})")
    for name in await _branches(repository):
        show(f"{'*' if Rev(name) == head else ' '} {name}")


async def checkout(given: Namespace) -> None:
    """Make a branch, or a state of it, the current one; or make a new branch of the current one."""
    repository = open_repository(given.root)
    rev = parse_rev(given.commit_id)
    if rev.split is not None:
        raise MirError(
            Code.INVALID_ARGS, f"invalid arg: {given.commit_id}", step="Only sources have a tr:, va: or te:."
        )
    if given.b:
        await _make(repository, rev, given)
    elif rev.branch == HEAD:
        rev = repository.meant(rev)
    else:
        await _check(repository, rev)
    repository.move_head(rev)
    tell(f"now on {rev}")


def status(given: Namespace) -> None:
    """Say that nothing is left to commit: every command keeps its result itself."""
    open_repository(given.root)
    show("repo: clean")


def commit(given: Namespace) -> None:
    """Refuse, as YMIR does when nothing is left to commit."""
    open_repository(given.root)
    raise MirError(Code.INVALID_ARGS, "repo: clean; nothing to commit", step="Every command keeps its result itself.")


def reset(given: Namespace) -> None:
    """Refuse, as YMIR does when nothing is left to reset."""
    open_repository(given.root)
    step = "To go back to an earlier state: mir checkout BRANCH@TID. To remove a branch: mir branch -D BRANCH."
    raise MirError(Code.INVALID_ARGS, "repo: clean; nothing to reset", step=step)


async def _branches(repository: Repository) -> list[str]:
    try:
        names = glanced_datasets(repository)
    except Glanced:
        from client.mir.session import looking  # noqa: PLC0415 - only where a glance is not enough

        async with looking(repository) as session:
            names = await session.datasets()
    # A command that was refused before anything was done has no branch; one whose task failed has.
    done = {entry.branch for entry in repository.history() if entry.task is not None or not entry.code}
    return sorted({MASTER, *names, *done})


async def _check(repository: Repository, rev: Rev) -> None:
    try:
        glanced_version(repository, rev)
    except Glanced:
        from client.mir.session import looking  # noqa: PLC0415 - only where a glance is not enough

        async with looking(repository) as session:
            await session.version(rev)


async def _make(repository: Repository, rev: Rev, given: Namespace) -> None:
    check_name(rev.branch, given.commit_id)
    if rev.tid is not None or rev.branch in {HEAD, MASTER} or rev.branch in await _branches(repository):
        step = "Choose the name of a new branch, without @."
        raise MirError(Code.INVALID_BRANCH_OR_TAG, f"no new branch can be called {rev}", step=step)
    from client.mir.session import working  # noqa: PLC0415 - only where there is work

    async with working(repository, label_file=given.user_label_file) as session:
        await _branched(session, rev)


async def _branched(session: "Session", rev: Rev) -> None:
    head = Rev(HEAD)
    source = await session.version(head)
    message = f"branch of {session.repository.head}"
    if source is None:
        session.repository.note(Entry(rev.branch, "", "branch", 0.0, message=message))
        return
    from client.mir.monitor import WorkFolder  # noqa: PLC0415 - only where there is work
    from client.mir.running import Run  # noqa: PLC0415 - only where there is work

    run = Run(session, rev, WorkFolder(None, ""))
    ref = f"{source.dataset_name}@{source.number}"
    task = await run.task({"type": "branch", "dataset": rev.branch, "source": ref, "message": message})
    await run.made_version(task)


async def _remove(repository: Repository, given: Namespace) -> None:
    name = given.delete
    if name == MASTER:
        raise MirError(Code.INVALID_BRANCH_OR_TAG, "master cannot be removed", step="It is always there, and empty.")
    if name == repository.head.branch:
        step = "Leave it first: mir checkout master"
        raise MirError(Code.INVALID_BRANCH_OR_TAG, f"{name} is the current branch", step=step)
    from client.mir.session import working  # noqa: PLC0415 - only where there is work

    async with working(repository, label_file=given.user_label_file) as session:
        datasets = await session.datasets()
        if name not in datasets and name not in {entry.branch for entry in repository.history()}:
            step = "mir branch lists those there are."
            raise MirError(Code.INVALID_BRANCH_OR_TAG, f"there is no branch {name}", step=step)
        if name in datasets:
            await session.remove(name)
    repository.note(Entry(name, "", "delete", 0.0))
    tell(f"removed {name}; it goes for good with `ymir admin gc` after 30 days")
