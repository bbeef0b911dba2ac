"""A ref names one version, or an error says what exists nearby."""

import pytest

from schemas.blobs import BlobRef
from schemas.datasets import Dataset, Tag, Version, dataset_id, tag_id
from schemas.errors import Invalid, NotFound
from schemas.schema import derived_id
from storage.datasets.refs import resolve
from storage.ports import Database
from tests.factories import NOON, PROJECT

DIGEST = "sha256:" + "0" * 64
STREETS = dataset_id(PROJECT, "streets")


async def a_dataset(database: Database, name: str = "streets", *, versions: int = 0) -> list[Version]:
    identity = dataset_id(PROJECT, name)
    await database.documents(Dataset).add(Dataset(id=identity, project=PROJECT, name=name, created_at=NOON))
    return [await a_version(database, name, number) for number in range(1, versions + 1)]


async def a_version(database: Database, name: str, number: int) -> Version:
    version = Version(
        id=derived_id(name, number),
        project=PROJECT,
        dataset=dataset_id(PROJECT, name),
        dataset_name=name,
        number=number,
        digest=DIGEST,
        manifest=BlobRef(digest=DIGEST, size=0),
        task=PROJECT,
        made_by="import",
        created_at=NOON,
    )
    await database.documents(Version).add(version)
    return version


async def a_tag(database: Database, name: str, version: str) -> None:
    tag = Tag(id=tag_id(STREETS, name), project=PROJECT, dataset=STREETS, name=name, version=version)
    await database.documents(Tag).add(tag)


async def test_a_name_alone_is_the_newest_version(database: Database) -> None:
    versions = await a_dataset(database, versions=11)

    assert await resolve("streets", PROJECT, database) == versions[-1]


async def test_a_number_is_that_version(database: Database) -> None:
    versions = await a_dataset(database, versions=3)

    assert await resolve("streets@2", PROJECT, database) == versions[1]


async def test_a_tag_is_tried_before_a_number(database: Database) -> None:
    versions = await a_dataset(database, versions=3)
    await a_tag(database, "2", versions[0].id)

    assert await resolve("streets@2", PROJECT, database) == versions[0]


async def test_a_tag_whose_version_does_not_exist_yet_names_nothing(database: Database) -> None:
    await a_dataset(database, versions=1)
    await a_tag(database, "soon", derived_id("soon"))

    with pytest.raises(NotFound):
        await resolve("streets@soon", PROJECT, database)


async def test_a_hidden_version_is_not_found_and_not_the_newest(database: Database) -> None:
    versions = await a_dataset(database, versions=2)
    await database.documents(Version).replace(versions[1].successor(removed_at=NOON), was=versions[1])

    assert await resolve("streets", PROJECT, database) == versions[0]
    with pytest.raises(NotFound):
        await resolve("streets@2", PROJECT, database)


async def test_an_unknown_dataset_is_told_with_the_nearest_names(database: Database) -> None:
    await a_dataset(database, versions=1)

    with pytest.raises(NotFound, match="'street'") as raised:
        await resolve("street", PROJECT, database)

    assert "streets" in raised.value.step


async def test_an_unknown_tag_is_told_with_those_that_exist(database: Database) -> None:
    versions = await a_dataset(database, versions=1)
    await a_tag(database, "good", versions[0].id)

    with pytest.raises(NotFound) as raised:
        await resolve("streets@9", PROJECT, database)

    assert "streets@1" in raised.value.step
    assert "streets@good" in raised.value.step


async def test_a_dataset_without_a_version_is_told(database: Database) -> None:
    await a_dataset(database)

    with pytest.raises(Invalid, match="no version"):
        await resolve("streets", PROJECT, database)


async def test_a_hidden_dataset_is_not_found(database: Database) -> None:
    await a_dataset(database, versions=1)
    datasets = database.documents(Dataset)
    dataset = await datasets.get(STREETS)
    await datasets.replace(dataset.successor(removed_at=NOON), was=dataset)

    with pytest.raises(NotFound):
        await resolve("streets@1", PROJECT, database)


async def test_a_dataset_of_another_project_is_not_found(database: Database) -> None:
    await a_dataset(database, versions=1)

    with pytest.raises(NotFound, match="streets"):
        await resolve("streets", "1" * 32, database)
