"""Merging two lines of work: what becomes of conflicts, and of the task that waits for answers to them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.algebra_parameters import MergeParameters, OnConflict
from schemas.annotations import GROUND_TRUTH, Annotation, Box
from schemas.conflicts import SHEET, Conflict, ConflictAnswer, ConflictSheet, Take
from schemas.datasets import Version
from schemas.errors import Conflict as Changed
from schemas.errors import Invalid
from schemas.outcomes import Outcome, Pause, VersionDraft
from schemas.schema import Id
from schemas.tasks import Task
from storage.conflict_lists import read_conflicts
from storage.datasets.rows import AnnotationRow
from tests.factories import NOON
from tests.workers.loop_world import CAT, DOG, World, a_world
from workers.handlers.merge import merge
from workers.merging.answers import all_answered
from workers.work import Work

KITTEN = CAT._replace(id=b"c" * 16)
PUPPY = DOG._replace(id=b"d" * 16)
MOVED = KITTEN._replace(box=(2.0, 2.0, 10.0, 12.0))
RENAMED = KITTEN._replace(class_name="lynx")
EDITED = Annotation(class_name="tiger", box=Box(x=1, y=1, width=2, height=2))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as world:
        yield world


class Lines:
    """Three versions, and an attempt at merging two of them."""

    def __init__(self, world: World, versions: tuple[Id, Id, Id], **asked: object) -> None:
        self.world = world
        base, ours, theirs = versions
        fields = {"dataset": "merged", "ours": "a", "theirs": "b", "base": "c", **asked}
        parameters = MergeParameters.model_validate(fields)
        inputs = {"/ours": ours, "/theirs": theirs}
        self.sides = (ours, theirs)
        self.work: Work[MergeParameters] = world.work(
            parameters, inputs if parameters.base is None else {**inputs, "/base": base}
        )

    async def run(self) -> Outcome | Pause:
        return await merge(self.work, library=self.world.library, blobs=self.world.blobs, database=self.world.database)

    async def paused(self) -> Pause:
        pause = await self.run()
        assert isinstance(pause, Pause)
        task = self.work.task.model_copy(update={"step": pause.step, "result": pause.result})
        self.work = Work(task, self.work.parameters, scratch=self.work.scratch / "again", now=self.work.now)
        self.work.scratch.mkdir()
        return pause

    async def ended(self) -> Outcome:
        outcome = await self.run()
        assert isinstance(outcome, Outcome)
        return outcome

    async def conflicts(self) -> list[Conflict]:
        kept = self.work.task.result.conflicts
        assert kept is not None
        return await read_conflicts(kept, start=0, count=kept.count, blobs=self.world.blobs)

    async def answer(self, *answers: ConflictAnswer, rest: ConflictAnswer | None = None) -> ConflictSheet:
        kept = self.work.task.result.conflicts
        assert kept is not None
        empty = ConflictSheet.empty(self.work.task.id, 0, count=kept.count)
        sheet = empty.answered(dict(enumerate(answers)))
        sheet = sheet if rest is None else sheet.answered_rest(rest)
        await self.world.database.documents(ConflictSheet).add(sheet)
        return sheet


async def lines(
    world: World,
    *sides: Sequence[Sequence[AnnotationRow] | None],
    **asked: object,
) -> Lines:
    base, ours, theirs = [await world.version(await world.pictures(rows)) for rows in sides]
    return Lines(world, (base, ours, theirs), **asked)


def take(choice: Take) -> ConflictAnswer:
    return ConflictAnswer(take=choice, by="ann", at=NOON)


async def labels(world: World, outcome: Outcome) -> list[tuple[AnnotationRow, ...]]:
    rows = sorted((await world.rows(outcome)).values(), key=lambda row: row.image.file_name)
    return [row.layers[GROUND_TRUTH] for row in rows]


async def test_lines_that_do_not_clash_become_a_version_of_both(world: World) -> None:
    merging = await lines(world, [[KITTEN], [KITTEN]], [[MOVED], [KITTEN]], [[KITTEN, PUPPY], [RENAMED]])

    outcome = await merging.ended()

    (draft,) = outcome.records
    assert isinstance(draft, VersionDraft)
    assert draft.parents == merging.sides
    assert await labels(world, outcome) == [(MOVED, PUPPY), (RENAMED,)]
    assert outcome.result.conflicts is None
    assert outcome.result.summary["conflicts"] == 0


async def test_a_merge_with_conflicts_waits_and_lists_them(world: World) -> None:
    merging = await lines(world, [[KITTEN], [KITTEN]], [[MOVED], [MOVED]], [[RENAMED], []])

    pause = await merging.paused()

    assert pause.waiting_for == "answers to 2 conflicts"
    edited, deleted = sorted(await merging.conflicts(), key=lambda conflict: conflict.file_name)
    assert (edited.kind, edited.base and edited.base.class_name) == ("edited", "cat")
    assert (edited.ours and edited.ours.class_name, edited.theirs and edited.theirs.class_name) == ("cat", "lynx")
    assert (deleted.kind, deleted.theirs) == ("deleted", None)
    assert (edited.file_name, edited.width, edited.height) == ("0.jpg", 100, 80)


async def test_a_task_that_is_woken_before_all_is_answered_waits_again(world: World) -> None:
    merging = await lines(world, [[KITTEN], [KITTEN]], [[MOVED], [MOVED]], [[RENAMED], []])
    await merging.paused()
    await merging.answer(take(Take.OURS))

    again = await merging.paused()

    assert not await all_answered(merging.work.task, world.database)
    assert again.result.conflicts is not None


async def test_answers_settle_the_conflicts_and_the_report_says_who_gave_them(world: World) -> None:
    merging = await lines(world, [[KITTEN, PUPPY]] * 3, [[MOVED, PUPPY]] * 3, [[RENAMED]] * 3)
    await merging.paused()
    blob = await world.blobs.put(EDITED.model_dump_json().encode())
    edited = ConflictAnswer(annotation=blob, by="bob", at=NOON)
    await merging.answer(take(Take.THEIRS), edited, take(Take.BOTH))

    outcome = await merging.ended()

    names = {conflict.asset: conflict.number for conflict in await merging.conflicts()}
    found = {names[asset]: row.layers[GROUND_TRUTH] for asset, row in (await world.rows(outcome)).items()}
    assert found[0] == (RENAMED,)
    assert [(row.class_name, row.id) for row in found[1]] == [("tiger", KITTEN.id)]
    assert [row.class_name for row in found[2]] == ["cat", "lynx"]
    assert len({row.id for row in found[2]}) == 2
    told = {finding.subject: finding.detail for finding in (await world.report(outcome)).findings}
    assert len(told) == 3
    by_number = [told[asset] for asset in sorted(names, key=lambda asset: names[asset])]
    assert "theirs was taken, as ann said" in by_number[0]
    assert "another annotation was given by bob" in by_number[1]
    assert outcome.result.conflicts == merging.work.task.result.conflicts


async def test_more_conflicts_than_a_sheet_holds_are_answered_with_one_word(world: World) -> None:
    count = SHEET + 5
    merging = await lines(world, [[KITTEN]] * count, [[MOVED]] * count, [[RENAMED]] * count)
    await merging.paused()
    sheets = world.database.documents(ConflictSheet)
    for number in (0, 1):
        empty = ConflictSheet.empty(merging.work.task.id, number, count=count)
        await sheets.add(empty.answered_rest(take(Take.THEIRS)))

    outcome = await merging.ended()

    assert await labels(world, outcome) == [(RENAMED,)] * count


async def test_no_answer_changes_once_it_was_read(world: World) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[RENAMED]])
    await merging.paused()
    sheet = await merging.answer(take(Take.OURS))

    await merging.ended()

    sheets = world.database.documents(ConflictSheet)
    with pytest.raises(Changed):
        await sheets.replace(sheet.answered({0: take(Take.THEIRS)}), was=sheet)
    assert (await sheets.get(sheet.id)).sealed


async def test_running_again_after_a_worker_died_gives_the_same_version(world: World) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[RENAMED]])
    await merging.paused()
    await merging.answer(take(Take.THEIRS))

    first = await merging.ended()
    (merging.work.scratch / "conflicts.jsonl").unlink()
    again = await merging.ended()

    assert first == again


async def test_answers_to_other_conflicts_than_are_found_are_not_used(world: World) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[RENAMED]])
    await merging.paused()
    await merging.answer(take(Take.OURS))
    result = merging.work.task.result
    assert result.conflicts is not None
    other = result.conflicts.model_copy(update={"lines": await world.blobs.put(b"{}\n")})
    merging.work.task = merging.work.task.model_copy(update={"result": result.model_copy(update={"conflicts": other})})

    with pytest.raises(Invalid, match="not those that this release finds"):
        await merging.ended()


@pytest.mark.parametrize(("on_conflict", "expected"), [(OnConflict.OURS, MOVED), (OnConflict.THEIRS, RENAMED)])
async def test_conflicts_are_settled_without_asking_and_reported(
    world: World, on_conflict: OnConflict, expected: AnnotationRow
) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[RENAMED]], on_conflict=on_conflict)

    outcome = await merging.ended()

    assert await labels(world, outcome) == [(expected,)]
    [finding] = (await world.report(outcome)).findings
    assert f"{on_conflict} was taken, as somebody said" in finding.detail


async def test_a_merge_that_must_not_have_conflicts_fails_with_them(world: World) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[RENAMED]], on_conflict=OnConflict.FAIL)

    outcome = await merging.ended()

    assert outcome.records == ()
    assert outcome.problem is not None
    assert "1 conflict:" in outcome.problem.detail
    assert len(outcome.problem.errors) == len((await world.report(outcome)).findings) == 1


async def test_the_base_is_the_nearest_common_ancestor(world: World) -> None:
    merging = await lines(world, [[KITTEN]], [[MOVED]], [[KITTEN, PUPPY]], base=None)
    versions = world.database.documents(Version)
    with pytest.raises(Invalid, match="no ancestor in common"):
        await merging.run()
    base = next(version for version in (await versions.list()).items if version.id not in merging.sides)
    for side in merging.sides:
        was = await versions.get(side)
        await versions.replace(was.successor(parents=(base.id,)), was=was)

    outcome = await merging.ended()

    assert outcome.result.summary["base"] == "pictures@1"
    assert await labels(world, outcome) == [(MOVED, PUPPY)]


async def test_excluded_assets_are_neither_asked_about_nor_kept(world: World) -> None:
    sides = [[KITTEN], [KITTEN]], [[MOVED], [MOVED]], [[RENAMED], [KITTEN]]
    unwanted = await world.version(await world.pictures([None]))
    merging = await lines(world, *sides, exclude=("d",))
    inputs = merging.work.task.inputs
    extra = inputs[0].model_copy(update={"pointer": "/exclude/0", "version": unwanted})
    merging.work.task = merging.work.task.model_copy(update={"inputs": (*inputs, extra)})

    outcome = await merging.ended()

    assert await labels(world, outcome) == [(MOVED,)]


async def test_a_tag_that_is_taken_is_refused_before_anybody_is_asked(world: World) -> None:
    sides = [[KITTEN]], [[MOVED]], [[RENAMED]]
    first, second = await lines(world, *sides, tag="best"), await lines(world, *sides, tag="best")
    await world.database.documents(Task).add(first.work.task)
    await first.paused()

    with pytest.raises(Invalid, match="has a tag 'best' already"):
        await second.run()


@pytest.mark.parametrize(
    "asked",
    [
        {"ours": "a"},
        {"sources": [{"ref": "a"}], "base": "b"},
        {"ours": "a", "theirs": "b", "near_duplicates": "stop"},
        {"sources": [{"ref": "a"}], "on_conflict": "ours"},
        {"ours": "a", "theirs": "b", "sources": [{"ref": "a"}]},
    ],
)
def test_a_merge_is_of_sources_or_of_lines(asked: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MergeParameters.model_validate({"dataset": "merged", **asked})
