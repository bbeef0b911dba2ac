"""Removing documents for good; whatever changed since it was looked at stays."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from schemas.datasets import Dataset, Tag, Version
from schemas.errors import Conflict, NotFound
from schemas.evaluations import Evaluation
from schemas.models import Model
from schemas.schema import Id
from storage.collection.hidden import Doomed
from storage.contested import changed
from storage.paging import every
from storage.ports import D, Database, Documents, Query


class Gone(NamedTuple):
    """What went for good."""

    versions: Mapping[Id, Version]
    models: int
    evaluations: int
    datasets: int


async def forget(doomed: Doomed, database: Database) -> Gone:
    """Remove what is doomed, unless it was shown again meanwhile; no number of a version is ever given again."""
    await _remember_numbers(doomed.due.versions.values(), database.documents(Dataset))
    versions = await _removed(doomed.due.versions.values(), database.documents(Version))
    models = await _removed(doomed.due.models.values(), database.documents(Model))
    evaluations = [
        evaluation
        for evaluation, version in doomed.evaluations.items()
        if version in versions or version not in doomed.due.versions
    ]
    for evaluation in evaluations:
        await database.documents(Evaluation).remove(evaluation)
    datasets = [await _has_gone(dataset, database) for dataset in doomed.due.datasets.values()]
    return Gone(versions, len(models), len(evaluations), sum(datasets))


async def _removed(documents: Iterable[D], home: Documents[D]) -> dict[str, D]:
    gone: dict[str, D] = {}
    for document in documents:
        try:
            await home.remove(document.id, was=document)
        except Conflict:
            continue  # it was shown again, or somebody else collects too
        gone[document.id] = document
    return gone


async def _remember_numbers(versions: Iterable[Version], datasets: Documents[Dataset]) -> None:
    highest: dict[Id, int] = {}
    for version in versions:
        highest[version.dataset] = max(version.number, highest.get(version.dataset, 0))
    for identity, number in highest.items():
        await _remember_number(identity, number, datasets)


async def _remember_number(identity: Id, number: int, datasets: Documents[Dataset]) -> None:
    def remembering(dataset: Dataset) -> Dataset:
        return dataset if dataset.last_number >= number else dataset.successor(last_number=number)

    with suppress(NotFound):
        await changed(datasets, partial(datasets.get, identity), remembering)


async def _has_gone(dataset: Dataset, database: Database) -> bool:
    """Remove a hidden dataset that has no version any more, and its tags; return whether that was done."""
    datasets, tags = database.documents(Dataset), database.documents(Tag)
    found = await datasets.get_many([dataset.id])
    if not found or found[0].removed_at != dataset.removed_at:
        return False
    if await database.documents(Version).count(Query(equal={"dataset": dataset.id})):
        return False
    for tag in [tag async for tag in every(tags, Query(equal={"dataset": dataset.id}))]:
        await tags.remove(tag.id)
    return bool(await _removed(found, datasets))
