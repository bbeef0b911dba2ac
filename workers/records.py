"""Records: what an outcome decided, kept under ids that derive from the task, so that it happens once."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pydantic import JsonValue

from schemas.datasets import Dataset, Tag, Version, dataset_id, tag_id
from schemas.errors import Conflict, Invalid, NotFound
from schemas.events import EventType, Fact, event_id
from schemas.outcomes import EvaluationRecord, ExecutorRecord, ModelRecord, Outcome, VersionDraft
from schemas.projects import ClassEntry, ClassList
from schemas.schema import Document, Id, derived_id
from schemas.tasks import Task
from storage.contested import added, changed
from storage.ports import Database, Documents, Query
from workers.registered import register_executor


class Kept(NamedTuple):
    """An outcome whose records are kept: its result names them, the facts tell of them."""

    outcome: Outcome
    facts: tuple[Fact, ...]


def version_id(task: Id) -> Id:
    """Return the id of the version that a task makes."""
    return derived_id("version", task)


async def reserve(task: Task, outcome: Outcome, database: Database) -> None:
    """Take what could be refused, before the decision: the tag, the name of an executor, and the new classes.

    Raises Invalid, and NotFound if the project has gone.
    """
    for record in outcome.records:
        if isinstance(record, VersionDraft) and record.tag is not None:
            await reserve_tag(task, record.dataset, record.tag, database)
        if isinstance(record, ExecutorRecord):
            await register_executor(record.executor, database)
    if outcome.new_classes:
        await _add_classes(task.project, outcome.new_classes, database.documents(ClassList))


async def reserve_tag(task: Task, dataset: str, name: str, database: Database) -> None:
    """Take a tag for the version that a task makes; raise Invalid if another version has it, or may yet get it."""
    tags = database.documents(Tag)
    line = dataset_id(task.project, dataset)
    tag = Tag(
        id=tag_id(line, name), project=task.project, dataset=line, name=name, version=version_id(task.id), task=task.id
    )
    while (holder := await added(tag, tags)).version != tag.version:
        if not await _came_to_nothing(holder, database):
            message = f"The dataset {dataset!r} has a tag {name!r} already."
            raise Invalid(message, step="Choose another tag, or remove that one first.")
        with suppress(Conflict):  # others want it too: see who has it now
            await tags.replace(holder.successor(version=tag.version, task=tag.task), was=holder)


async def keep(task: Task, outcome: Outcome, database: Database, *, at: datetime) -> Kept:
    """Keep the records of a decided outcome; those that are there already are left as they are."""
    facts: list[Fact] = [*outcome.facts]
    result = outcome.result
    for record in outcome.records:
        match record:
            case VersionDraft():
                version = await _keep_version(task, record, database, at=at)
                named = _named(version)
                result = result.model_copy(update=named)
                facts.append(_fact(task, EventType.VERSION_CREATED, version, at, named))
            case ModelRecord(model=model):
                await added(model, database.documents(type(model)))
                result = result.model_copy(update={"model": model.id})
                facts.append(_fact(task, EventType.MODEL_CREATED, model, at, {"model": model.id, "name": model.name}))
            case EvaluationRecord(evaluation=evaluation):
                await added(evaluation, database.documents(type(evaluation)))
                made = (*result.evaluations, evaluation.id)
                result = result.model_copy(update={"evaluation": made[0], "evaluations": made})
            case ExecutorRecord(executor=executor):  # its name was reserved by registering it
                result = result.model_copy(update={"executor": executor.name})
    return Kept(outcome.model_copy(update={"result": result}), tuple(facts))


async def _came_to_nothing(tag: Tag, database: Database) -> bool:
    """Tell whether a tag was reserved by a task that ended without its version."""
    if tag.task is None:
        return False
    # The task first: once it has ended no version comes any more.
    holders = await database.documents(Task).get_many([tag.task])
    if any(not holder.is_final for holder in holders):
        return False
    return not await database.documents(Version).get_many([tag.version])


def _named(version: Version) -> dict[str, JsonValue]:
    return {
        "version": version.id,
        "dataset": version.dataset_name,
        "number": version.number,
        "digest": version.digest,
    }


async def _add_classes(project: Id, entries: Sequence[ClassEntry], lists: Documents[ClassList]) -> None:
    def with_new(classes: ClassList) -> ClassList:
        known = classes.main_names()
        new = tuple(entry for entry in entries if entry.name not in known)
        return classes.with_entries(new) if new else classes

    await changed(lists, partial(lists.get, project), with_new)


async def _keep_version(task: Task, draft: VersionDraft, database: Database, *, at: datetime) -> Version:
    versions, datasets = database.documents(Version), database.documents(Dataset)
    dataset = Dataset(
        id=dataset_id(task.project, draft.dataset), project=task.project, name=draft.dataset, created_at=at
    )
    await added(dataset, datasets)
    while True:
        try:
            return await versions.get(version_id(task.id))
        except NotFound:
            number = await _last_number(dataset.id, versions, datasets) + 1
        version = Version(
            id=version_id(task.id),
            project=task.project,
            dataset=dataset.id,
            dataset_name=dataset.name,
            number=number,
            digest=draft.digest,
            manifest=draft.manifest,
            parents=draft.parents,
            task=task.id,
            made_by=task.parameters.type,
            message=draft.message,
            keywords=draft.keywords,
            counts=draft.counts,
            created_at=at,
        )
        try:
            await versions.add(version)
        except Conflict:
            continue  # the number was taken, or this very version is there: read again
        return version


async def _last_number(dataset: Id, versions: Documents[Version], datasets: Documents[Dataset]) -> int:
    newest = await versions.list(Query(equal={"dataset": dataset}), order="-number", limit=1)
    # Read after that: a version leaves its number here before it goes for good.
    gone = (await datasets.get(dataset)).last_number
    return max([gone, *(version.number for version in newest.items)])


def _fact(task: Task, event_type: EventType, about: Document, at: datetime, data: dict[str, JsonValue]) -> Fact:
    told = {"task": task.id, "project": task.project, **data}
    return Fact(id=event_id(task.id, event_type, about.id), type=event_type, subject=about.id, time=at, data=told)
