"""What is asked of the tasks that train models, use them, and measure them."""

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.datasets import Keywords
from schemas.evaluations import Measure
from schemas.exchange_parameters import BadImage
from schemas.mining import AUTO, Strategies, StrategyOptions
from schemas.near_duplicates import GuardsSplits
from schemas.parameters import (
    Fraction,
    MakesVersion,
    Parameters,
    Seed,
    SingleSource,
    Slot,
    TagName,
    plain_refs,
    source_refs,
)
from schemas.refs import Ref, Source
from schemas.schema import Id, Name, Schema

UPLOADS_AT_MOST: Final = 1_000


class ModelStage(Schema):
    """One stage of a model; the recommended one when ``stage`` is not given."""

    id: Id
    stage: str | None = None


class Preprocess(Schema):
    """What is done to images before an executor sees them."""

    long_side: Annotated[int, Field(ge=16, le=16_384)]
    """How many pixels the longer side of an image has at most."""
    enlarge: bool = False
    """Whether smaller images are enlarged to it; they are left as they are otherwise."""


class UsesExecutor(Parameters):
    """A task that runs an executor."""

    executor: Name
    """The registered executor to run."""
    config: dict[str, JsonValue] = {}
    """Parameters of the executor, as its template has them."""
    gpus: NonNegativeInt = 0
    """How many GPUs it gets; the task waits for as long as they are in use."""
    gpu_memory_bytes: PositiveInt | None = None
    """How much memory it needs of each of them, which it then shares with others; none given: they are its alone."""

    @model_validator(mode="after")
    def _has_gpus_to_share(self) -> Self:
        if self.gpu_memory_bytes is not None and not self.gpus:
            message = "gpu_memory_bytes is memory of GPUs: ask for some with gpus"
            raise ValueError(message)
        return self

    @property
    @override
    def slot(self) -> Slot:
        return Slot.GPU if self.gpus else Slot.EXECUTOR


class Overlap(StrEnum):
    """What train does with an asset of both sets: refuse, or use it in one."""

    STOP = "stop"
    TRAINING = "training"
    VALIDATION = "validation"


class TrainParameters(UsesExecutor, GuardsSplits):
    """Train a model."""

    type: Literal["train"] = "train"
    training: Annotated[tuple[Source, ...], Field(min_length=1, max_length=1_000)]
    """Versions to train on."""
    validation: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions to validate on; when none is given, the assets of the validation split of ``training``."""
    model: Name
    """The name of the line of models that the new one belongs to."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1)]
    """What the model is to find, in order."""
    pretrained: ModelStage | None = None
    """A model to start from."""
    preprocess: Preprocess | None = None
    """What is done to the images first; whoever uses the model later gets his images like this, too."""
    on_overlap: Overlap = Overlap.STOP
    """What is done with an asset that is to be trained and validated on."""
    layer: LayerName = GROUND_TRUTH
    """The layer to learn from."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (*source_refs("/training", self.training), *plain_refs("/validation", self.validation))


class MineParameters(UsesExecutor, SingleSource):
    """Keep the images from which a model would learn most."""

    type: Literal["mine"] = "mine"
    executor: Name | None = None  # type: ignore[assignment]  # there are strategies that need none
    """The registered executor to run; not needed where no model is."""
    model: ModelStage | None = None
    """The model that looks at the images; random, dedup, kcenter, typiclust and probcover work without one."""
    strategy: Strategies = AUTO
    """How picks are chosen: a name, or weights of several as JSON. ``auto`` goes by what is labeled so far;
    ``executor`` takes the executor's own order."""
    strategy_options: StrategyOptions = StrategyOptions()
    top_k: PositiveInt
    """How many images are picked."""
    seed: Seed = 0
    """For strategies that draw."""
    keep_predictions: bool = False
    """Whether the predictions are a layer of the new version."""
    labeled: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions whose assets are labeled already: they are not candidates."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source), *plain_refs("/labeled", self.labeled))


class InferParameters(UsesExecutor):
    """Predict on the assets of a version, or on uploaded pictures."""

    type: Literal["infer"] = "infer"
    source: Ref | None = None
    """The version to predict on: ``name@tag``, ``name@3``, or ``name`` for the newest; its copy with the predictions
    is a new version."""
    uploads: Annotated[tuple[Id, ...], Field(max_length=UPLOADS_AT_MOST)] = ()
    """Instead of a version: pictures, or archives of pictures, that were sent to ``/v1/uploads``. They come into no
    dataset; what was found is at the task's ``predictions``."""
    on_bad_image: BadImage = BadImage.SKIP
    """What is done about an uploaded picture that cannot be read."""
    model: ModelStage
    """The model that predicts."""
    layer: LayerName | None = None
    """The name of the layer of predictions; ``<model>@<stage>`` when not given."""
    confidence: Fraction = 0.0
    """Predictions that are less sure are left out."""
    max_per_image: PositiveInt | None = None
    """How many predictions of an image are kept, the surest; all when not given."""
    keep_other_classes: bool = False
    """Keep predictions of classes that the model does not have, which are left out and counted otherwise."""
    dataset: Name | None = None
    """The dataset that the new version belongs to; made if it does not exist."""
    tag: TagName | None = None
    """A name for the new version; digits only are refused, since ``name@3`` is a number."""
    message: Annotated[str, Field(max_length=2_000)] = ""
    """What was done and why, for those who read the log."""
    keywords: Keywords = ()
    """What the new version is found by later; they can be changed."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return () if self.source is None else (("/source", self.source),)

    @override
    def makes(self) -> MakesVersion | None:
        if self.dataset is None:
            return None
        return MakesVersion(dataset=self.dataset, tag=self.tag, message=self.message, keywords=self.keywords)

    @model_validator(mode="after")
    def _of_a_version_or_of_uploads(self) -> Self:
        if (self.source is None) != bool(self.uploads):
            message = "give either source, a version, or uploads"
            raise ValueError(message)
        if self.source is not None and self.dataset is None:
            message = "what is predicted on a version is a new version: name its dataset"
            raise ValueError(message)
        if self.uploads and (self.dataset or self.tag or self.message or self.keywords):
            message = "uploads come into no dataset: leave out dataset, tag, message and keywords, or import them first"
            raise ValueError(message)
        return self


class EvaluateParameters(Parameters):
    """Measure layers of predictions against the ground truth of the same version."""

    type: Literal["evaluate"] = "evaluate"
    source: Ref
    """The version that has the layers."""
    layer: LayerName | None = None
    """The layer of predictions."""
    layers: Annotated[tuple[LayerName, ...], Field(max_length=20)] = ()
    """Several layers of predictions, measured on the images that all of them cover, each for itself."""
    ground_truth: LayerName = GROUND_TRUTH
    """The layer that they are measured against."""
    measure: Measure | None = None
    """What is compared; when not given, what the annotations of the project are."""
    iou: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The overlap from which a prediction is marked as matching."""
    confidence: Fraction = 0.3
    """The confidence from which a prediction is marked."""
    max_detections: PositiveInt | None = None
    """How many predictions of an image and class count; when not given COCO's own: 100, of keypoints 20."""
    by: str | None = None
    """An attribute of images by whose values the figures are broken down."""
    by_annotation: str | None = None
    """An attribute of the ground truth's annotations by whose values recall is broken down."""
    sigmas: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=1_000)] = ()
    """How exactly each keypoint can be placed; when not given COCO's own for 17 points, else 1/n for each of n."""

    @property
    def predicted(self) -> tuple[LayerName, ...]:
        """All layers that are measured."""
        return tuple(dict.fromkeys([*(() if self.layer is None else (self.layer,)), *self.layers]))

    @model_validator(mode="after")
    def _has_a_layer(self) -> Self:
        if not self.predicted:
            message = "name the layer of predictions, or several layers"
            raise ValueError(message)
        return self

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)
