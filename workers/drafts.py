"""What handlers that make versions have in common: the contents they are given, and the outcome with a new one."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from schemas.blobs import BlobRef
from schemas.outcomes import Outcome, TaskResult, VersionDraft
from schemas.parameters import MakesVersion
from schemas.reports import Finding, Report
from schemas.schema import Id
from schemas.tasks import Task
from storage.datasets.content import Content
from storage.datasets.library import Kept, Library
from storage.ports import Blobs


class Given(NamedTuple):
    """A version that a task was given, and its content."""

    version: Id
    content: Content


async def given(task: Task, pointer: str, *, library: Library) -> Given:
    """Return what the ref at a JSON pointer named when the task was accepted."""
    version = await library.version(task.version_of(pointer))
    return Given(version.id, await library.content(version.digest))


async def all_given(task: Task, pointer: str, count: int, *, library: Library) -> list[Given]:
    """Return what a list of refs named, one after the other; ``{}`` in the pointer stands for the position."""
    return [await given(task, pointer.format(position), library=library) for position in range(count)]


def version_draft(asked: MakesVersion, kept: Kept, *, parents: Sequence[Id]) -> VersionDraft:
    """Return the draft of the version that was asked for, of a content that is kept."""
    return VersionDraft(
        dataset=asked.dataset,
        tag=asked.tag,
        digest=kept.digest,
        manifest=kept.manifest,
        parents=tuple(dict.fromkeys(parents)),
        message=asked.message,
        keywords=tuple(dict.fromkeys(asked.keywords)),
        counts=kept.counts,
    )


async def reported(summary: Mapping[str, JsonValue], findings: Sequence[Finding], *, blobs: Blobs) -> BlobRef | None:
    """Keep a report of what there is to say beside a task's result; none if there are no findings."""
    if not findings:
        return None
    report = Report(summary=dict(summary), findings=tuple(findings))
    data = await asyncio.to_thread(report.model_dump_json)
    return await blobs.put(data.encode(), media_type="application/json")


async def version_of(
    asked: MakesVersion,
    content: Content,
    *,
    parents: Sequence[Id],
    library: Library,
    summary: Mapping[str, JsonValue] | None = None,
    report: BlobRef | None = None,
    warnings: Sequence[str] = (),
) -> Outcome:
    """Keep a content and return the outcome that makes it the version asked for."""
    kept = await library.keep(content)
    return Outcome(
        records=(version_draft(asked, kept, parents=parents),),
        result=TaskResult(summary={"images": kept.counts.images, **(summary or {})}),
        report=report,
        warnings=tuple(warnings),
    )
