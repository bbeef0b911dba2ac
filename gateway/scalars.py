"""Scalars: what trainings told of themselves, thinned out to what was asked for."""

import asyncio
from collections.abc import Collection
from typing import Final

from schemas.errors import Fault, Invalid
from schemas.schema import Digest
from schemas.training_logs import ScalarPoint, Scalars, ScalarSeries, ScalarTable, TrainingLogs
from storage.ports import Blobs

TAGS_TOLD: Final = 20
TOLD_AT_MOST: Final = 50_000
"""Values in one answer; of many tags at once fewer are told of each."""


async def scalars_of(logs: TrainingLogs | None, *, tags: Collection[str], points: int, blobs: Blobs) -> Scalars:
    """Return the scalars of some tags, of all when none is named; raise Invalid for one that is not there."""
    if logs is None:
        return Scalars()
    data = await blobs.get(logs.scalars.digest)
    return await asyncio.to_thread(_chosen, data, logs.scalars.digest, tags, points)


def _chosen(data: bytes, digest: Digest, tags: Collection[str], points: int) -> Scalars:
    try:
        table = ScalarTable.model_validate_json(data)
    except ValueError as error:
        raise Invalid(f"The scalars {digest} cannot be read: {error}.", step="Restore them from a back-up.") from error
    faults = [Fault(f"There is no tag {tag!r}.", "?tag") for tag in tags if tag not in table.tags]
    if faults:
        known = ", ".join(sorted(table.tags)[:TAGS_TOLD]) or "none"
        raise Invalid("Some tags do not exist.", step=f"There are {len(table.tags)}: {known}.", faults=faults)
    wanted = {tag: series for tag, series in table.tags.items() if not tags or tag in tags}
    points = min(points, max(2, TOLD_AT_MOST // max(1, len(wanted))))
    return Scalars(
        tags=tuple(sorted(table.tags)),
        series={tag: _thinned(series, points) for tag, series in wanted.items()},
        thinned=tuple(tag for tag, series in wanted.items() if len(series.steps) > points),
    )


def _thinned(series: ScalarSeries, points: int) -> tuple[ScalarPoint, ...]:
    """Return so many points at most, evenly, the first and the last among them."""
    last = len(series.steps) - 1
    chosen = range(last + 1) if last < points else [round(last * n / (points - 1)) for n in range(points)]
    return tuple(
        ScalarPoint(step=series.steps[n], wall_time=series.wall_times[n], value=series.values[n]) for n in chosen
    )
