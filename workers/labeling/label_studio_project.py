"""A job as Label Studio takes it: a project with its configuration, and tasks to import."""

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from schemas.labeling import LabelingItem, LabelingJob
from schemas.schema import AssetId
from schemas.splits import Split
from storage.datasets.rows import ImageRow, to_row
from workers.formats.exporter import ExportedImage
from workers.formats.label_studio_writer import IMAGE, TAGS, results_of

KEPT: Final = "ymir"
"""The name under which Label Studio shows what is to be kept: as if a model of this name had predicted it."""
KIND_OF: Final = {"box": "rectangle", "polygon": "polygon", "mask": "brush", "keypoints": "keypoint"}
TITLE_LETTERS: Final = 50
MARK_LETTERS: Final = 12
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")


def mark_of(job: LabelingJob) -> str:
    """Return the part of the job's id that is in its project's title, by which it is found again."""
    return job.id[:MARK_LETTERS]


def is_of(project: dict[str, Any], job: LabelingJob) -> bool:
    """Tell whether a project was made for a job."""
    return job.id in (project.get("description") or "")


def project_of(job: LabelingJob) -> dict[str, Any]:
    """Return what a project is made of."""
    mark = f" ({mark_of(job)})"
    names = ", ".join(job.classes)
    room = TITLE_LETTERS - len(mark)
    title = names if len(names) <= room else f"{names[: room - 1]}…"
    return {
        "title": f"{title}{mark}",
        "description": f"{_for(job)}YMIR labeling job {job.id}",
        "label_config": configuration(job, kinds_of(job)),
        "expert_instruction": instruction(job),
        "show_instruction": bool(job.instructions),
        "enable_empty_annotation": True,
        "show_skip_button": True,
        "maximum_annotations": 1,
    }


def kinds_of(job: LabelingJob) -> frozenset[str]:
    """Return the kinds of regions that a job asks for: key points are put under the box of their object."""
    return frozenset({KIND_OF[job.annotation], *(("rectangle",) if job.annotation == "keypoints" else ())})


def kinds_shown(tasks: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the kinds of regions in what is to be kept."""
    predictions = (prediction for task in tasks for prediction in task.get("predictions", ()))
    return frozenset(result["from_name"] for prediction in predictions for result in prediction["result"])


def configuration(job: LabelingJob, kinds: frozenset[str]) -> str:
    """Return the configuration in which the classes of a job can be drawn as some kinds of regions."""
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in job.classes)
    controls = "".join(
        f'  <{tag} name="{name}" toName="{IMAGE}">\n{labels}  </{tag}>\n' for name, tag in TAGS.items() if name in kinds
    )
    image = f'  <Image name="{IMAGE}" value="${IMAGE}" zoomControl="true" rotateControl="true"/>\n'
    return f"<View>\n{image}{controls}</View>\n"


def instruction(job: LabelingJob) -> str:
    """Return the instructions as HTML whose addresses can be followed."""
    text, place = "", 0
    for link in _LINK.finditer(job.instructions):
        address = escape(link[0])
        text += escape(job.instructions[place : link.start()])
        text += f'<a href="{address}" target="_blank" rel="noopener">{address}</a>'
        place = link.end()
    return (text + escape(job.instructions[place:])).replace("\n", "<br>")


def task_of(item: LabelingItem, *, link: Callable[[AssetId], str]) -> dict[str, Any]:
    """Return an item as a task: the link to its image, what is needed to read it again, and what is to be kept."""
    data = {
        IMAGE: link(item.asset),
        "asset": item.asset,
        "file_name": item.file_name,
        "width": item.width,
        "height": item.height,
    }
    if not item.suggestions:
        return {"data": data}
    annotations = tuple(to_row(annotation) for annotation in item.suggestions)
    image = ExportedImage(
        item.file_name, item.width, item.height, Split.NONE, annotations, {}, ImageRow(bytes.fromhex(item.asset))
    )
    return {"data": data, "predictions": [{"model_version": KEPT, "result": results_of(image)}]}


def _for(job: LabelingJob) -> str:
    return f"To be labeled by {', '.join(job.labelers)}. " if job.labelers else ""
