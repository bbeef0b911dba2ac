"""What is asked of the tasks that train models, use them, and measure them."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.mining import AUTO, Strategies, StrategyOptions
from schemas.near_duplicates import GuardsSplits
from schemas.parameters import Fraction, Parameters, Seed, SingleSource, Slot, plain_refs, source_refs
from schemas.refs import Ref, Source
from schemas.schema import Id, Name, Schema


class ModelStage(Schema):
    """One stage of a model; the recommended one when ``stage`` is not given."""

    id: Id
    stage: str | None = None


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


class InferParameters(UsesExecutor, SingleSource):
    """Predict on the assets of a version."""

    type: Literal["infer"] = "infer"
    model: ModelStage
    """The model that predicts."""
    layer: LayerName | None = None
    """The name of the layer of predictions; ``<model>@<stage>`` when not given."""


class EvaluateParameters(Parameters):
    """Measure a layer of predictions against the ground truth of the same version."""

    type: Literal["evaluate"] = "evaluate"
    source: Ref
    """The version that has both layers."""
    layer: LayerName
    """The layer of predictions."""
    ground_truth: LayerName = GROUND_TRUTH
    """The layer that they are measured against."""
    iou: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The overlap from which a prediction is marked as matching."""
    confidence: Fraction = 0.3
    """The confidence from which a prediction is marked."""
    max_detections: PositiveInt = 100
    """How many predictions of an image count; 100 is COCO's own."""
    by: str | None = None
    """An attribute of images by whose values the figures are broken down."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)
