"""What is asked of the tasks that bring things in, have them labeled, or hand them out."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import override

from schemas.annotations import GROUND_TRUTH, ClassName, LayerName
from schemas.executors import Limits, Protocol
from schemas.parameters import MakesVersion, Parameters, RefElsewhere, SingleSource, Slot
from schemas.projects import Description
from schemas.refs import Ref
from schemas.schema import Id, Name, Schema
from schemas.splits import Split
from schemas.web_addresses import WebAddress

IMAGES_ALONE: Final = "none"


class UnknownClasses(StrEnum):
    """What import does with a class that the project does not know."""

    STOP = "stop"
    IGNORE = "ignore"
    ADD = "add"


class BadImage(StrEnum):
    """What import does with an image that cannot be read."""

    SKIP = "skip"
    FAIL = "fail"


S3Address = Annotated[
    str, StringConstraints(max_length=1_100, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\\]*)?$")
]


class ImportSource(Schema):
    """Where an import takes its files from: exactly one of these."""

    path: str | None = None
    """A folder, archive or image on the server, under one of its import roots."""
    url: WebAddress | None = None
    """An archive or image of the web. It is kept and shown with the task, and so is a signature in its query."""
    upload: Id | None = None
    """An archive or image that was sent to ``/v1/uploads``."""
    s3: S3Address | None = None
    """``s3://bucket/prefix``: all objects below it as files of a folder, or the archive or image that it names."""
    server: Name | None = None
    """Which of the S3 servers that the workers know; not needed where only one of them has the prefix."""
    project: Name | None = None
    """Another project, whose version ``ref`` is taken over."""
    ref: Ref | None = None

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        given = [self.path, self.url, self.upload, self.s3, self.project]
        if sum(value is not None for value in given) != 1 or (self.project is None) != (self.ref is None):
            message = "give exactly one of path, url, upload, s3, or project with ref"
            raise ValueError(message)
        if self.server is not None and self.s3 is None:
            message = "a server is named with an s3 prefix only"
            raise ValueError(message)
        return self


class ImportParameters(MakesVersion):
    """Make a version out of files."""

    type: Literal["import"] = "import"
    source: ImportSource
    """Where the files come from."""
    format: Name | None = None
    """The annotation format; detected when not given: ``ark``, ``coco``, ``cvat``, ``datumaro``, ``label-studio``,
    ``labelme``, ``voc``, ``ymir``, ``yolo``, ``yolo-obb``, ``yolo-pose``, ``yolo-seg``; ``none`` imports images
    alone."""
    layer: LayerName = GROUND_TRUTH
    """The layer that the annotations go to."""
    base: Ref | None = None
    """A version whose annotation ids are inherited."""
    unknown_classes: UnknownClasses = UnknownClasses.STOP
    """What is done with annotations of a class that the project does not know."""
    split: Split | None = None
    """The use of all images; when not given, what the files say, else ``none``."""
    on_bad_image: BadImage = BadImage.SKIP
    """What is done about an image that cannot be read."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return () if self.base is None else (("/base", self.base),)

    @override
    def refs_elsewhere(self) -> tuple[RefElsewhere, ...]:
        project, ref = self.source.project, self.source.ref
        return () if project is None or ref is None else (RefElsewhere("/source", project, ref),)

    def as_copy(self) -> "CopyParameters":
        """Return what an import of another project's version asks for; only where that is its source."""
        return CopyParameters(
            dataset=self.dataset,
            tag=self.tag,
            message=self.message,
            project=self.source.project or "",
            ref=self.source.ref or "",
            unknown_classes=self.unknown_classes,
            annotations=self.format != IMAGES_ALONE,
            split=self.split,
        )

    @model_validator(mode="after")
    def _of_a_project_or_of_files(self) -> Self:
        of_files = self.layer != GROUND_TRUTH or self.base is not None or self.on_bad_image is not BadImage.SKIP
        if self.source.project is not None and (of_files or self.format not in {None, IMAGES_ALONE}):
            message = (
                "layer, base, on_bad_image and a format other than none are about files; "
                "a version of another project has its own layers"
            )
            raise ValueError(message)
        return self


class CopyParameters(MakesVersion):
    """Take over a version of another project, with all its layers under the names of this one's classes."""

    type: Literal["copy"] = "copy"
    project: Name
    """The project to take from."""
    ref: Ref
    """The version of it."""
    unknown_classes: UnknownClasses = UnknownClasses.STOP
    """What is done with annotations of a class that this project does not know."""
    annotations: bool = True
    """Without them the images alone are taken over."""
    split: Split | None = None
    """The use of all images; when not given, what it is in the source."""

    @override
    def refs_elsewhere(self) -> tuple[RefElsewhere, ...]:
        return (RefElsewhere("", self.project, self.ref),)


class LabelParameters(SingleSource):
    """Have the assets of a version labeled."""

    SLOT: ClassVar[Slot] = Slot.SERVICE

    type: Literal["label"] = "label"
    tool: Name = "api"
    """The labeling tool; ``api`` takes answers over HTTP."""
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1)]
    """What is to be labeled."""
    annotation: Literal["box", "polygon", "mask", "keypoints"] = "box"
    """The form of the annotations."""
    keep: LayerName | None = None
    """A layer that the annotators start from."""
    base: Ref | None = None
    """A version whose annotation ids are inherited."""
    instructions: Annotated[str, Field(max_length=20_000)] = ""
    """What the annotators are told."""
    labelers: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Who is to label."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        base = () if self.base is None else (("/base", self.base),)
        return (("/source", self.source), *base)


class ExportParameters(Parameters):
    """Write a version as an archive."""

    type: Literal["export"] = "export"
    source: Ref
    """The version to write: ``name@tag``, ``name@3``, or ``name`` for the newest."""
    format: Name
    """The annotation format: ``ark``, ``coco``, ``croissant``, ``cvat``, ``datumaro``, ``label-studio``, ``labelme``,
    ``ls_json`` (pre-annotations of Label Studio), ``voc``, ``ymir``, ``ymir-coco``, ``yolo``, ``yolo-obb``,
    ``yolo-pose``, ``yolo-seg``, or ``none`` for images alone."""
    layer: LayerName = GROUND_TRUTH
    """The layer whose annotations are written."""
    classes: tuple[ClassName, ...] = ()
    """Only these classes; all when empty."""
    images: bool = True
    """Whether the files of images are in the archive."""
    predictions: LayerName | None = None
    """A layer of predictions to write beside, in a format that has a place for it: ``ymir``, ``ymir-coco``; when not
    given, the only one there is."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)


class ImportModelParameters(Parameters):
    """Take in a model package."""

    type: Literal["import_model"] = "import_model"
    source: ImportSource
    """Where the package comes from."""
    model: Name
    """The name of the line of models that it belongs to."""


class PullExecutorParameters(Parameters):
    """Fetch an image and register it as an executor; for administrators."""

    SLOT: ClassVar[Slot] = Slot.EXECUTOR

    type: Literal["pull_executor"] = "pull_executor"
    name: Name
    """How tasks will name it."""
    reference: Annotated[str, Field(min_length=1, max_length=500)]
    """The image, such as ``registry/detector:1`` or ``registry/detector@sha256:…``."""
    description: Description = ""
    """What it is."""
    protocol: Protocol | None = None
    """The layout that it is run by; when not given, the one that its manifest asks for."""
    limits: Limits = Limits()
    """What a run may use."""
