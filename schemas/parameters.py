"""What is asked of a task: one model for each type of task, and their union."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, NonNegativeInt, PositiveInt, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.refs import Ref, Source
from schemas.schema import Id, Name, Schema
from schemas.splits import Split

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Fraction = Annotated[float, Field(ge=0, le=1)]


def _not_a_number(tag: str) -> str:
    if tag.isdecimal():
        message = "a tag of digits only would be taken for a version number"
        raise ValueError(message)
    return tag


TagName = Annotated[Name, AfterValidator(_not_a_number)]


class Slot(StrEnum):
    """The kinds of slots that workers offer; a task runs in one of the kind it needs."""

    DATA = "data"
    EXECUTOR = "executor"
    GPU = "gpu"
    SERVICE = "service"


class Strategy(StrEnum):
    """What merge does with an asset of two sources: refuse, keep the host's, or take the guest's."""

    STOP = "stop"
    HOST = "host"
    GUEST = "guest"


class Parameters(Schema):
    """What every type of task has in common."""

    SLOT: ClassVar[Slot] = Slot.DATA

    @property
    def slot(self) -> Slot:
        """The kind of slot in which such a task runs."""
        return self.SLOT

    def refs(self) -> tuple[tuple[str, Ref], ...]:
        """Return the refs that are to be resolved on acceptance, each after its JSON pointer."""
        return ()


class MakesVersion(Parameters):
    """A task whose result is a version."""

    dataset: Name
    """The dataset that the new version belongs to; made if it does not exist."""
    tag: TagName | None = None
    """A name for the new version; digits only are refused, since ``name@3`` is a number."""
    message: Annotated[str, Field(max_length=2_000)] = ""


class SingleSource(MakesVersion):
    """A task that makes a version out of one other."""

    source: Ref

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)


def _listed(pointer: str, sources: tuple[Source, ...]) -> tuple[tuple[str, Ref], ...]:
    return tuple((f"{pointer}/{position}/ref", source.ref) for position, source in enumerate(sources))


def _refs(pointer: str, refs: tuple[Ref, ...]) -> tuple[tuple[str, Ref], ...]:
    return tuple((f"{pointer}/{position}", ref) for position, ref in enumerate(refs))


class UnknownClasses(StrEnum):
    """What import does with a class that the project does not know."""

    STOP = "stop"
    IGNORE = "ignore"
    ADD = "add"


class BadImage(StrEnum):
    """What import does with an image that cannot be read."""

    SKIP = "skip"
    FAIL = "fail"


class ImportSource(Schema):
    """Where an import takes its files from: exactly one of these."""

    path: str | None = None
    """A folder or archive on the server, under one of its import roots."""
    url: str | None = None
    upload: Id | None = None
    project: Name | None = None
    ref: Ref | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        given = [self.path, self.url, self.upload, self.project]
        if sum(value is not None for value in given) != 1 or (self.project is None) != (self.ref is None):
            message = "give exactly one of path, url, upload, or project with ref"
            raise ValueError(message)
        return self


class ImportParameters(MakesVersion):
    """Make a version out of files."""

    type: Literal["import"] = "import"
    source: ImportSource
    format: Name | None = None
    """The annotation format; detected when not given. ``none`` imports images alone."""
    layer: LayerName = GROUND_TRUTH
    base: Ref | None = None
    """A version whose annotation ids are inherited."""
    unknown_classes: UnknownClasses = UnknownClasses.STOP
    split: Split | None = None
    """The use of all images; when not given, what the files say, else ``none``."""
    on_bad_image: BadImage = BadImage.SKIP

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return () if self.base is None else (("/base", self.base),)


class MergeParameters(MakesVersion):
    """Join sources, or (with ``ours``, ``theirs`` and perhaps ``base``) two lines of work."""

    type: Literal["merge"] = "merge"
    sources: Annotated[tuple[Source, ...], Field(max_length=1_000)] = ()
    exclude: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    strategy: Strategy = Strategy.STOP
    ours: Ref | None = None
    theirs: Ref | None = None
    base: Ref | None = None

    @model_validator(mode="after")
    def _is_one_kind_of_merge(self) -> Self:
        three_way = self.ours is not None and self.theirs is not None
        if bool(self.sources) == three_way or (self.ours is None) != (self.theirs is None):
            message = "give either sources, or ours and theirs"
            raise ValueError(message)
        if self.base is not None and not three_way:
            message = "base belongs to a merge of ours and theirs"
            raise ValueError(message)
        return self

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        sides = (("/ours", self.ours), ("/theirs", self.theirs), ("/base", self.base))
        named = tuple((pointer, ref) for pointer, ref in sides if ref is not None)
        return (*_listed("/sources", self.sources), *_refs("/exclude", self.exclude), *named)


class Marked(Schema):
    """Assets that have an annotation with one of these marks in an evaluation."""

    evaluation: Id
    marks: Annotated[tuple[Literal["tp", "fp", "fn", "mtp"], ...], Field(min_length=1)]


class Conditions(Schema):
    """Which assets filter keeps: every condition given must hold for an annotation or asset of the layers."""

    include_classes: tuple[ClassName, ...] = ()
    """Any of them must be on the asset."""
    exclude_classes: tuple[ClassName, ...] = ()
    """None of them may be on the asset."""
    layers: Annotated[tuple[LayerName, ...], Field(min_length=1)] = (GROUND_TRUTH,)
    """Where annotations are looked for."""
    attributes: dict[str, JsonValue] = {}
    area: tuple[float | None, float | None] = (None, None)
    """The least and the greatest area of an annotation, in square pixels."""
    confidence: tuple[Fraction | None, Fraction | None] = (None, None)
    splits: tuple[Split, ...] = ()
    marked: Marked | None = None


class FilterParameters(SingleSource, Conditions):
    """Keep the assets that meet the conditions, whole."""

    type: Literal["filter"] = "filter"


class Portion(Schema):
    """How much is taken: a count, or a rate."""

    count: PositiveInt | None = None
    rate: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Seed = 0
    stratify: bool = False
    """Take the same share of every class (by the rarest class on each asset)."""

    @model_validator(mode="after")
    def _is_count_or_rate(self) -> Self:
        if (self.count is None) == (self.rate is None):
            message = "give either count or rate"
            raise ValueError(message)
        return self


class SampleParameters(SingleSource, Portion):
    """Keep a seeded random sample of the assets."""

    type: Literal["sample"] = "sample"


class FuseParameters(MakesVersion):
    """Merge, then filter, then sample, in one step."""

    type: Literal["fuse"] = "fuse"
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=1_000)]
    exclude: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    strategy: Strategy = Strategy.STOP
    conditions: Conditions | None = None
    portion: Portion | None = None

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (*_listed("/sources", self.sources), *_refs("/exclude", self.exclude))


class SplitParameters(SingleSource):
    """Deal the assets out to training, validation and test."""

    type: Literal["split"] = "split"
    training: Fraction = 0.0
    validation: Fraction = 0.0
    test: Fraction = 0.0
    seed: Seed = 0
    stratify: bool = False

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if not 0 < self.training + self.validation + self.test <= 1 + 1e-9:
            message = "the shares add up to more than 0 and at most 1; what is left is in no split"
            raise ValueError(message)
        return self


class ExcludeParameters(SingleSource):
    """Remove the assets of other versions."""

    type: Literal["exclude"] = "exclude"
    exclude: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=1_000)]

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source), *_refs("/exclude", self.exclude))


class RelabelParameters(SingleSource):
    """Give annotations of a layer other classes; an empty name drops them."""

    type: Literal["relabel"] = "relabel"
    layer: LayerName = GROUND_TRUTH
    classes: Annotated[dict[ClassName, ClassName | Literal[""]], Field(min_length=1)]


class CopyParameters(MakesVersion):
    """Take over a version of another project."""

    type: Literal["copy"] = "copy"
    project: Name
    ref: Ref
    unknown_classes: UnknownClasses = UnknownClasses.STOP
    annotations: bool = True


class ModelStage(Schema):
    """One stage of a model; the recommended one when ``stage`` is not given."""

    id: Id
    stage: str | None = None


class UsesExecutor(Parameters):
    """A task that runs an executor."""

    executor: Name
    config: dict[str, JsonValue] = {}
    gpus: NonNegativeInt = 0

    @property
    @override
    def slot(self) -> Slot:
        return Slot.GPU if self.gpus else Slot.EXECUTOR


class Overlap(StrEnum):
    """What train does with an asset of both sets: refuse, or use it in one."""

    STOP = "stop"
    TRAINING = "training"
    VALIDATION = "validation"


class TrainParameters(UsesExecutor):
    """Train a model."""

    type: Literal["train"] = "train"
    training: Annotated[tuple[Source, ...], Field(min_length=1, max_length=1_000)]
    validation: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions to validate on; when none is given, the assets of the validation split of ``training``."""
    model: Name
    """The name of the line of models that the new one belongs to."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1)]
    pretrained: ModelStage | None = None
    on_overlap: Overlap = Overlap.STOP
    layer: LayerName = GROUND_TRUTH

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (*_listed("/training", self.training), *_refs("/validation", self.validation))


class MineParameters(UsesExecutor, SingleSource):
    """Keep the images from which a model would learn most."""

    type: Literal["mine"] = "mine"
    model: ModelStage
    strategy: Name = "executor"
    """How picks are chosen; ``executor`` takes the executor's own order."""
    top_k: PositiveInt
    seed: Seed = 0
    keep_predictions: bool = False
    labeled: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions whose assets are labeled already: they are not candidates."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source), *_refs("/labeled", self.labeled))


class InferParameters(UsesExecutor, SingleSource):
    """Predict on the assets of a version."""

    type: Literal["infer"] = "infer"
    model: ModelStage
    layer: LayerName | None = None
    """The name of the layer of predictions; ``<model>@<stage>`` when not given."""


class LabelParameters(SingleSource):
    """Have the assets of a version labeled."""

    SLOT: ClassVar[Slot] = Slot.SERVICE

    type: Literal["label"] = "label"
    tool: Name = "api"
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1)]
    annotation: Literal["box", "polygon", "mask", "keypoints"] = "box"
    keep: LayerName | None = None
    """A layer that the annotators start from."""
    base: Ref | None = None
    """A version whose annotation ids are inherited."""
    instructions: Annotated[str, Field(max_length=20_000)] = ""
    labelers: Annotated[tuple[str, ...], Field(max_length=100)] = ()

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        base = () if self.base is None else (("/base", self.base),)
        return (("/source", self.source), *base)


class EvaluateParameters(Parameters):
    """Measure a layer of predictions against the ground truth of the same version."""

    type: Literal["evaluate"] = "evaluate"
    source: Ref
    layer: LayerName
    ground_truth: LayerName = GROUND_TRUTH
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


class ExportParameters(Parameters):
    """Write a version as an archive."""

    type: Literal["export"] = "export"
    source: Ref
    format: Name
    layer: LayerName = GROUND_TRUTH
    classes: tuple[ClassName, ...] = ()
    """Only these classes; all when empty."""
    images: bool = True

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)


class ImportModelParameters(Parameters):
    """Take in a model package."""

    type: Literal["import_model"] = "import_model"
    source: ImportSource
    model: Name


class PullExecutorParameters(Parameters):
    """Fetch and register an executor."""

    SLOT: ClassVar[Slot] = Slot.SERVICE

    type: Literal["pull_executor"] = "pull_executor"
    name: Name
    reference: str


TaskParameters = Annotated[
    ImportParameters
    | MergeParameters
    | FilterParameters
    | SampleParameters
    | FuseParameters
    | SplitParameters
    | ExcludeParameters
    | RelabelParameters
    | CopyParameters
    | TrainParameters
    | MineParameters
    | InferParameters
    | LabelParameters
    | EvaluateParameters
    | ExportParameters
    | ImportModelParameters
    | PullExecutorParameters,
    Field(discriminator="type"),
]
