"""Migrating: each revision of an old repository becomes a version of a project, each model package a model."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from client.api import Client, at
from client.calls import Refused
from client.migrate.labels import Labels
from client.migrate.names import Target, targets
from client.migrate.repository import Repository, Revision, RevisionName, sources_of
from client.migrate.staging import stage
from schemas.annotations import ObjectType
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.models import Model
from schemas.projects import ClassBatch, ClassList, Project, ProjectSubmission
from schemas.tasks import Task

MESSAGE_LETTERS: Final = 2_000
OBJECT_TYPES: Final = {
    3: ObjectType.SEMANTIC_SEGMENTATION,
    4: ObjectType.INSTANCE_SEGMENTATION,
    50: ObjectType.MULTI_MODAL,
}

Bring = Callable[[Mapping[str, Any], Path], Awaitable[Task]]
"""Has a task done with a local file or folder as its source, and returns it when it has succeeded."""
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Old:
    """What is migrated: a repository, its classes, where its images and models lie, and which revisions are meant."""

    repository: Repository
    labels: Labels
    media: Path
    models: Path | None
    revisions: Sequence[RevisionName]
    stage_in: Path


@dataclass
class Migrated:
    """What it came to."""

    versions: int = 0
    already: int = 0
    models: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


async def migrate(client: Client, project: str, old: Old, *, bring: Bring, tell: Tell) -> Migrated:
    """Bring over every revision that is not there yet, in order; so a migration that was broken off goes on.

    A revision that a task of YMIR failed with, or that has no images, is told of and left out. Annotation ids are
    inherited from the version that a revision was made of. Raise Refused for what cannot be imported.
    """
    names = targets(old.revisions)
    await _project(client, project, old)
    result = Migrated()
    for name in old.revisions:
        if await _has(client, project, names[str(name)]):
            result.already += 1
        else:
            revision = await asyncio.to_thread(old.repository.revision, name)
            await _bring_revision(revision, names, old, bring=bring, tell=tell, result=result)
        # Of one that is there, too: a migration may have been broken off between the two.
        await _bring_model(client, project, name, old, bring=bring, tell=tell, result=result)
    return result


async def _project(client: Client, project: str, old: Old) -> None:
    """Make the project unless it is there, and give it all classes."""
    try:
        await client.get(Project, at("projects", project))
    except Refused as refused:
        if refused.problem.status != HTTPStatus.NOT_FOUND:
            raise
        kind = await asyncio.to_thread(_object_type, old)
        await client.post(Project, at("projects"), ProjectSubmission(name=project, object_type=kind))
    if old.labels:
        entries = tuple(entry for _, entry in sorted(old.labels.items()))
        await client.post(ClassList, at("projects", project, "classes"), ClassBatch(classes=entries))


def _object_type(old: Old) -> ObjectType:
    for name in reversed(old.revisions):
        annotations = old.repository.revision(name).annotations
        for layer in (annotations.ground_truth, annotations.prediction):
            if layer.type in OBJECT_TYPES:
                return OBJECT_TYPES[layer.type]
    return ObjectType.DETECTION


async def _has(client: Client, project: str, target: Target) -> bool:
    try:
        await client.get(Version, at("projects", project, "datasets", target.dataset, "versions", target.tag))
    except Refused as refused:
        if refused.problem.status != HTTPStatus.NOT_FOUND:
            raise
        return False
    return True


async def _bring_revision(
    revision: Revision, names: Mapping[str, Target], old: Old, *, bring: Bring, tell: Tell, result: Migrated
) -> None:
    name, task = revision.name, revision.task
    if task.code or not revision.metadatas.attributes:
        reason = f"its task failed with {task.code}" if task.code else "it has no images"
        tell(f"{name}: left out, {reason}")
        result.left_out["revisions that hold nothing"] += 1
        return
    with TemporaryDirectory(dir=old.stage_in, prefix="migrate-") as scratch:
        folder = Path(scratch) / "revision"
        staged = await asyncio.to_thread(stage, revision, labels=old.labels, media=old.media, to=folder)
        if not staged.images:
            step = "Name the folder that was given as --gen-dir or --media-location with --media."
            raise Invalid(f"{name}: none of its images is in {old.media}.", step=step)
        await bring({**_import(revision, names), "format": staged.format}, folder)
    result.versions += 1
    result.left_out += staged.left_out
    result.left_out["images that are not in the media store, or are damaged there"] += len(staged.missing)
    tell(f"{name}: {names[str(name)].ref}, {counted(staged.images, 'image')}" + _missing(staged.missing))


def _import(revision: Revision, names: Mapping[str, Target]) -> dict[str, Any]:
    target, task = names[str(revision.name)], revision.task
    base = next((names[source].ref for source in sources_of(task) if source in names), None)
    told = f"{task.type} of {revision.name.committed_at:%Y-%m-%d} in YMIR: {task.name}"
    parameters = {"dataset": target.dataset, "tag": target.tag, "message": told[:MESSAGE_LETTERS]}
    more = {} if base is None else {"base": base}
    return {"type": "import", **parameters, **more, "unknown_classes": "add"}


def _missing(missing: Sequence[str]) -> str:
    return f"; {len(missing)} are missing, the first of them {missing[0]}" if missing else ""


async def _bring_model(
    client: Client, project: str, revision: RevisionName, old: Old, *, bring: Bring, tell: Tell, result: Migrated
) -> None:
    package = (await asyncio.to_thread(old.repository.task, revision)).model
    if not package:
        return
    path = None if old.models is None else old.models / package
    if path is None or not path.is_file():
        tell(f"{revision}: its model {package} is not there; name the folder of packages with --models")
        result.left_out["models whose package is not there"] += 1
        return
    name = f"{targets([revision])[str(revision)].dataset}-{package[:8]}"
    async for _ in client.items(Model, at("projects", project, "models"), name=name):
        return
    await bring({"type": "import_model", "model": name}, path)
    result.models += 1
    tell(f"{revision}: the model {name}")
