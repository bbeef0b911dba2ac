"""A job as LabelFree takes it: the project, its storages, and what annotators start from."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from schemas.errors import Invalid
from schemas.labeling import LabelingItem, LabelingJob
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, ImageRow, to_row
from workers.formats.exporter import ExportedImage
from workers.formats.oriented import around_rotated
from workers.labeling.label_studio_project import instruction

# Detection, semantic and instance segmentation.
PROJECT_TYPES: Final[Mapping[str, int]] = {"box": 1, "mask": 2, "polygon": 4}
IMAGES: Final = ".*(jpe?g|png|bmp)"


def project_of(job: LabelingJob) -> dict[str, Any]:
    """Return what a project is made of; raise Invalid for a form of annotations that LabelFree has not."""
    if job.annotation not in PROJECT_TYPES:
        step = f"Ask for one of {', '.join(PROJECT_TYPES)}, or name another labeling tool."
        raise Invalid(f"LabelFree has no {job.annotation}.", step=step)
    return {
        "title": f"YMIR {job.id}",
        "collaborators": [*job.labelers],
        "label_config": configuration(job),
        "expert_instruction": instruction(job),
        "project_type": PROJECT_TYPES[job.annotation],
        "multimodal": False,
    }


def configuration(job: LabelingJob) -> str:
    """Return the classes of a job as LabelFree wants them, rectangles whatever is drawn: the project's type decides."""
    view = Element("View")
    SubElement(view, "Image", {"name": "image", "value": "$image", "crosshair": "true", "maxwidth": "100%"})
    labels = SubElement(view, "RectangleLabels", {"name": "label", "toName": "image"})
    for name in job.classes:
        SubElement(labels, "Label", {"value": name, "background": "green"})
    return tostring(view, encoding="unicode")


def import_storage(job: LabelingJob, project: int, path: PurePosixPath) -> dict[str, Any]:
    """Return what the storage is made of that a project takes its images from."""
    return {**_storage(project, path), "title": "input_dir", "use_pre_annotation": job.keep is not None}


def export_storage(project: int, path: PurePosixPath) -> dict[str, Any]:
    """Return what the storage is made of that a project writes to."""
    return {**_storage(project, path), "title": "output_dir"}


def shown(item: LabelingItem, *, name: str) -> ExportedImage:
    """Return an item with what is to be kept of it, as far as LabelFree can show it."""
    rows = tuple(_shown(to_row(annotation)) for annotation in item.suggestions)
    row = ImageRow(bytes.fromhex(item.asset))
    return ExportedImage(name, item.width, item.height, Split.NONE, rows, {}, row)


def _storage(project: int, path: PurePosixPath) -> dict[str, Any]:
    return {
        "path": str(path),
        "use_blob_urls": True,
        "project": project,
        "regex_filter": IMAGES,
        "description": f"{path.name} of {path.parent.name}",
    }


def _shown(row: AnnotationRow) -> AnnotationRow:
    """Return an annotation without rotation; for LabelFree a crowd is what is written as a mask, and nothing more."""
    if row.box is not None and row.rotation:
        row = row._replace(box=around_rotated(row.box, row.rotation), rotation=0.0)
    return row._replace(crowd=row.mask is not None and not row.polygons, keypoints=())
