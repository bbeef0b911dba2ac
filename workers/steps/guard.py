"""The guard of splits: near-duplicates in two of training, validation and test are told, or stop a task."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.near_duplicates import GuardsSplits, NearDuplicates
from schemas.problems import FAULTS_SHOWN
from schemas.reports import Finding
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.near_duplicates import USED, Leakage, NearDuplicate, leakage
from workers.steps.step import Applied, Refusal

AUTO_AT_MOST: Final = 20_000
"""So many images are looked at in next to no time."""
SUMMARY: Final = "near_duplicates_across_splits"


class Guarded(NamedTuple):
    """What the guard has to say, and what stands against the task."""

    summary: Mapping[str, JsonValue] = {}
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: Invalid | None = None


async def guarded(content: Content, asked: GuardsSplits, *, library: Library) -> Guarded:
    """Return the near-duplicates across the splits of a content, if they are asked for or are found at once."""
    images = content.image_count(*USED)
    is_asked = asked.near_duplicates in {NearDuplicates.REPORT, NearDuplicates.STOP}
    if asked.near_duplicates is NearDuplicates.IGNORE or not (is_asked or images <= AUTO_AT_MOST):
        return Guarded()
    if sum(bool(content.image_count(split)) for split in USED) <= 1:
        return Guarded({SUMMARY: {}})
    ids = await library.asset_ids(content)
    result = await leakage(content, distance=asked.distance, ids=ids, library=library)
    return _told(result, asked, is_asked=is_asked)


def with_guard(applied: Applied, guard: Guarded) -> Applied | Refusal:
    """Return a step's result with what the guard has to say, or its refusal."""
    summary = {**applied.summary, **guard.summary}
    findings = (*applied.findings, *guard.findings)
    if guard.error is not None:
        return Refusal(guard.error, summary, findings)
    return applied._replace(summary=summary, warnings=(*applied.warnings, *guard.warnings), findings=findings)


def _told(result: Leakage, asked: GuardsSplits, *, is_asked: bool) -> Guarded:
    moves = Counter(f"{one.of_split}->{one.split}" for one in result.found)
    summary: dict[str, JsonValue] = {SUMMARY: dict[str, JsonValue](sorted(moves.items()))}
    warnings = []
    if result.without_hash and (is_asked or result.without_hash < result.looked_at):
        warnings.append(f"Not compared, as they came in without files: {counted(result.without_hash, 'image')}.")
    findings = tuple(Finding(subject=one.asset, detail=_pair(one), kind="near-duplicate") for one in result.found)
    if not result.found:
        return Guarded(summary, tuple(warnings))
    moved = ", ".join(f"{move}: {count}" for move, count in sorted(moves.items()))
    told = (
        f"Near-duplicates (at most {asked.distance} of 256 bits differ) in an earlier split: "
        f"{counted(len(result.found), 'image')}, as {moved}."
    )
    if asked.near_duplicates is not NearDuplicates.STOP:
        return Guarded(
            summary, (*warnings, f"{told} What is measured there may be too good; the report names all."), findings
        )
    error = Invalid(
        f"{told} What is measured there would be too good.",
        step="Split with keep_together near_duplicates, exclude one side, or allow it with near_duplicates report.",
        faults=[Fault(_pair(one), one.asset) for one in result.found[:FAULTS_SHOWN]],
    )
    return Guarded(summary, tuple(warnings), findings, error)


def _pair(one: NearDuplicate) -> str:
    return f"{one.split}: differs in {one.distance} of 256 bits from {one.of} ({one.of_split})"
