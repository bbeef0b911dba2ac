"""Evaluations: how well a layer of predictions meets a ground truth."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from schemas.annotations import AnnotationId, ClassName, LayerName
from schemas.blobs import BlobRef
from schemas.schema import AssetId, Document, Id, Instant, Schema


def rates(hits: int, misses: int, truths: int) -> dict[str, Any]:
    """Return precision, recall and F1 of true positives, false positives and ground truths; None: a share of none."""
    return {
        "precision": hits / (hits + misses) if hits + misses else None,
        "recall": hits / truths if truths else None,
        "f1": 2 * hits / (hits + misses + truths) if truths else None,
    }


class Measure(StrEnum):
    """What of the annotations is compared."""

    BOXES = "boxes"
    MASKS = "masks"
    KEYPOINTS = "keypoints"
    SEMANTIC = "semantic"
    """Pixels: which class each has, whatever the objects are."""


class Figures(Schema):
    """Precision and recall of one class, or the mean over classes; None where there is nothing to measure."""

    ap: float | None = None
    """Mean average precision at IoU 0.5:0.95, by COCO's protocol."""
    ap50: float | None = None
    ap75: float | None = None
    ap_small: float | None = None
    """AP of objects below 32 x 32 pixels."""
    ap_medium: float | None = None
    ap_large: float | None = None
    """AP of objects above 96 x 96 pixels."""
    ap_voc: float | None = None
    """AP at IoU 0.5 by Pascal VOC's protocol of 2010: the area under the curve, difficult objects left out."""
    ap_boxes: float | None = None
    """AP of the boxes, where masks are measured."""
    ar: float | None = None
    """Mean recall at IoU 0.5:0.95."""
    ar_1: float | None = None
    """The same with only the surest prediction of each image."""
    ar_10: float | None = None
    ar_small: float | None = None
    ar_medium: float | None = None
    ar_large: float | None = None
    precision: float | None = None
    """At the evaluation's IoU and confidence, as the counts are; over all classes, of the summed counts."""
    recall: float | None = None
    f1: float | None = None
    best_f1: float | None = None
    """The greatest F1 at any confidence."""
    best_confidence: float | None = None
    """The confidence at which it is reached."""
    accuracy: float | None = None
    """The share of a class's pixels that were given to it."""
    iou: float | None = None
    """Pixels of a class that were given to it, among those that are of it or were given to it."""
    pixel_accuracy: float | None = None
    """The share of all pixels that were given to their class."""
    ground_truths: NonNegativeInt = 0
    predictions: NonNegativeInt = 0
    true_positives: NonNegativeInt = 0
    false_positives: NonNegativeInt = 0
    false_negatives: NonNegativeInt = 0


class ClassFigures(Figures):
    """The figures of one class."""

    class_name: ClassName


class Recall(Schema):
    """How many ground truths were found, at the evaluation's IoU and confidence."""

    ground_truths: NonNegativeInt = 0
    found: NonNegativeInt = 0


class EvaluationTable(Schema):
    """All figures of an evaluation: for each class, and for each value of the attribute asked for."""

    classes: tuple[ClassFigures, ...] = ()
    by_value: dict[str, Figures] = {}
    recall_by_value: dict[str, Recall] = {}
    """By the values of an attribute of the ground truth's annotations."""


class ClassCurves(Schema):
    """How a class does at every recall and every confidence: 101 numbers each, from 0 to 1 in steps of 0.01."""

    class_name: ClassName
    ground_truths: NonNegativeInt
    precision: tuple[float, ...] = ()
    """By recall: the mean over IoU 0.5:0.95."""
    precision50: tuple[float, ...] = ()
    """By recall: at IoU 0.5."""
    confidence50: tuple[float, ...] = ()
    """By recall: the confidence from which predictions reach it at IoU 0.5; 0 where none do."""
    true_positives: tuple[NonNegativeInt, ...] = ()
    """By confidence: at the evaluation's IoU."""
    false_positives: tuple[NonNegativeInt, ...] = ()


class Confusions(Schema):
    """How often what is of one class was taken for another, at the evaluation's IoU and confidence."""

    classes: tuple[ClassName, ...] = ()
    cells: tuple[tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt], ...] = ()
    """Ground truth, prediction, count: places among the classes; one beyond the last stands for the background."""
    left_out: NonNegativeInt = 0
    """Further cells, with smaller counts."""


class CurvesTable(Schema):
    """What plots are drawn of, and figures at other confidences made of."""

    classes: tuple[ClassCurves, ...] = ()
    confusions: Confusions = Confusions()


class ErrorKind(StrEnum):
    """What may be wrong with a label."""

    OVERLOOKED = "overlooked"
    """The model is sure of an object where nothing is labeled."""
    SWAPPED = "swapped"
    """The model is sure of another class."""
    MISPLACED = "misplaced"
    """The model is sure of an object that the label only touches."""
    SPURIOUS = "spurious"
    """Nothing was predicted where the label is, at whatever confidence."""


class LabelError(Schema):
    """A label that is likely wrong."""

    kind: ErrorKind
    score: float
    """How likely, from 0 to 1: an order, no probability."""
    asset: AssetId
    annotation: AnnotationId | None = None
    """The ground truth, where there is one."""
    prediction: AnnotationId | None = None
    class_name: ClassName | None = None
    """The class as labeled."""
    predicted_class: ClassName | None = None
    iou: float | None = None
    """How far both boxes overlap."""


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
    measure: Measure = Measure.BOXES
    images: NonNegativeInt
    overall: Figures
    table: BlobRef
    """An ``EvaluationTable`` as JSON."""
    marks: BlobRef
    """Parquet: asset, annotation, class, layer, mark (tp, fp, fn, mtp), match, IoU."""
    curves: BlobRef | None = None
    """A ``CurvesTable`` as JSON; evaluations of older releases have none."""
    label_errors: BlobRef | None = None
    """Parquet: one ``LabelError`` a row, the likeliest first."""
    task: Id
    created_at: Instant


class EvaluationReport(Evaluation):
    """An evaluation together with its table."""

    figures: EvaluationTable


class ClassDifference(Schema):
    """A class in several evaluations, in their order."""

    class_name: ClassName
    ap: tuple[float | None, ...]
    ap_gain: tuple[float | None, ...]
    """How much more than in the first."""
    f1: tuple[float | None, ...]
    f1_gain: tuple[float | None, ...]


class Gain(Schema):
    """How much better than the first evaluation one is over all classes, and how sure that is."""

    ap: float | None = None
    f1: float | None = None
    f1_interval: tuple[float, float] | None = None
    """Where 95 % of the differences in F1 lie when the images are drawn again (paired bootstrap)."""


class EvaluationComparison(Schema):
    """Several evaluations side by side, all against the first."""

    evaluations: tuple[Evaluation, ...]
    gains: tuple[Gain, ...]
    classes: Annotated[tuple[ClassDifference, ...], Field(max_length=1_000)]
    """The first thousand, by name."""
    is_paired: bool
    """Whether all are of one version, ground truth and number of images; without that there are no intervals."""
