"""Merge: the sources become one version."""

import asyncio
from collections.abc import Sequence

from pydantic import JsonValue

from schemas.algebra_parameters import FuseParameters, MergeParameters
from schemas.errors import Fault, Invalid
from schemas.outcomes import Outcome
from schemas.problems import FAULTS_SHOWN, Problem
from schemas.reports import Finding, Report
from storage.datasets.library import Library
from storage.datasets.merge import MergeConflict, Merged, MergeSource, merged
from storage.ports import Blobs
from workers.drafts import Given, all_given, version_of
from workers.work import Work


async def merge(work: Work[MergeParameters], *, library: Library, blobs: Blobs) -> Outcome:
    """Join the sources into one new version; under ``stop``, fail with every conflict in the report.

    Writes only blobs, named by their content; the version becomes visible when the consumer,
    still owning the task, records the outcome. So it may run any number of times.
    """
    if work.parameters.ours is not None:
        raise Invalid("This release merges sources only.", step="Give sources, and a strategy for what both have.")
    sources, joined = await joined_sources(work, library=library)
    if joined.conflicts:
        return await conflicting(joined, blobs=blobs)
    return await version_of(
        work.parameters,
        joined.content,
        parents=[source.version for source in sources],
        library=library,
        summary={"joint": dict[str, JsonValue](joined.joint)},
        warnings=dropped_predictions(joined),
    )


async def joined_sources(
    work: Work[MergeParameters] | Work[FuseParameters], *, library: Library
) -> tuple[list[Given], Merged]:
    """Return the sources of a task, and what they come to when they are merged."""
    asked = work.parameters
    sources = await all_given(work.task, "/sources/{}/ref", len(asked.sources), library=library)
    unwanted = await all_given(work.task, "/exclude/{}", len(asked.exclude), library=library)
    work.progress(0.1, "reading")
    exclude = [given.content for given in unwanted]
    ids = await library.asset_ids(*(given.content for given in sources), *exclude)
    work.progress(0.4, "merging")
    parts = [MergeSource(given.content, source.split) for given, source in zip(sources, asked.sources, strict=True)]
    joined = await asyncio.to_thread(merged, parts, strategy=asked.strategy, exclude=exclude, ids=ids)
    work.progress(0.7, "keeping the version")
    return sources, joined


async def conflicting(joined: Merged, *, blobs: Blobs) -> Outcome:
    """Return the outcome of a merge that must stop: the first conflicts in the problem, all of them in the report."""
    faults = [Fault(_told(conflict), conflict.asset) for conflict in joined.conflicts[:FAULTS_SHOWN]]
    error = Invalid(
        f"{len(joined.conflicts)} conflicts: assets that two sources have, under the strategy stop.",
        step="Merge with the strategy host or guest, or exclude one side's assets; the report lists every conflict.",
        faults=faults,
    )
    report = await asyncio.to_thread(_report, joined.conflicts)
    return Outcome(problem=Problem.of(error, status=409), report=await blobs.put(report, media_type="application/json"))


def dropped_predictions(joined: Merged) -> list[str]:
    """Return a warning for each layer that holds the predictions of several models now."""
    return [
        f"The layer {name!r} joins several models' predictions, and so names none."
        for name in joined.dropped_predictions
    ]


def _report(conflicts: Sequence[MergeConflict]) -> bytes:
    findings = [Finding(subject=conflict.asset, detail=_told(conflict), kind=conflict.what) for conflict in conflicts]
    return Report(summary={"conflicts": len(conflicts)}, findings=tuple(findings)).model_dump_json().encode()


def _told(conflict: MergeConflict) -> str:
    return f"{conflict.what}: source {conflict.source + 1} and one before it both have the asset."
