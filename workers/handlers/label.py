"""Label: ask people for annotations, wait for as long as they take, and make a version of their answers."""

import asyncio
from typing import Final, NamedTuple

from pydantic import JsonValue

from schemas.annotations import GROUND_TRUTH
from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.events import EventType, Fact, event_id
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import ItemState, LabelingItem
from schemas.outcomes import Outcome, Pause, TaskResult
from schemas.reports import Finding, Report
from storage.datasets.content import Content, LayerContent
from storage.datasets.inherit import inherited
from storage.datasets.library import Library
from storage.datasets.restriction import image_rows_of, restricted
from storage.datasets.rows import AnnotationRow, ImageRow, to_row
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from storage.ports import Blobs, Database
from workers.drafts import version_draft
from workers.labeling.jobs import WITHOUT_TOOL, is_closed, job_id, open_job, sealed
from workers.labeling.using import ANSWERS, LabelingTools
from workers.records import reserve_tag
from workers.work import Work

COLLECT: Final = "collect"
COLLECTING: Final = frozenset({COLLECT, WITHOUT_TOOL})


class Labels(NamedTuple):
    """The answers of a job: annotations by asset, the assets that were skipped, and why others have no answer."""

    annotations: dict[bytes, tuple[AnnotationRow, ...]]
    skipped: list[str]
    unanswered: dict[str, str]


async def label(
    work: Work[LabelParameters], *, library: Library, database: Database, blobs: Blobs, tools: LabelingTools
) -> Outcome | Pause:
    """Open a labeling job and wait; once it is closed, return a version of the labeled images alone.

    A tool is asked for what it has whenever the task is woken, by a hook or the clock: no answer is lost with a hook.
    An image labeled without annotations is in the ground truth as empty; a skipped one is in the report only.
    """
    source = await library.version(work.task.version_of("/source"))
    content = await library.content(source.digest)
    if work.task.step not in COLLECTING:
        if work.parameters.tag is not None:  # taken only at the end, it would refuse what people did for days
            await reserve_tag(work.task, work.parameters.dataset, work.parameters.tag, database)
        await open_job(work, content, library=library, database=database)
        if hindrance := await tools.opened(work):
            return _pause(work, tools, step="", waiting_for=hindrance)
        return _pause(work, tools, facts=(_fact(work, EventType.LABELING_REQUESTED),))
    waiting_for, is_hindered, warnings = await tools.collected(work)
    if is_hindered:
        return _pause(work, tools, step=WITHOUT_TOOL, waiting_for=waiting_for)
    if not await is_closed(work.task, database):
        return _pause(work, tools, waiting_for=waiting_for)
    labels = await _labels(work, database)
    if not labels.annotations:
        raise Invalid(
            f"No image was labeled: {len(labels.skipped)} were skipped, {len(labels.unanswered)} not answered.",
            step="Ask for labels again, or label at least one image before the job is closed.",
        )
    outcome = await _outcome(work, content, labels, parent=source.id, library=library, blobs=blobs)
    return outcome.model_copy(update={"warnings": warnings})


def _pause(
    work: Work[LabelParameters],
    tools: LabelingTools,
    *,
    step: str = COLLECT,
    waiting_for: str = ANSWERS,
    facts: tuple[Fact, ...] = (),
) -> Pause:
    result = TaskResult(labeling=job_id(work.task.id))
    return Pause(step=step, waiting_for=waiting_for, until=tools.until(work), result=result, facts=facts)


def _fact(work: Work[LabelParameters], event_type: EventType) -> Fact:
    task, job = work.task, job_id(work.task.id)
    return Fact(
        id=event_id(task.id, event_type, job),
        type=event_type,
        subject=job,
        time=work.now(),
        data={"task": task.id, "project": task.project, "labeling": job},
    )


async def _labels(work: Work[LabelParameters], database: Database) -> Labels:
    labels = Labels({}, [], {})
    async for item in sealed(job_id(work.task.id), database):
        match item.state:
            case ItemState.LABELED:
                labels.annotations[bytes.fromhex(item.asset)] = _rows(item)
            case ItemState.SKIPPED:
                labels.skipped.append(item.asset)
            case ItemState.OPEN:
                refused = f"was answered with what cannot be kept: {item.refused}"
                labels.unanswered[item.asset] = refused if item.refused else "was never answered"
    return labels


def _rows(item: LabelingItem) -> tuple[AnnotationRow, ...]:
    authors = (given.author or item.author for given in item.annotations)
    authored = zip(item.annotations, authors, strict=True)
    return tuple(to_row(given.model_copy(update={"author": author})) for given, author in authored)


async def _outcome(
    work: Work[LabelParameters], content: Content, labels: Labels, *, parent: str, library: Library, blobs: Blobs
) -> Outcome:
    labeled = await _content(work, content, labels, library=library)
    kept = await library.keep(labeled)
    empty = sum(not annotations for annotations in labels.annotations.values())
    summary: dict[str, JsonValue] = {
        "labeled": len(labels.annotations),
        "empty": empty,
        "skipped": len(labels.skipped),
        "unanswered": len(labels.unanswered),
    }
    return Outcome(
        records=(version_draft(work.parameters, kept, parents=(parent,)),),
        result=TaskResult(labeling=job_id(work.task.id), summary=summary),
        report=await _report(labels, summary, blobs=blobs),
        facts=(_fact(work, EventType.LABELING_COMPLETED),),
    )


async def _content(work: Work[LabelParameters], source: Content, labels: Labels, *, library: Library) -> Content:
    images = [ImageRow(asset) for asset in labels.annotations]
    annotations = list(labels.annotations.values())
    if work.parameters.base is not None:
        base = await library.content((await library.version(work.task.version_of("/base"))).digest)
        annotations = await inherited(images, annotations, base=base, layer=GROUND_TRUTH, library=library)
    built = await asyncio.to_thread(build_segment, images, annotations, layer=GROUND_TRUTH, described=False)
    segment = await library.keep_segment(built)
    labeled = LayerContent({segment: all_rows(len(images))})
    ids = await library.asset_ids(source, Content(layers={GROUND_TRUTH: labeled}))
    chosen = restricted(source, image_rows_of(source, labeled.masks, ids=ids), ids=ids)
    return chosen.with_layer(GROUND_TRUTH, labeled)


async def _report(labels: Labels, summary: dict[str, JsonValue], *, blobs: Blobs) -> BlobRef:
    return await blobs.put(await asyncio.to_thread(_told, labels, summary), media_type="application/json")


def _told(labels: Labels, summary: dict[str, JsonValue]) -> bytes:
    skipped = [
        Finding(subject=asset, detail="was skipped by its annotator", kind="skipped") for asset in labels.skipped
    ]
    open_ = [Finding(subject=asset, detail=why, kind="unanswered") for asset, why in labels.unanswered.items()]
    return Report(summary=summary, findings=(*skipped, *open_)).model_dump_json().encode()
