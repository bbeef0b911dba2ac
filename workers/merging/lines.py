"""Two lines of work become one version; what both changed differently is asked, taken from one side, or refused."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.algebra_parameters import MergeParameters, OnConflict
from schemas.blobs import BlobRef
from schemas.conflicts import ConflictAnswer, ConflictList, Take
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.outcomes import Outcome, Pause, TaskResult
from storage.conflict_lists import ConflictFile
from storage.datasets.ancestry import nearest_common
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.datasets.restriction import Ids
from storage.datasets.tallies import ThreeWay
from storage.datasets.three_way import Sides, three_way
from storage.ports import Blobs, Database
from workers.drafts import all_given, version_of
from workers.merging.answers import all_answered, sealed_answers
from workers.merging.judge import Answer, Judge
from workers.merging.telling import kept_report, refused, summary_of, warnings_of
from workers.records import reserve_tag
from workers.work import Work

RESOLVE: Final = "resolve"
"""The step of a merge whose conflicts are being answered."""
TAKES: Final = {OnConflict.OURS: Take.OURS, OnConflict.THEIRS: Take.THEIRS}


class Lines(NamedTuple):
    """The versions of both lines and the one that they started from."""

    base: Version
    ours: Version
    theirs: Version


async def merge_lines(
    work: Work[MergeParameters], *, library: Library, blobs: Blobs, database: Database
) -> Outcome | Pause:
    """Return the version that two lines come to; under ``ask`` wait until each conflict is answered.

    The conflicts are found anew once they are answered: what is found depends on the three versions alone.
    """
    if work.task.step == RESOLVE and not await all_answered(work.task, database):
        return await _pause(work, work.task.result, database)
    lines = await _lines(work, library=library, database=database)
    file = ConflictFile(work.scratch / "conflicts.jsonl")
    ours = await library.content(lines.ours.digest)
    judge = Judge(file, images=ours, answer=await _answer(work, database), library=library, blobs=blobs)
    merged = await _merged(work, lines, judge, library=library)
    conflicts = await file.keep(blobs)
    _check_same(work, conflicts)
    result = TaskResult(conflicts=conflicts, summary=summary_of(lines.base, merged))
    if merged.is_open and work.parameters.on_conflict is OnConflict.ASK:
        return await _pause(work, result, database)
    report = await kept_report(merged, judge.findings, result.summary, preferred=_preferred(work), blobs=blobs)
    if merged.is_open:
        return refused(judge.findings, result, report)
    return await _outcome(work, lines, merged, result, report=report, library=library)


async def _lines(work: Work[MergeParameters], *, library: Library, database: Database) -> Lines:
    ours, theirs = [await library.version(work.task.version_of(f"/{side}")) for side in ("ours", "theirs")]
    if work.parameters.base is not None:
        return Lines(await library.version(work.task.version_of("/base")), ours, theirs)
    return Lines(await nearest_common(ours, theirs, database.documents(Version)), ours, theirs)


async def _answer(work: Work[MergeParameters], database: Database) -> Answer | None:
    """Return what settles each conflict; None if they are to be found first, or refused."""
    task = work.task
    take = TAKES.get(work.parameters.on_conflict)
    if take is not None:
        chosen = ConflictAnswer(take=take, by=task.created_by, at=task.created_at)
        return lambda _: chosen
    if task.step != RESOLVE or task.result.conflicts is None:
        return None
    answers = await sealed_answers(task.id, task.result.conflicts, database)
    return answers.get


async def _merged(work: Work[MergeParameters], lines: Lines, judge: Judge, *, library: Library) -> ThreeWay:
    base, ours, theirs = [await library.content(version.digest) for version in lines]
    unwanted = await all_given(work.task, "/exclude/{}", len(work.parameters.exclude), library=library)
    others = [given.content for given in unwanted]
    work.progress(0.1, "reading")
    ids = await library.asset_ids(base, ours, theirs, *others)
    sides = Sides(base, ours, theirs)
    if others:
        sides = Sides(base, *await asyncio.to_thread(_without, (ours, theirs), others, ids))
    work.progress(0.3, "merging")
    merged = await three_way(sides, decide=judge, prefer=_preferred(work), ids=ids, library=library)
    work.progress(0.7, "keeping the version")
    return merged


def _preferred(work: Work[MergeParameters]) -> Take:
    return TAKES.get(work.parameters.on_conflict, Take.OURS)


def _without(contents: Sequence[Content], unwanted: Sequence[Content], ids: Ids) -> list[Content]:
    return [excluded(content, unwanted, ids=ids) for content in contents]


def _check_same(work: Work[MergeParameters], conflicts: ConflictList | None) -> None:
    asked = work.task.result.conflicts
    if work.task.step == RESOLVE and asked != conflicts:
        raise Invalid(
            "The conflicts that were answered are not those that this release finds.",
            step="Retry the task, and answer anew.",
        )


async def _pause(work: Work[MergeParameters], result: TaskResult, database: Database) -> Pause:
    if work.parameters.tag is not None:  # taken only at the end, it would refuse what people answered for days
        await reserve_tag(work.task, work.parameters.dataset, work.parameters.tag, database)
    count = result.conflicts.count if result.conflicts else 0
    return Pause(step=RESOLVE, waiting_for=f"answers to {counted(count, 'conflict')}", result=result)


async def _outcome(
    work: Work[MergeParameters],
    lines: Lines,
    merged: ThreeWay,
    result: TaskResult,
    *,
    report: BlobRef,
    library: Library,
) -> Outcome:
    outcome = await version_of(
        work.parameters,
        merged.content,
        parents=[lines.ours.id, lines.theirs.id],
        library=library,
        summary=result.summary,
        report=report,
        warnings=warnings_of(merged),
    )
    return outcome.model_copy(update={"result": outcome.result.model_copy(update={"conflicts": result.conflicts})})
