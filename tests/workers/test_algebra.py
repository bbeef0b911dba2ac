"""The handlers that make a version out of versions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.algebra_parameters import (
    Conditions,
    ExcludeParameters,
    FilterParameters,
    FuseParameters,
    Marked,
    MergeParameters,
    Portion,
    RelabelParameters,
    SampleParameters,
    SplitParameters,
    Strategy,
)
from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from schemas.evaluations import Evaluation, Figures
from schemas.outcomes import Outcome, VersionDraft
from schemas.parameters import Parameters
from schemas.refs import Source
from schemas.schema import Id, new_id
from schemas.splits import Split
from tests.factories import PROJECT
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.merge import merge
from workers.handlers.transform import transform
from workers.work import Work

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


async def merged(world: World, versions: list[Id], *, strategy: Strategy, exclude: tuple[Id, ...] = ()) -> Outcome:
    asked = MergeParameters(
        dataset="merged",
        sources=tuple(Source(ref="any") for _ in versions),
        exclude=tuple("any" for _ in exclude),
        strategy=strategy,
    )
    inputs = {f"/sources/{position}/ref": version for position, version in enumerate(versions)}
    inputs |= {f"/exclude/{position}": version for position, version in enumerate(exclude)}
    outcome = await merge(world.work(asked, inputs), **world.stores())
    assert isinstance(outcome, Outcome)
    return outcome


async def test_a_merge_names_its_sources_as_parents_and_counts_what_both_had(world: World) -> None:
    one = await world.version(await world.pictures([[CAT], [DOG]], seed=1))
    other = await world.version(await world.pictures([[CAT]], seed=2))

    outcome = await merged(world, [one, other], strategy=Strategy.STOP)

    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    assert draft.parents == (one, other)
    assert draft.counts.images == 3
    assert outcome.result.summary["images"] == 3


async def test_a_merge_under_stop_lists_every_conflict_in_its_report_and_makes_nothing(world: World) -> None:
    one = await world.version(await world.pictures([[CAT]] * 150, seed=1))
    other = await world.version(await world.pictures([[DOG]] * 150, seed=1))

    outcome = await merged(world, [one, other], strategy=Strategy.STOP)

    assert outcome.records == ()
    assert outcome.problem is not None
    assert "host or guest" in outcome.problem.step
    assert len(outcome.problem.errors) == 100
    report = await world.report(outcome)
    assert {finding.kind for finding in report.findings} == {"images", GROUND_TRUTH}
    assert len(report.findings) == 300


async def test_under_host_and_guest_the_annotations_are_of_the_side_that_is_asked_for(world: World) -> None:
    one = await world.version(await world.pictures([[CAT]], seed=1))
    other = await world.version(await world.pictures([[DOG]], seed=1))

    host = await world.rows(await merged(world, [one, other], strategy=Strategy.HOST))
    guest = await world.rows(await merged(world, [one, other], strategy=Strategy.GUEST))

    assert [row.layers[GROUND_TRUTH][0].class_name for row in host.values()] == ["cat"]
    assert [row.layers[GROUND_TRUTH][0].class_name for row in guest.values()] == ["dog"]


async def test_a_merge_leaves_out_the_assets_of_what_it_excludes(world: World) -> None:
    both = await world.version(await world.pictures([[CAT], [DOG]], seed=1))
    one = await world.version(await world.pictures([[CAT]], seed=1))

    kept = await world.rows(await merged(world, [both], strategy=Strategy.HOST, exclude=(one,)))

    assert [row.layers[GROUND_TRUTH][0].class_name for row in kept.values()] == ["dog"]


async def test_filter_keeps_whole_assets_with_any_of_the_classes(world: World) -> None:
    source = await world.version(await world.pictures([[CAT, DOG], [DOG], [], None]))
    asked = FilterParameters(dataset="cats", source="any", include_classes=("cat",))

    outcome = await filtered(world, asked, source)

    (row,) = (await world.rows(outcome)).values()
    assert [annotation.class_name for annotation in row.layers[GROUND_TRUTH]] == ["cat", "dog"]


async def test_filter_keeps_the_assets_that_an_evaluation_marked(world: World) -> None:
    content = await world.pictures([[CAT], [DOG]])
    source = await world.version(content)
    rows = {row.layers[GROUND_TRUTH][0].class_name: row.image.asset async for row in world.library.rows(content)}
    evaluation = await an_evaluation(world, source, {rows["cat"]: "fp", rows["dog"]: "tp"})
    marked = Marked(evaluation=evaluation, marks=("fp", "fn"))

    outcome = await filtered(world, FilterParameters(dataset="wrong", source="any", marked=marked), source)

    assert list(await world.rows(outcome)) == [rows["cat"].hex()]


async def filtered(world: World, asked: FilterParameters, source: Id) -> Outcome:
    return await transform(world.work(asked, {"/source": source}), **world.stores())


async def an_evaluation(world: World, version: Id, marks: dict[bytes, str]) -> Id:
    table = pa.table(
        {"asset": pa.array(list(marks), pa.binary(32)), "mark": pa.array(list(marks.values())).dictionary_encode()}
    )
    file = BytesIO()
    pq.write_table(table, file)
    evaluation = Evaluation(
        id=new_id(),
        project=PROJECT,
        version=version,
        layer="predictions",
        ground_truth=GROUND_TRUTH,
        iou=0.5,
        confidence=0.3,
        max_detections=100,
        images=2,
        overall=Figures(),
        table=await world.blobs.put(b"{}"),
        marks=await world.blobs.put(file.getvalue()),
        task=new_id(),
        created_at=NOW,
    )
    await world.database.documents(Evaluation).add(evaluation)
    return evaluation.id


async def test_a_sample_of_more_than_there_is_keeps_all_and_says_so(world: World) -> None:
    source = await world.version(await world.pictures([[CAT], [DOG]]))
    asked = SampleParameters(dataset="few", source="any", count=5)

    outcome = await transform(world.work(asked, {"/source": source}), **world.stores())

    assert len(await world.rows(outcome)) == 2
    assert outcome.warnings == ("The source has 2 images, fewer than 5: all are kept.",)


async def test_a_stratified_sample_has_its_share_of_each_class(world: World) -> None:
    source = await world.version(await world.pictures([[CAT]] * 20 + [[DOG]] * 10))
    asked = SampleParameters(dataset="few", source="any", rate=0.5, stratify=True)

    rows = await world.rows(await transform(world.work(asked, {"/source": source}), **world.stores()))

    names = [row.layers[GROUND_TRUTH][0].class_name for row in rows.values()]
    assert (names.count("cat"), names.count("dog")) == (10, 5)


async def test_split_deals_all_assets_out_by_shares(world: World) -> None:
    source = await world.version(await world.pictures([[CAT]] * 20))
    asked = SplitParameters(dataset="sets", source="any", training=0.7, validation=0.2)

    rows = await world.rows(await transform(world.work(asked, {"/source": source}), **world.stores()))

    splits = [row.split for row in rows.values()]
    assert [splits.count(kind) for kind in (Split.TRAINING, Split.VALIDATION, Split.NONE)] == [14, 4, 2]


async def test_exclude_removes_the_assets_of_others(world: World) -> None:
    source = await world.version(await world.pictures([[CAT], [DOG], [CAT]], seed=1))
    other = await world.version(await world.pictures([[CAT], [DOG]], seed=1))
    asked = ExcludeParameters(dataset="rest", source="any", exclude=("any",))

    work = world.work(asked, {"/source": source, "/exclude/0": other})
    rows = await world.rows(await transform(work, **world.stores()))

    assert len(rows) == 1


async def test_fuse_merges_filters_and_samples_into_one_version(world: World) -> None:
    one = await world.version(await world.pictures([[CAT]] * 6 + [[DOG]] * 6, seed=1))
    other = await world.version(await world.pictures([[CAT]] * 4, seed=2))
    asked = FuseParameters(
        dataset="fused",
        sources=(Source(ref="any"), Source(ref="any")),
        conditions=Conditions(include_classes=("cat",)),
        portion=Portion(count=3),
    )
    inputs = {"/sources/0/ref": one, "/sources/1/ref": other}

    outcome = await transform(world.work(asked, inputs), **world.stores())

    rows = await world.rows(outcome)
    assert [row.layers[GROUND_TRUTH][0].class_name for row in rows.values()] == ["cat"] * 3


async def test_relabel_tells_what_it_changed_and_adds_classes_that_are_asked_for(world: World) -> None:
    source = await world.version(await world.pictures([[CAT, DOG], [DOG], []]))
    asked = RelabelParameters(
        dataset="pets", source="any", classes={"cat": "tiger", "dog": "", "cow": "cat"}, unknown_classes="add"
    )

    outcome = await transform(world.work(asked, {"/source": source}), **world.stores())

    rows = await world.rows(outcome)
    names = sorted([one.class_name or "" for one in row.layers[GROUND_TRUTH]] for row in rows.values())
    assert names == [[], [], ["tiger"]]
    assert outcome.result.summary["relabeled"] == {"cat->tiger": 1}
    assert outcome.result.summary["dropped"] == {"dog": 2}
    assert outcome.result.summary["touched_images"] == 2
    assert [entry.name for entry in outcome.new_classes] == ["tiger"]
    assert outcome.warnings == ("No annotation of the layer 'ground_truth' has the class 'cow'.",)


async def test_relabel_refuses_a_class_that_the_project_has_not(world: World) -> None:
    source = await world.version(await world.pictures([[CAT]]))
    asked = RelabelParameters(dataset="pets", source="any", classes={"cat": "tiger"})

    with pytest.raises(Invalid, match="no class 'tiger'"):
        await transform(world.work(asked, {"/source": source}), **world.stores())


async def test_a_merge_tells_which_images_were_in_two_splits(world: World) -> None:
    content = await world.pictures([[CAT], [DOG]], seed=1)
    sources = [await world.version(content.with_split(split)) for split in (Split.TRAINING, Split.VALIDATION)]

    outcome = await merged(world, sources, strategy=Strategy.HOST)

    assert outcome.result.summary["across_splits"] == {"training->validation": 2}
    assert "In different splits of the sources: 2 images" in outcome.warnings[0]
    report = await world.report(outcome)
    assert {finding.subject for finding in report.findings} == (await world.rows(outcome)).keys()


HASHES = [bytes(32), bytes(31) + b"\x07", b"\xff" * 32]


async def test_a_split_tells_near_duplicates_or_keeps_them_together_or_stops(world: World) -> None:
    source = await world.version(await world.pictures([[CAT]] * 3, hashes=HASHES))
    asked = {"dataset": "sets", "source": "any", "training": 0.67, "validation": 0.33, "seed": await _parting(world)}

    def work(**more: object) -> Work[Any]:
        return world.work(SplitParameters.model_validate({**asked, **more}), {"/source": source})

    told = await transform(work(), **world.stores())
    ignored = await transform(work(near_duplicates="ignore"), **world.stores())
    stopped = await transform(work(near_duplicates="stop"), **world.stores())
    farther = await transform(work(near_duplicates="stop", distance=2), **world.stores())
    together = await transform(work(keep_together="near_duplicates"), **world.stores())

    assert told.result.summary["near_duplicates_across_splits"] == {"training->validation": 1}
    assert "in an earlier split: 1 image, as" in told.warnings[0]
    assert "differs in 3 of 256 bits" in (await world.report(told)).findings[0].detail
    assert ignored.warnings == () == farther.warnings
    assert stopped.problem is not None
    assert "keep_together" in stopped.problem.step
    splits = [row.split for row in (await world.rows(together)).values() if row.image.perceptual_hash in HASHES[:2]]
    assert len(set(splits)) == 1


async def _parting(world: World) -> int:
    """Return a seed under which the two near-duplicates are parted."""
    source = await world.version(await world.pictures([[CAT]] * 3, hashes=HASHES))
    for seed in range(50):
        asked = SplitParameters(dataset="sets", source="any", training=0.67, validation=0.33, seed=seed)
        rows = await world.rows(await transform(world.work(asked, {"/source": source}), **world.stores()))
        alone = [row for row in rows.values() if row.split is Split.VALIDATION]
        if alone[0].image.perceptual_hash in HASHES[:2]:
            return seed
    raise AssertionError


SOURCE = {"dataset": "made", "source": "any"}
STEPS: list[tuple[Parameters, int]] = [
    (FilterParameters.model_validate({**SOURCE, "include_classes": ["cat"]}), 0),
    (SampleParameters.model_validate({**SOURCE, "rate": 0.5, "stratify": True, "keep_together": "near_duplicates"}), 0),
    (SplitParameters.model_validate({**SOURCE, "training": 0.5, "keep_together": "near_duplicates"}), 0),
    (RelabelParameters.model_validate({**SOURCE, "classes": {"cat": "dog"}, "keywords": ["b", "a", "b"]}), 0),
    (ExcludeParameters.model_validate({**SOURCE, "exclude": ["any"]}), 1),
    (MergeParameters.model_validate({"dataset": "made", "sources": [{"ref": "any"}, {"ref": "any"}]}), 1),
]


@pytest.mark.parametrize(("asked", "others"), STEPS, ids=lambda value: getattr(value, "type", value))
async def test_a_step_that_is_done_again_has_the_same_outcome(world: World, asked: Parameters, others: int) -> None:
    labels = [[CAT], [DOG], [CAT, DOG], [], None]
    versions = [
        await world.version(await world.pictures(labels, seed=seed, hashes=[bytes([n % 3]) * 32 for n in range(5)]))
        for seed in range(1 + others)
    ]
    inputs = dict(zip([pointer for pointer, _ in asked.refs()], versions, strict=True))

    once = await transform(world.work(asked, inputs), **world.stores())
    again = await transform(world.work(asked, inputs), **world.stores())

    assert once == again
    (draft,) = once.records
    assert isinstance(draft, VersionDraft)
    assert draft.keywords == (("b", "a") if isinstance(asked, RelabelParameters) else ())
