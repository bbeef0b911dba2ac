"""Merge: several versions as one."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from schemas.algebra_parameters import FuseParameters, MergeParameters, Strategy
from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.problems import FAULTS_SHOWN
from schemas.reports import Finding
from storage.datasets.merge import Crossing, MergeConflict, Merged, MergeSource, merged
from workers.steps.guard import guarded, with_guard
from workers.steps.step import Applied, Inputs, Refusal, Tools, inputs_below

KEPT = {Strategy.HOST: "the earlier source's use is kept", Strategy.GUEST: "the later source's use is kept"}


async def merge(asked: MergeParameters, inputs: Inputs, tools: Tools) -> Applied | Refusal:
    """Join the sources; under ``stop`` an asset that two of them have is refused."""
    applied = told(await joined(asked, inputs, tools), asked.strategy)
    if isinstance(applied, Refusal):
        return applied
    return with_guard(applied, await guarded(applied.content, asked, library=tools.library))


async def joined(asked: MergeParameters | FuseParameters, inputs: Inputs, tools: Tools) -> Merged:
    """Return what the sources of a task come to when they are merged."""
    sources, exclude = inputs_below(inputs, "/sources"), inputs_below(inputs, "/exclude")
    ids = await tools.library.asset_ids(*sources, *exclude)
    parts = [MergeSource(content, source.split) for content, source in zip(sources, asked.sources, strict=True)]
    return await asyncio.to_thread(merged, parts, strategy=asked.strategy, exclude=exclude, ids=ids)


def told(result: Merged, strategy: Strategy) -> Applied | Refusal:
    """Return a merge with all that there is to say of it, or its conflicts."""
    if result.conflicts:
        return _refusal(result.conflicts)
    across = Counter(_move(crossing) for crossing in result.crossings)
    summary: dict[str, JsonValue] = {
        "joint": dict[str, JsonValue](result.joint),
        "across_splits": dict[str, JsonValue](sorted(across.items())),
    }
    warnings = _dropped_predictions(result)
    if across:
        moves = ", ".join(f"{move}: {count}" for move, count in sorted(across.items()))
        warnings.append(
            f"In different splits of the sources: {counted(across.total(), 'image')} ({moves}); {KEPT[strategy]}."
        )
    findings = [
        Finding(
            subject=crossing.asset,
            detail=f"{_move(crossing)}: source {crossing.source + 1} puts it to another use than one before it.",
            kind="in two splits",
        )
        for crossing in result.crossings
    ]
    return Applied(result.content, summary, tuple(warnings), tuple(findings))


def _move(crossing: Crossing) -> str:
    return f"{crossing.before}->{crossing.after}"


def _refusal(conflicts: Sequence[MergeConflict]) -> Refusal:
    """Return a refusal with the first conflicts in its error, all of them in its findings."""
    faults = [Fault(_told(conflict), conflict.asset) for conflict in conflicts[:FAULTS_SHOWN]]
    error = Invalid(
        f"{counted(len(conflicts), 'conflict')}: assets that two sources have, under the strategy stop.",
        step="Merge with the strategy host or guest, or exclude one side's assets; the report lists every conflict.",
        faults=faults,
    )
    findings = [Finding(subject=conflict.asset, detail=_told(conflict), kind=conflict.what) for conflict in conflicts]
    return Refusal(error, {"conflicts": len(conflicts)}, tuple(findings))


def _dropped_predictions(result: Merged) -> list[str]:
    """Return a warning for each layer that holds the predictions of several models now."""
    return [
        f"The layer {name!r} joins several models' predictions, and so names none."
        for name in result.dropped_predictions
    ]


def _told(conflict: MergeConflict) -> str:
    return f"{conflict.what}: source {conflict.source + 1} and one before it both have the asset."
