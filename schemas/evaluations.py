"""Evaluations: how well a layer of predictions meets a ground truth."""

from typing import ClassVar

from pydantic import NonNegativeInt

from schemas.annotations import ClassName, LayerName
from schemas.blobs import BlobRef
from schemas.schema import Document, Id, Instant, Schema


class Figures(Schema):
    """Precision and recall of one class, or the mean over classes; None where there is nothing to measure."""

    ap: float | None = None
    """Mean average precision at IoU 0.5:0.95, by COCO's protocol."""
    ap50: float | None = None
    ap75: float | None = None
    ar: float | None = None
    """Mean recall at IoU 0.5:0.95."""
    ground_truths: NonNegativeInt = 0
    predictions: NonNegativeInt = 0
    true_positives: NonNegativeInt = 0
    false_positives: NonNegativeInt = 0
    false_negatives: NonNegativeInt = 0


class ClassFigures(Figures):
    """The figures of one class."""

    class_name: ClassName


class EvaluationTable(Schema):
    """All figures of an evaluation: for each class, and for each value of the attribute asked for."""

    classes: tuple[ClassFigures, ...] = ()
    by_value: dict[str, Figures] = {}


class Evaluation(Document):
    """What was measured on one version; the table by class and the marks are blobs."""

    KIND: ClassVar[str] = "evaluation"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "version", "layer", "task", "created_at")

    id: Id
    project: Id
    version: Id
    layer: LayerName
    ground_truth: LayerName
    iou: float
    confidence: float
    max_detections: int
    images: NonNegativeInt
    overall: Figures
    table: BlobRef
    """An ``EvaluationTable`` as JSON."""
    marks: BlobRef
    """Parquet: asset, annotation, class, layer, mark (tp, fp, fn, mtp), match, IoU."""
    task: Id
    created_at: Instant


class EvaluationReport(Evaluation):
    """An evaluation together with its table."""

    figures: EvaluationTable
