"""Same inputs, same digests."""

from pathlib import Path

import pytest

from client.api import Client
from client.demo.digits import build
from schemas.algebra_parameters import FilterParameters, MergeParameters, SampleParameters, SplitParameters, Strategy
from schemas.datasets import Version
from schemas.exchange_parameters import ImportParameters, ImportSource, UnknownClasses
from schemas.parameters import Parameters
from schemas.projects import Project, ProjectSubmission
from schemas.refs import Source
from tests.e2e.service import served

pytestmark = pytest.mark.slow


async def test_the_same_files_and_steps_give_the_same_digests_in_two_fresh_folders(tmp_path: Path) -> None:
    pictures = build(tmp_path / "pictures", seed=2, training=30, validation=10, pool=40)

    digests = []
    for name in ("one", "other"):
        async with served(tmp_path / name, import_root=tmp_path) as service, service.client() as client:
            await client.post(Project, "/v1/projects", ProjectSubmission(name="p"))
            digests.append([await digest_of(client, asked) for asked in steps(pictures.training, pictures.pool)])

    assert digests[0] == digests[1]
    assert len(set(digests[0])) == len(digests[0])


def steps(training: Path, pool: Path) -> list[Parameters]:
    return [
        ImportParameters(
            dataset="a", source=ImportSource(path=str(training)), format="voc", unknown_classes=UnknownClasses.ADD
        ),
        ImportParameters(dataset="b", source=ImportSource(path=str(pool)), unknown_classes=UnknownClasses.ADD),
        MergeParameters(dataset="c", sources=(Source(ref="a"), Source(ref="b")), strategy=Strategy.HOST),
        FilterParameters(dataset="d", source="c", include_classes=("one", "two", "three")),
        SampleParameters(dataset="e", source="c", count=20, seed=7),
        SplitParameters(dataset="f", source="e", training=0.5, validation=0.25),
    ]


async def digest_of(client: Client, asked: Parameters) -> str:
    task = await client.ended(await client.submit("p", asked))
    version = await client.get(Version, f"/v1/projects/p/datasets/{task.result.dataset}/versions/{task.result.number}")
    return version.digest
