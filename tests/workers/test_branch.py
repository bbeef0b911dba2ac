"""Branch and revert: a content again, as it is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.algebra_parameters import BranchParameters, RevertParameters
from schemas.datasets import Version
from schemas.outcomes import Outcome, VersionDraft
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.branch import branch, revert


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


def draft_of(outcome: Outcome) -> VersionDraft:
    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    return draft


async def test_a_branch_has_the_digest_of_its_source_and_that_as_parent(world: World) -> None:
    source = await world.version(await world.pictures([[CAT], [DOG]]))
    before = {blob.digest async for blob in world.blobs.list()}
    asked = BranchParameters(dataset="other", source="pictures@1")

    draft = draft_of(await branch(world.work(asked, {"/source": source}), library=world.library))

    version = await world.database.documents(Version).get(source)
    assert (draft.dataset, draft.digest, draft.counts) == ("other", version.digest, version.counts)
    assert draft.parents == (source,)
    assert {blob.digest async for blob in world.blobs.list()} == before


async def test_a_revert_follows_the_newest_version_and_the_one_that_it_goes_back_to(world: World) -> None:
    old = await world.version(await world.pictures([[CAT]], seed=1))
    head = await world.version(await world.pictures([[DOG]], seed=2))
    asked = RevertParameters(dataset="pictures", source="pictures@1")

    draft = draft_of(await revert(world.work(asked, {"/source": old, "/dataset": head}), library=world.library))

    assert draft.parents == (head, old)
    assert draft.digest == (await world.database.documents(Version).get(old)).digest


@pytest.mark.parametrize("source", ["train", "other@1"])
def test_a_revert_names_an_older_version_of_its_dataset(source: str) -> None:
    with pytest.raises(ValidationError, match="a version of the dataset itself"):
        RevertParameters(dataset="train", source=source)


def test_a_branch_is_another_dataset() -> None:
    with pytest.raises(ValidationError, match="use revert"):
        BranchParameters(dataset="train", source="train@1")
