"""What a merge of two lines has to say: its summary, report and warnings, and the problem of one that is refused."""

import asyncio
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from schemas.blobs import BlobRef
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Fault, Invalid
from schemas.outcomes import Outcome, TaskResult
from schemas.problems import FAULTS_SHOWN, Problem
from schemas.reports import Finding, Report
from storage.datasets.tallies import ThreeWay
from storage.ports import Blobs


def summary_of(base: Version, merged: ThreeWay) -> dict[str, JsonValue]:
    """Return in numbers what came from where; while it is open, only what is certain."""
    conflicts = sum(tally.conflicts for tally in merged.layers.values())
    found: dict[str, JsonValue] = {"base": f"{base.dataset_name}@{base.number}", "conflicts": conflicts}
    if merged.is_open:
        return found
    layers: dict[str, JsonValue] = {
        name: {
            "from_theirs": tally.theirs,
            "merged": tally.merged,
            "conflicts": tally.conflicts,
            "joined": tally.joined,
            "predictions_of_one_side": len(tally.whole),
        }
        for name, tally in merged.layers.items()
    }
    return {**found, "images_added": merged.added, "moved_by_both": len(merged.moved), "layers": layers}


def warnings_of(merged: ThreeWay) -> list[str]:
    """Return what is to be known of a merge, beyond its conflicts."""
    found = [
        f"The layer {name!r} joins several models' predictions, and so names none."
        for name in merged.dropped_predictions
    ]
    if merged.moved:
        found.append(f"Both sides put {counted(len(merged.moved), 'asset')} into other splits: see the report.")
    found += [
        f"On {counted(len(tally.whole), 'asset')} both sides have other predictions in {name!r}; one side's were kept."
        for name, tally in merged.layers.items()
        if tally.whole
    ]
    found += [
        f"Left out in {name!r}: {counted(tally.joined, 'annotation')} that ours has under another id or author."
        for name, tally in merged.layers.items()
        if tally.joined
    ]
    return found


async def kept_report(
    merged: ThreeWay, conflicts: Sequence[Finding], summary: dict[str, JsonValue], *, preferred: str, blobs: Blobs
) -> BlobRef:
    """Keep the whole story of a merge: what settled each conflict, and each choice that nobody was asked for."""

    def told() -> bytes:
        findings = (*conflicts, *_choices(merged, preferred))
        return Report(summary=summary, findings=findings).model_dump_json().encode()

    return await blobs.put(await asyncio.to_thread(told), media_type="application/json")


def refused(conflicts: Sequence[Finding], result: TaskResult, report: BlobRef) -> Outcome:
    """Return the outcome of a merge that must not have conflicts: the first in the problem, all in the report."""
    error = Invalid(
        f"{counted(len(conflicts), 'conflict')}: annotations that both sides changed differently.",
        step="Merge with on_conflict ask, ours or theirs; the report lists every conflict.",
        faults=[Fault(found.detail, found.subject) for found in conflicts[:FAULTS_SHOWN]],
    )
    return Outcome(problem=Problem.of(error, status=409), report=report, result=result)


def _choices(merged: ThreeWay, preferred: str) -> Iterator[Finding]:
    for asset in merged.moved:
        detail = f"Both sides put it into another split; that of {preferred} was taken."
        yield Finding(subject=asset, detail=detail, kind="split")
    for name, tally in merged.layers.items():
        for asset in tally.whole:
            detail = f"Both sides have other predictions in {name!r}; those of {preferred} were kept."
            yield Finding(subject=asset, detail=detail, kind="predictions")
