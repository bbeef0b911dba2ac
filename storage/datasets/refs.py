"""Refs: from ``name``, ``name@tag`` or ``name@3`` to the version that is meant."""

from difflib import get_close_matches
from typing import Final

from schemas.datasets import Dataset, Tag, Version, dataset_id, tag_id
from schemas.errors import Invalid, NotFound
from schemas.refs import Ref, parse_ref
from schemas.schema import Id
from storage.ports import Database, Query

NEARBY: Final = 10


async def resolve(ref: Ref, project: Id, database: Database) -> Version:
    """Return the version that a ref names in a project: a tag is tried first, then a number; alone, the newest.

    Raise NotFound, naming what exists nearby, if there is no such dataset, tag or number, or it is hidden;
    Invalid if the dataset has no version yet.
    """
    name, at = parse_ref(ref)
    dataset = await _dataset(name, project, database)
    if at is None:
        return await _newest(dataset, database)
    version = await _tagged(dataset, at, database)
    if version is None and at.isdecimal():
        version = await _numbered(dataset, int(at), database)
    if version is None:
        raise NotFound("version", ref, step=await _what_exists(dataset, database))
    return version


async def _dataset(name: str, project: Id, database: Database) -> Dataset:
    datasets = database.documents(Dataset)
    found = await datasets.get_many([dataset_id(project, name)])
    if found and found[0].removed_at is None:
        return found[0]
    page = await datasets.list(Query(equal={"project": project, "removed_at": None}), order="name", limit=1_000)
    names = [dataset.name for dataset in page.items]
    near = get_close_matches(name, names, n=NEARBY) or names[:NEARBY]
    more = f" and {len(names) - len(near):,} more" if len(names) > len(near) else ""
    step = f"Datasets of the project: {', '.join(near)}{more}." if near else "Import one first: this project has none."
    raise NotFound("dataset", name, step=step)


async def _newest(dataset: Dataset, database: Database) -> Version:
    visible = Query(equal={"dataset": dataset.id, "removed_at": None})
    page = await database.documents(Version).list(visible, order="-number", limit=1)
    if not page.items:
        raise Invalid(
            f"The dataset {dataset.name!r} has no version.",
            step="Wait for the task that makes its first version, or import into it.",
        )
    return page.items[0]


async def _tagged(dataset: Dataset, name: str, database: Database) -> Version | None:
    tags = await database.documents(Tag).get_many([tag_id(dataset.id, name)])
    if not tags:
        return None
    # A tag is reserved before its version exists: until then it names nothing.
    versions = await database.documents(Version).get_many([tags[0].version])
    return next((version for version in versions if version.removed_at is None), None)


async def _numbered(dataset: Dataset, number: int, database: Database) -> Version | None:
    one = Query(equal={"dataset": dataset.id, "number": number, "removed_at": None})
    page = await database.documents(Version).list(one, order="number", limit=1)
    return page.items[0] if page.items else None


async def _what_exists(dataset: Dataset, database: Database) -> str:
    visible = Query(equal={"dataset": dataset.id, "removed_at": None})
    versions = await database.documents(Version).list(visible, order="-number", limit=NEARBY)
    tags = await database.documents(Tag).list(Query(equal={"dataset": dataset.id}), order="name", limit=NEARBY)
    known = [f"{dataset.name}@{version.number}" for version in versions.items]
    known += [f"{dataset.name}@{tag.name}" for tag in tags.items]
    return f"Known: {', '.join(known)}." if known else "This dataset has no version."
