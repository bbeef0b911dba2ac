"""Garbage collection: what was hidden long ago goes for good, and every old blob that nothing names any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import NonNegativeInt

from schemas.datasets import Statistics
from schemas.errors import Conflict, Invalid, NotFound
from schemas.manifests import Segment
from schemas.schema import Id, Instant, Schema
from schemas.tasks import Task
from storage.collection.digests import Digests
from storage.collection.forgetting import Gone, forget
from storage.collection.hidden import Doomed, doomed
from storage.collection.marks import Marks, Watch
from storage.collection.sweep import Sweep, Tally
from storage.collection.unfinished import unfinished
from storage.ports import Blobs, Clock, Database

HIDDEN_DAYS: Final = 30
STEP: Final = "Restore what is missing from a back-up, or remove the version that needs it; then collect again."


class Collected(Schema):
    """What a collection removed; a dry run, what it would have removed."""

    dry_run: bool
    versions: NonNegativeInt
    models: NonNegativeInt
    evaluations: NonNegativeInt
    datasets: NonNegativeInt
    held: NonNegativeInt
    """Versions and models that were hidden long ago, and stay because something refers to them."""
    segments: NonNegativeInt
    horizon: Instant
    """Blobs that were written or refreshed since then stay, named or not."""
    removed: Tally
    young: Tally
    """Blobs without a name that stay because they are young: work in progress may be about to name them."""
    named: Tally


async def collect(
    database: Database,
    blobs: Blobs,
    *,
    clock: Clock,
    watch: Watch,
    hidden_days: int = HIDDEN_DAYS,
    dry_run: bool = False,
) -> Collected:
    """Remove for good what was hidden so many days ago, then every old blob that nothing names.

    It may run beside everything else, and be stopped at any moment. Memory does not grow with the blobs: their names
    take 32 bytes each of a temporary folder. Raise Invalid, before any blob is removed, if something that is named
    cannot be read; Unavailable if a store does not answer.
    """
    now = clock()
    in_use = await unfinished(database.documents(Task))
    horizon = in_use.horizon(now)
    with _unreadable():
        plan = await doomed(database, blobs, before=now - timedelta(days=hidden_days), in_use=in_use)
    gone = _foreseen(plan) if dry_run else await forget(plan, database)
    with TemporaryDirectory(prefix="ymir-collection-") as folder:
        names = Digests(Path(folder))
        marks = Marks(database, blobs, names=names, watch=watch)
        with _unreadable():
            await marks.documents(without=_ids(plan) if dry_run else frozenset(), gone=gone.versions)
            segments = await _forget_derived(marks, database, horizon=horizon, dry_run=dry_run)
        sweep = Sweep(blobs, names=names, horizon=horizon, dry_run=dry_run, watch=watch)
        await sweep.run()
    return Collected(
        dry_run=dry_run,
        versions=len(gone.versions),
        models=gone.models,
        evaluations=gone.evaluations,
        datasets=gone.datasets,
        held=plan.held,
        segments=segments,
        horizon=horizon,
        removed=sweep.removed,
        young=sweep.young,
        named=sweep.named,
    )


def _foreseen(plan: Doomed) -> Gone:
    due = plan.due
    return Gone(due.versions, len(due.models), len(plan.evaluations), len(due.datasets))


def _ids(plan: Doomed) -> frozenset[Id]:
    return frozenset({*plan.due.versions, *plan.due.models, *plan.due.datasets, *plan.evaluations})


@contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except (Invalid, NotFound) as error:
        raise Invalid(f"No blob was removed: what is named cannot be read. {error.detail}", step=STEP) from error


async def _forget_derived(marks: Marks, database: Database, *, horizon: datetime, dry_run: bool) -> int:
    """Mark what segments and statistics name, and remove those of nothing; return how many segments that are."""
    segments, statistics = await marks.segments(horizon=horizon), await marks.statistics()
    if dry_run:
        return len(segments)
    for one in statistics:
        await database.documents(Statistics).remove(one.id)
    return sum([await _has_gone(segment, database, marks) for segment in segments])


async def _has_gone(segment: Segment, database: Database, marks: Marks) -> bool:
    try:
        await database.documents(Segment).remove(segment.id, was=segment)
    except Conflict:
        await marks.segment(segment)  # it was kept again just now
        return False
    return True
