"""What was hidden long ago, and what of it something still refers to."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.datasets import Dataset, Tag, Version
from schemas.evaluations import Evaluation
from schemas.labeling import JobState, LabelingJob
from schemas.models import Model
from schemas.schema import Digest, Id, to_text
from schemas.tasks import Task
from storage.collection.unfinished import Unfinished
from storage.datasets.manifests import parse_manifest
from storage.paging import every
from storage.ports import Blobs, Database, Query

Predicted = Mapping[Id, frozenset[Id]]
"""The models with predictions in a version, by the id of the version."""


class Due(NamedTuple):
    """What was hidden long ago, by id: versions also because their dataset was."""

    versions: Mapping[Id, Version]
    models: Mapping[Id, Model]
    datasets: Mapping[Id, Dataset]

    def without(self, held: frozenset[Id], in_use: Unfinished) -> "Due":
        """Return what of it goes: a dataset only if nothing keeps a version of it, nor is about to make one."""
        kept = {version.dataset for version in self.versions.values() if version.id in held}
        return Due(
            {version.id: version for version in self.versions.values() if version.id not in held},
            {model.id: model for model in self.models.values() if model.id not in held},
            {
                dataset.id: dataset
                for dataset in self.datasets.values()
                if dataset.id not in kept and (dataset.project, dataset.name) not in in_use.targets
            },
        )


class Doomed(NamedTuple):
    """What is to go for good."""

    due: Due
    evaluations: Mapping[Id, Id]
    """Each with its version, which goes too, or has gone: they are measurements of nothing else."""
    held: int
    """How many versions and models stay because something refers to them."""


async def doomed(database: Database, blobs: Blobs, *, before: datetime, in_use: Unfinished) -> Doomed:
    """Return what was hidden before an instant and is referred to by nothing that stays.

    A version is held by a version made of it, a model trained on it, a tag of a dataset that stays, an open labeling
    job and an unfinished task; a model by one that was trained from it, a version that has its predictions and an
    unfinished task. Raise NotFound or Invalid for a manifest that cannot be read.
    """
    due = await _due(database, before=before)
    predicted = await _predicted(due.models, database, blobs) if due.models else {}
    held = await _held(due, database, predicted, in_use=in_use) if due.versions or due.models else frozenset()
    going = due.without(held, in_use)
    evaluations = await _evaluations(going, database, in_use=in_use)
    return Doomed(going, evaluations, held=len(held))


async def _due(database: Database, *, before: datetime) -> Due:
    long_ago = Query(below={"removed_at": to_text(before)})
    datasets = {dataset.id: dataset async for dataset in every(database.documents(Dataset), long_ago)}
    models = {model.id: model async for model in every(database.documents(Model), long_ago)}
    versions = {version.id: version async for version in every(database.documents(Version), long_ago)}
    for dataset in datasets:
        whole = every(database.documents(Version), Query(equal={"dataset": dataset}))
        versions |= {version.id: version async for version in whole}
    return Due(versions, models, datasets)


async def _predicted(models: Mapping[Id, Model], database: Database, blobs: Blobs) -> Predicted:
    """Return which of some models have predictions in each version, as far as there are any."""
    by_stage: dict[Digest, set[Id]] = {}
    for model in models.values():
        for stage in model.stages:
            by_stage.setdefault(stage.digest, set()).add(model.id)
    by_manifest: dict[Digest, frozenset[Id]] = {}
    predicted: dict[Id, frozenset[Id]] = {}
    async for version in every(database.documents(Version)):
        digest = version.manifest.digest
        if digest not in by_manifest:
            manifest = parse_manifest(await blobs.get(digest))
            found = [layer.predictions.model for layer in manifest.layers.values() if layer.predictions]
            by_manifest[digest] = frozenset(model for stage in found for model in by_stage.get(stage, ()))
        if by_manifest[digest]:
            predicted[version.id] = by_manifest[digest]
    return predicted


async def _held(due: Due, database: Database, predicted: Predicted, *, in_use: Unfinished) -> frozenset[Id]:
    """Return what of the due is referred to by what stays, by whatever many steps."""
    references = await _references_of_models([*due.models.values()], database)
    references |= {
        version.id: predicted.get(version.id, frozenset()).union(version.parents) for version in due.versions.values()
    }
    found = set(await _held_at_once(due, database, in_use=in_use))
    for version, models in predicted.items():
        found |= frozenset() if version in due.versions else models
    held: set[Id] = set()
    while found:
        held |= found
        found = {given for holder in found for given in references[holder] if given in references} - held
    return frozenset(held)


async def _held_at_once(due: Due, database: Database, *, in_use: Unfinished) -> set[Id]:
    wanted = due.versions.keys() | due.models.keys()
    held = wanted & in_use.ids
    open_jobs = every(database.documents(LabelingJob), Query(equal={"state": JobState.OPEN}))
    held |= wanted & {job.version async for job in open_jobs}
    async for tag in every(database.documents(Tag)):
        if tag.dataset not in due.datasets:
            held |= wanted & {tag.version}
    async for version in every(database.documents(Version)):
        if version.id not in due.versions:
            held |= wanted & set(version.parents)
    staying = [model async for model in every(database.documents(Model)) if model.id not in due.models]
    for references in (await _references_of_models(staying, database)).values():
        held |= wanted & references
    return held


async def _references_of_models(models: Iterable[Model], database: Database) -> dict[Id, frozenset[Id]]:
    """Return what each model was trained on and from."""
    models = list(models)
    tasks = await database.documents(Task).get_many([model.task for model in models])
    inputs = {task.id: {given.version for given in task.inputs} for task in tasks}
    return {
        model.id: frozenset(inputs.get(model.task, set()) | ({model.pretrained.id} if model.pretrained else set()))
        for model in models
    }


async def _evaluations(going: Due, database: Database, *, in_use: Unfinished) -> dict[Id, Id]:
    measured = {
        evaluation.id: evaluation.version
        async for evaluation in every(database.documents(Evaluation))
        if evaluation.id not in in_use.ids
    }
    there = await database.documents(Version).get_many(list(set(measured.values())))
    staying = {version.id for version in there} - going.versions.keys()
    return {evaluation: version for evaluation, version in measured.items() if version not in staying}
