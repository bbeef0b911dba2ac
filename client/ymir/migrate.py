"""``ymir migrate``: what a repository of YMIR's own command holds, brought into a project."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from client.migrate.migrating import Migrated, Old, migrate
from client.migrate.repository import Repository, RevisionName
from client.reach import Reached, reached
from client.ymir.ending import run, say
from client.ymir.progress import displayed
from client.ymir.reaching import add_common, target
from client.ymir.sending import asked
from client.ymir.telling import tell
from schemas.counts import counted
from schemas.errors import Invalid
from schemas.tasks import Task


def add_migrate(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir migrate``."""
    parser.add_argument("repository", type=Path, help="the folder in which `mir init` was run")
    parser.add_argument("--media", type=Path, required=True, metavar="DIR", help="where its images lie (--gen-dir)")
    parser.add_argument("--models", type=Path, metavar="DIR", help="where its model packages lie (--model-location)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="its label file, where it is not in the repository")
    parser.add_argument("--revs", metavar="A@1;B@2", help="only these revisions; all that have a tag when not given")
    parser.add_argument("--dry-run", action="store_true", help="only list the revisions")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_migrate(given)))


async def _migrate(given: Namespace) -> int:
    if not given.project:
        raise Invalid("Which project is meant?", step="Name it with --project; it is made if it does not exist.")
    for folder in (given.media, *([given.models] if given.models else [])):
        if not folder.is_dir():
            raise Invalid(f"There is no folder {folder}.", step="Correct --media and --models.")
    repository = Repository(given.repository)
    revisions = _wanted(repository.revisions(), given.revs)
    if given.dry_run:
        for name in revisions:
            task = repository.task(name)
            tell(f"{name}\t{name.committed_at:%Y-%m-%d %H:%M}\t{task.type}\t{task.code or 'done'}")
        return 0
    where, media = target(given), given.media.resolve()
    where.data.mkdir(parents=True, exist_ok=True)
    stage_in = where.data.resolve()
    old = Old(
        repository=repository,
        labels=repository.labels(given.labels),
        media=media,
        models=given.models,
        revisions=revisions,
        stage_in=stage_in,
    )
    async with reached(where, import_roots=(stage_in, media)) as found:

        async def bring(parameters: Mapping[str, Any], path: Path) -> Task:
            return await _brought(found, given, dict(parameters), path)

        done = await migrate(found.client, given.project, old, bring=bring, tell=say)
    _tell(done, given)
    return 0


async def _brought(found: Reached, given: Namespace, parameters: dict[str, Any], path: Path) -> Task:
    with displayed() as display:
        task = await asked(found, given.project, parameters, path, target(given))
        return await found.client.ended(
            task, watch=lambda now: display.show(now.parameters.type, now.progress.fraction, now.progress.phase)
        )


def _wanted(revisions: list[RevisionName], wanted: str | None) -> list[RevisionName]:
    if wanted is None:
        return revisions
    names = {name.strip() for name in wanted.split(";") if name.strip()}
    if unknown := names - {str(name) for name in revisions}:
        raise Invalid(
            f"There are no revisions {', '.join(sorted(unknown))}.", step="`--dry-run` lists those there are."
        )
    return [name for name in revisions if str(name) in names]


def _tell(done: Migrated, given: Namespace) -> None:
    brought = f"{counted(done.versions, 'version')} and {counted(done.models, 'model')}"
    tell(f"{given.project}: {brought}; {counted(done.already, 'version')} from before")
    for what, count in sorted((+done.left_out).items()):
        tell(f"  left out: {what}: {count:,}")
