"""``mir copy``: a state of another repository becomes one of this."""

import os
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from client.mir.codes import Code, MirError
from client.mir.commands.algebra import ref_of
from client.mir.folders import use_folders
from client.mir.repository import FOLDER, open_repository
from client.mir.revs import parse_rev
from client.mir.running import Run, running, target
from client.mir.session import Session, looking
from client.mir.telling import show


async def copy(given: Namespace) -> None:
    """Copy a state of the repository at ``--src-root``; classes go by name."""
    policy = "ignore" if given.ignore_unknown_types else given.unknown_types_strategy or "stop"
    use_folders(open_repository(given.root))
    async with running(given, "copy") as run:
        async with _source(run, given) as source:
            task = await run.task(
                {
                    "type": "copy",
                    **target(run, f"copy: {given.src_revs} of {given.src_root}"),
                    **source,
                    "unknown_classes": policy,
                    "annotations": not given.drop_annotations,
                }
            )
        summary = task.result.summary
        show(", ".join(f"{name}: {value}" for name, value in summary.items() if isinstance(value, int)))
        await run.made_version(task)


@asynccontextmanager
async def _source(run: Run, given: Namespace) -> AsyncIterator[dict[str, str]]:
    """Give the project and ref that are copied from, at the service or brought from the other folder."""
    rev = parse_rev(given.src_revs)
    if os.environ.get("YMIR_URL"):
        project = await _project(run.session, given.src_root)
        yield {"project": project, "ref": rev.ref}
        return
    if not Path(given.src_root).is_absolute():
        step = f"Give an absolute path: {Path(given.src_root).absolute()}"
        raise MirError(Code.INVALID_ARGS, f"invalid arg: --src-root {given.src_root}", step=step)
    other = open_repository(given.src_root)
    async with looking(other) as session:
        version = await session.given(rev)
    if other.data.resolve() == run.session.repository.data.resolve():
        yield {"project": other.project, "ref": ref_of(version)}
        return
    from client.adopting import adopted  # noqa: PLC0415 - opens the stores, which a service elsewhere has

    async with adopted(version, source=other.data, into=run.session.repository.data) as found:
        yield {"project": found.project, "ref": found.ref}


async def _project(session: Session, root: str) -> str:
    """Return the project of a repository folder; what is none is the name of a project at the service."""
    if (Path(root) / FOLDER).is_dir():
        return open_repository(str(Path(root).absolute())).project
    return session.repository.project if root == "." else root
