"""What is asked of the tasks that make a version out of versions."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, JsonValue, PositiveInt, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.near_duplicates import DISTANCE, Distance, GuardsSplits, NearDuplicates
from schemas.parameters import Fraction, MakesVersion, Seed, SingleSource, plain_refs, source_refs
from schemas.refs import Ref, Source, parse_ref
from schemas.schema import Id, Schema
from schemas.splits import Split


class Strategy(StrEnum):
    """What merge does with an asset of two sources: refuse, keep the host's, or take the guest's."""

    STOP = "stop"
    HOST = "host"
    GUEST = "guest"


class OnConflict(StrEnum):
    """What a merge of two lines does with what both changed differently: ask, take one side's, or fail."""

    ASK = "ask"
    OURS = "ours"
    THEIRS = "theirs"
    FAIL = "fail"


class MergeParameters(MakesVersion, GuardsSplits):
    """Join sources, or (with ``ours``, ``theirs`` and perhaps ``base``) two lines of work."""

    type: Literal["merge"] = "merge"
    near_duplicates: NearDuplicates = NearDuplicates.IGNORE
    """What is done where near-duplicates would be in different splits."""
    sources: Annotated[tuple[Source, ...], Field(max_length=1_000)] = ()
    """The versions to join; the first is the host."""
    exclude: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions whose assets are removed in the end."""
    strategy: Strategy = Strategy.STOP
    """Of sources: what becomes of an asset that two of them have."""
    ours: Ref | None = None
    """One of two lines of work: what each of them changed since the base is in the result, annotation by annotation."""
    theirs: Ref | None = None
    """The other line of work."""
    base: Ref | None = None
    """What both lines started from; when not given, their nearest common ancestor."""
    on_conflict: OnConflict = OnConflict.ASK
    """Of two lines: under ``ask`` the task waits until every conflict is answered at ``/v1/tasks/{id}/conflicts``."""

    @model_validator(mode="after")
    def _is_one_kind_of_merge(self) -> Self:
        three_way = self.ours is not None and self.theirs is not None
        if bool(self.sources) == three_way or (self.ours is None) != (self.theirs is None):
            message = "give either sources, or ours and theirs"
            raise ValueError(message)
        if self.base is not None and not three_way:
            message = "base belongs to a merge of ours and theirs"
            raise ValueError(message)
        if three_way and self.near_duplicates is not NearDuplicates.IGNORE:
            message = "near_duplicates belongs to a merge of sources; what two lines come to can be merged on its own"
            raise ValueError(message)
        if not three_way and self.on_conflict is not OnConflict.ASK:
            message = "on_conflict belongs to a merge of ours and theirs; of sources strategy says what is to be done"
            raise ValueError(message)
        return self

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        sides = (("/ours", self.ours), ("/theirs", self.theirs), ("/base", self.base))
        named = tuple((pointer, ref) for pointer, ref in sides if ref is not None)
        return (*source_refs("/sources", self.sources), *plain_refs("/exclude", self.exclude), *named)


class Marked(Schema):
    """Assets that have an annotation with one of these marks in an evaluation."""

    evaluation: Id
    """The evaluation whose marks count."""
    marks: Annotated[tuple[Literal["tp", "fp", "fn", "mtp"], ...], Field(min_length=1)]
    """An annotation with any of them must be on the asset."""


class Conditions(Schema):
    """Which assets filter keeps: every condition given must hold for an annotation or asset of the layers."""

    include_classes: tuple[ClassName, ...] = ()
    """Any of them must be on the asset."""
    exclude_classes: tuple[ClassName, ...] = ()
    """None of them may be on the asset."""
    layers: Annotated[tuple[LayerName, ...], Field(min_length=1)] = (GROUND_TRUTH,)
    """Where annotations are looked for."""
    attributes: dict[str, JsonValue] = {}
    """Values that an annotation must have."""
    area: tuple[float | None, float | None] = (None, None)
    """The least and the greatest area of an annotation, in square pixels."""
    confidence: tuple[Fraction | None, Fraction | None] = (None, None)
    """The least and the greatest confidence of an annotation."""
    quality: tuple[FiniteFloat | None, FiniteFloat | None] = (None, None)
    """The least and the greatest quality of an annotation."""
    splits: tuple[Split, ...] = ()
    """The uses of an asset of which it must have one."""
    marked: Marked | None = None

    @model_validator(mode="after")
    def _something_can_meet_them(self) -> Self:
        for name in ("area", "confidence", "quality"):
            least, greatest = getattr(self, name)
            if least is not None and greatest is not None and least > greatest:
                message = f"{name} is the least and then the greatest: {least} is more than {greatest}"
                raise ValueError(message)
        both = set(self.include_classes) & set(self.exclude_classes)
        if both:
            message = f"a class is either included or excluded: {', '.join(sorted(both))}"
            raise ValueError(message)
        return self


class FilterParameters(SingleSource, Conditions):
    """Keep the assets that meet the conditions, whole."""

    type: Literal["filter"] = "filter"


class Draws(Schema):
    """What every drawing of assets has in common."""

    seed: Seed = 0
    """Another one draws other assets; the same draws the same."""
    stratify: bool = False
    """Take the same share of every class (by the rarest class on each asset)."""
    keep_together: Literal["near_duplicates"] | None = None
    """``near_duplicates``: images that differ by at most ``distance``, also by way of others, are never parted."""
    distance: Distance = DISTANCE
    """Up to how many different bits of their hashes images are near-duplicates."""


class Portion(Draws):
    """How much is taken: a count, or a rate."""

    count: PositiveInt | None = None
    """How many assets."""
    rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Which share of the assets."""

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
    """The versions to join; the first is the host."""
    exclude: Annotated[tuple[Ref, ...], Field(max_length=1_000)] = ()
    """Versions whose assets are removed after joining."""
    strategy: Strategy = Strategy.STOP
    """What becomes of an asset that two of the sources have."""
    conditions: Conditions | None = None
    portion: Portion | None = None

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (*source_refs("/sources", self.sources), *plain_refs("/exclude", self.exclude))


class SplitParameters(SingleSource, Draws, GuardsSplits):
    """Deal the assets out to training, validation and test."""

    type: Literal["split"] = "split"
    training: Fraction = 0.0
    """The share for training."""
    validation: Fraction = 0.0
    """The share for validation."""
    test: Fraction = 0.0
    """The share for testing."""

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if not 0 < self.training + self.validation + self.test <= 1 + 1e-9:
            message = "training, validation and test must add up to more than 0 and at most 1; the rest is in no split"
            raise ValueError(message)
        return self


class ExcludeParameters(SingleSource):
    """Remove the assets of other versions."""

    type: Literal["exclude"] = "exclude"
    exclude: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=1_000)]
    """The versions whose assets are removed."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source), *plain_refs("/exclude", self.exclude))


class RelabelParameters(SingleSource):
    """Give annotations of a layer other classes, all at once; an empty name drops them."""

    type: Literal["relabel"] = "relabel"
    layer: LayerName = GROUND_TRUTH
    """The layer whose annotations are renamed."""
    classes: Annotated[dict[ClassName, ClassName | Literal[""]], Field(min_length=1)]
    """The new name of each class; an empty one drops its annotations."""
    unknown_classes: Literal["stop", "add"] = "stop"
    """What is done with a new name that the project does not know."""


class ReplayParameters(MakesVersion, GuardsSplits):
    """Do to what is new in a version's source what was done to make the version, and merge that into it."""

    type: Literal["replay"] = "replay"
    version: Ref
    """What was made, and gets what is new."""
    onto: Ref
    """The source as it is now."""
    source: Ref | None = None
    """The source as it was; when not given, the nearest version that ``version`` was made of and that is of the
    dataset of ``onto`` or among what ``onto`` was made of."""
    strategy: Strategy = Strategy.HOST
    """What is done with an asset that ``version`` got in another way; it is the host."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        source = () if self.source is None else (("/source", self.source),)
        return (("/version", self.version), ("/onto", self.onto), *source)


class BranchParameters(SingleSource):
    """Begin a dataset with the content of a version of another."""

    type: Literal["branch"] = "branch"

    @model_validator(mode="after")
    def _begins_another_dataset(self) -> Self:
        if parse_ref(self.source).dataset == self.dataset:
            message = "a branch is another dataset than its source; to go back to an older version use revert"
            raise ValueError(message)
        return self


class RevertParameters(SingleSource):
    """Make the content of an older version of a dataset its newest version; those between stay."""

    type: Literal["revert"] = "revert"

    @model_validator(mode="after")
    def _goes_back_in_its_dataset(self) -> Self:
        line, at = parse_ref(self.source)
        if line != self.dataset or at is None:
            message = "a revert has a version of the dataset itself as source: dataset@3 or dataset@tag"
            raise ValueError(message)
        return self

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source), ("/dataset", self.dataset))
