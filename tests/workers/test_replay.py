"""Replay: what was done to a source is done to what is new in it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from schemas.algebra_parameters import (
    BranchParameters,
    ExcludeParameters,
    FilterParameters,
    Marked,
    MergeParameters,
    RelabelParameters,
    ReplayParameters,
    SampleParameters,
    SplitParameters,
    Strategy,
)
from schemas.annotations import GROUND_TRUTH
from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.exchange_parameters import LabelParameters
from schemas.outcomes import Outcome, VersionDraft
from schemas.parameters import Parameters
from schemas.refs import Source
from schemas.schema import Id, new_id
from schemas.splits import Split
from schemas.tasks import Task
from storage.datasets.merge import MergeSource, merged
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.replay import replay
from workers.handlers.transform import transform

MASTER = new_id()
CATS = FilterParameters(dataset="feature", source="any", include_classes=("cat",))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


class History:
    """Versions that are kept with their tasks, as a consumer keeps them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers = 0

    async def master(self, *seeds: int) -> Version:
        """Keep a version of the dataset that things are made of: two cats and two dogs for each seed."""
        labels = [[CAT], [DOG], [CAT, DOG], [DOG]]
        contents = [await self.world.pictures(labels, seed=seed) for seed in seeds]
        ids = await self.world.library.asset_ids(*contents)
        content = merged([*map(MergeSource, contents)], strategy=Strategy.STOP, ids=ids).content
        return await self.renamed(await self.world.version(content), dataset=MASTER, dataset_name="master")

    async def made(self, parameters: Parameters, inputs: Mapping[str, Version]) -> Version:
        """Do a step and keep its task and version."""
        work = self.world.work(parameters, {pointer: version.id for pointer, version in inputs.items()})
        handler = replay if isinstance(parameters, ReplayParameters) else transform
        outcome = await handler(work, **self.world.stores())
        await self.world.database.documents(Task).add(work.task)
        content = await self.world.content(outcome)
        return await self.renamed(
            await self.world.version(content), task=work.task.id, dataset=new_id(), dataset_name="feature"
        )

    async def replayed(
        self, version: Version, onto: Version, source: Version | None = None, **asked: object
    ) -> Outcome:
        parameters = ReplayParameters.model_validate(
            {"dataset": "feature", "version": "any", "onto": "any", "source": "any" if source else None, **asked}
        )
        inputs = {"/version": version.id, "/onto": onto.id, **({"/source": source.id} if source else {})}
        return await replay(self.world.work(parameters, inputs), **self.world.stores())

    async def names(self, version: Version) -> set[str]:
        """Return the assets of a version."""
        content = await self.world.library.content(version.digest)
        return {row.asset async for row in self.world.library.rows(content)}

    async def renamed(self, identity: Id, **changes: object) -> Version:
        """Return a kept version after a change that real ones never see."""
        self.numbers += 1
        versions = self.world.database.documents(Version)
        version = await versions.get(identity)
        renamed = version.successor(number=self.numbers, **changes)
        await versions.replace(renamed, was=version)
        return renamed


@pytest.fixture
def history(world: World) -> History:
    return History(world)


async def test_the_steps_of_a_version_are_applied_to_what_is_new_and_merged(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    cats = await history.made(CATS, {"/source": old})
    dealt = await history.made(SplitParameters(dataset="feature", source="any", training=1), {"/source": cats})

    outcome = await history.replayed(dealt, new)

    rows = await world.rows(outcome)
    assert len(rows) == 4
    assert {row.split for row in rows.values()} == {Split.TRAINING}
    assert all("cat" in [one.class_name for one in row.layers[GROUND_TRUTH]] for row in rows.values())
    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    assert draft.parents == (dealt.id, new.id)
    assert outcome.result.summary["new_in_source"] == 4
    report = await world.report(outcome)
    assert [finding.detail for finding in report.findings if finding.kind == "step"] == [
        f"filter, as it made feature@{cats.number}: 2 images",
        f"split, as it made feature@{dealt.number}: 2 images",
    ]


async def test_it_comes_to_the_same_as_doing_the_steps_by_hand(history: History) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    cats = await history.made(CATS, {"/source": old})
    relabel = RelabelParameters(dataset="feature", source="any", classes={"dog": "cat"})
    made = await history.made(relabel, {"/source": cats})

    outcome = await history.replayed(made, new)

    exclude = ExcludeParameters(dataset="feature", source="any", exclude=("any",))
    increment = await history.made(exclude, {"/source": new, "/exclude/0": old})
    increment = await history.made(relabel, {"/source": await history.made(CATS, {"/source": increment})})
    merge = MergeParameters(dataset="feature", sources=(Source(ref="any"), Source(ref="any")), strategy=Strategy.HOST)
    by_hand = await history.made(merge, {"/sources/0/ref": made, "/sources/1/ref": increment})
    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    assert draft.digest == by_hand.digest


async def test_what_else_a_step_was_given_stays_as_it_was(history: History, world: World) -> None:
    old, new, other = await history.master(1), await history.master(1, 2, 3), await history.master(3)
    other = await history.renamed(other.id, dataset=new_id())
    exclude = ExcludeParameters(dataset="feature", source="any", exclude=("any",))
    made = await history.made(exclude, {"/source": old, "/exclude/0": other})

    rows = await world.rows(await history.replayed(made, new))

    assert rows.keys() == await history.names(await history.master(1, 2))


async def test_a_replay_can_be_replayed_as_the_source_grows_on(history: History, world: World) -> None:
    first, second, third = await history.master(1), await history.master(1, 2), await history.master(1, 2, 3)
    cats = await history.made(CATS, {"/source": first})
    asked = ReplayParameters(dataset="feature", version="any", onto="any")
    again = await history.made(asked, {"/version": cats, "/onto": second})

    outcome = await history.replayed(again, third)

    assert outcome.result.summary["source"] == f"master@{second.number}"
    assert len(await world.rows(outcome)) == 6


async def test_a_branch_is_a_step_that_changes_nothing(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    begun = await history.made(BranchParameters(dataset="feature", source="any"), {"/source": old})
    cats = await history.made(CATS, {"/source": begun})

    outcome = await history.replayed(cats, new)

    assert len(await world.rows(outcome)) == 4
    assert [finding.subject for finding in (await world.report(outcome)).findings] == [
        f"feature@{begun.number}",
        f"feature@{cats.number}",
    ]


async def test_two_ways_from_the_source_meet_again(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    cats = await history.made(CATS, {"/source": old})
    dogs = await history.made(
        FilterParameters(dataset="feature", source="any", include_classes=("dog",), exclude_classes=("cat",)),
        {"/source": old},
    )
    merge = MergeParameters(dataset="feature", sources=(Source(ref="any"), Source(ref="any")))
    both = await history.made(merge, {"/sources/0/ref": cats, "/sources/1/ref": dogs})

    assert len(await world.rows(await history.replayed(both, new))) == 8


async def test_what_the_source_lost_is_kept_and_told(history: History, world: World) -> None:
    old, new = await history.master(1, 2), await history.master(2, 3)
    cats = await history.made(CATS, {"/source": old})

    outcome = await history.replayed(cats, new)

    assert len(await world.rows(outcome)) == 6
    assert any("4 images" in warning for warning in outcome.warnings)


async def test_nothing_new_is_no_failure(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1)
    cats = await history.made(CATS, {"/source": old})

    outcome = await history.replayed(cats, new)

    assert (await world.rows(outcome)).keys() == await history.names(cats)
    assert any("No image was added" in warning for warning in outcome.warnings)


async def test_a_step_that_people_did_is_named(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    asked = LabelParameters(dataset="feature", source="any", classes=("cat",))
    work = world.work(asked, {"/source": old.id})
    await world.database.documents(Task).add(work.task)
    labeled = await history.renamed(old.id, task=work.task.id)
    labeled = await history.renamed(
        await world.version(await world.library.content(labeled.digest)), task=work.task.id, dataset_name="labeled"
    )
    cats = await history.made(CATS, {"/source": labeled})

    with pytest.raises(Invalid, match=rf"The step label that made labeled@{labeled.number} cannot be replayed"):
        await history.replayed(cats, new, old)


async def test_a_filter_by_marks_says_nothing_of_new_images(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    marked = Marked(evaluation=new_id(), marks=("fp",))
    work = world.work(FilterParameters(dataset="feature", source="any", marked=marked), {"/source": old.id})
    await world.database.documents(Task).add(work.task)
    content = await world.library.content(old.digest)
    made = await history.renamed(await world.version(content), task=work.task.id, dataset_name="marked")

    with pytest.raises(Invalid, match="which says nothing of new images"):
        await history.replayed(made, new)


async def test_a_source_that_cannot_be_found_is_asked_for(history: History, world: World) -> None:
    old = await history.master(1)
    cats = await history.made(CATS, {"/source": old})
    stranger = await history.renamed((await history.master(2)).id, dataset=new_id(), dataset_name="stranger")

    with pytest.raises(Invalid, match="was made of no version that stranger"):
        await history.replayed(cats, stranger)
    assert len(await world.rows(await history.replayed(cats, stranger, old))) == 4


async def test_the_seed_of_a_sample_draws_from_what_is_new_as_well(history: History, world: World) -> None:
    old, new = await history.master(1), await history.master(1, 2)
    half = await history.made(SampleParameters(dataset="feature", source="any", rate=0.5), {"/source": old})

    rows = await world.rows(await history.replayed(half, new))

    assert len(rows) == 4
    assert await history.names(half) < rows.keys()
