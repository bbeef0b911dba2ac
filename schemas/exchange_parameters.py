"""What is asked of the tasks that bring things in, have them labeled, or hand them out."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.parameters import MakesVersion, Parameters, SingleSource, Slot
from schemas.refs import Ref
from schemas.schema import Id, Name, Schema
from schemas.splits import Split


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


class CopyParameters(MakesVersion):
    """Take over a version of another project."""

    type: Literal["copy"] = "copy"
    project: Name
    ref: Ref
    unknown_classes: UnknownClasses = UnknownClasses.STOP
    annotations: bool = True


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
