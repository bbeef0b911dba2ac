"""Replay: what was done to a version's source is done to what is new in it, and merged into the version."""

import asyncio

from schemas.algebra_parameters import ReplayParameters
from schemas.counts import counted
from schemas.datasets import Version
from schemas.diffs import VersionDiff
from schemas.outcomes import Outcome
from schemas.problems import Problem
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.datasets.merge import MergeSource, merged
from storage.ports import Blobs, Database
from workers.drafts import reported, version_of
from workers.steps.guard import guarded, with_guard
from workers.steps.lineage import Lineage, named
from workers.steps.merge import told
from workers.steps.replaying import New, Replaying, source_of
from workers.steps.step import Refusal, Tools
from workers.work import Work


async def replay(work: Work[ReplayParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Make one version of a version and of what its steps make of the images that its source has got since.

    The steps are in the report. Nothing is taken away: what the source lost, or annotates in another way, is told.
    """
    task, asked = work.task, work.parameters
    lineage = Lineage(database)
    version = await library.version(task.version_of("/version"))
    onto = await library.version(task.version_of("/onto"))
    source = await _source(work, version, onto, lineage=lineage, library=library)
    work.progress(0.1, "looking for what is new")
    increment, warnings = await _increment(source, onto, library=library)
    work.progress(0.2, "replaying")
    replaying = Replaying(lineage, Tools(task.project, library, blobs, database))
    made = await replaying.of(version, New(source, increment))
    work.progress(0.6, "merging")
    parts = [await library.content(version.digest), made]
    ids = await library.asset_ids(*parts)
    result = await asyncio.to_thread(merged, [*map(MergeSource, parts)], strategy=asked.strategy, ids=ids)
    applied = told(result, asked.strategy)
    if not isinstance(applied, Refusal):
        applied = with_guard(applied, await guarded(applied.content, asked, library=library))
    summary = {
        **applied.summary,
        "source": named(source),
        "steps": len(replaying.steps),
        "new_in_source": increment.image_count(),
        "replayed_images": made.image_count(),
    }
    report = await reported(summary, (*replaying.steps, *applied.findings), blobs=blobs)
    if isinstance(applied, Refusal):
        return Outcome(problem=Problem.of(applied.error, status=409), report=report)
    work.progress(0.7, "keeping the version")
    outcome = await version_of(
        asked,
        applied.content,
        parents=[version.id, onto.id],
        library=library,
        summary=summary,
        report=report,
        warnings=(*warnings, *replaying.warnings, *applied.warnings),
    )
    return outcome.model_copy(update={"new_classes": tuple(replaying.new_classes.values())})


async def _source(
    work: Work[ReplayParameters], version: Version, onto: Version, *, lineage: Lineage, library: Library
) -> Version:
    if work.parameters.source is None:
        return await source_of(version, onto, lineage)
    return await library.version(work.task.version_of("/source"))


async def _increment(source: Version, onto: Version, *, library: Library) -> tuple[Content, list[str]]:
    """Return the images that the source has got, and what else changed in it."""
    before, after = await library.content(source.digest), await library.content(onto.digest)
    ids = await library.asset_ids(before, after)
    increment = await asyncio.to_thread(excluded, after, [before], ids=ids)
    return increment, _untaken(await library.diff(source.digest, onto.digest), source, onto)


def _untaken(diff: VersionDiff, source: Version, onto: Version) -> list[str]:
    """Return a warning for each kind of change that a replay does not take over."""
    since = f"between {named(source)} and {named(onto)}"
    told = []
    if not diff.added.count:
        told.append(f"No image was added {since}.")
    if diff.removed.count:
        told.append(f"Removed {since}: {counted(diff.removed.count, 'image')}; those that the version has, it keeps.")
    if diff.moved.count:
        told.append(f"Moved to another split {since}: {counted(diff.moved.count, 'image')}; the version keeps its own.")
    for layer, change in diff.layers.items():
        # An image that is new or gone changes its annotation state by that alone.
        if change.changed.count:
            anew = counted(change.changed.count, "image")
            told.append(f"Annotated anew in {layer!r} {since}: {anew}; that is not taken over.")
    return told
