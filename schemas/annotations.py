"""Annotations: objects on one asset, or attributes of the whole of it."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, FiniteFloat, JsonValue, NonNegativeFloat, StringConstraints, model_validator

from schemas.schema import Schema

GROUND_TRUTH: Final = "ground_truth"
ATTRIBUTES: Final = "attributes"


def clean_class_name(text: str) -> str:
    """Return a class name as it is kept: trimmed and lower-cased; raise ValueError where it is none."""
    name = text.strip().lower()
    if not name or any(ord(letter) < ord(" ") or letter in ",;" for letter in name):
        message = "a class name is not empty and has no comma, semicolon or control character"
        raise ValueError(message)
    return name


AnnotationId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ClassName = Annotated[str, StringConstraints(max_length=200), AfterValidator(clean_class_name)]
LayerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,199}$")]
Polygon = Annotated[tuple[FiniteFloat, ...], Field(min_length=6)]


class ObjectType(StrEnum):
    """What the annotations of a project are."""

    DETECTION = "detection"
    SEMANTIC_SEGMENTATION = "semantic_segmentation"
    INSTANCE_SEGMENTATION = "instance_segmentation"
    KEYPOINTS = "keypoints"
    CLASSIFICATION = "classification"
    MULTI_MODAL = "multi_modal"


class Box(Schema):
    """A bounding box in pixels from the top left of the image as displayed."""

    x: FiniteFloat
    y: FiniteFloat
    width: NonNegativeFloat
    height: NonNegativeFloat


class Mask(Schema):
    """A mask in COCO's compressed run-length encoding."""

    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    counts: str


class Annotation(Schema):
    """One object; only what is known is given. In a layer of attributes, the attributes of the whole image."""

    id: AnnotationId | None = None
    class_name: ClassName | None = Field(default=None, alias="class")
    box: Box | None = None
    rotation: FiniteFloat = 0.0
    """Radians, clockwise, about the centre of the box."""
    polygons: tuple[Polygon, ...] = ()
    """Each ``x, y, x, y, …``; several polygons are one object."""
    mask: Mask | None = None
    keypoints: tuple[FiniteFloat, ...] = ()
    """``x, y, visibility`` (0, 1 or 2) for each point."""
    crowd: bool = False
    area: NonNegativeFloat | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    quality: FiniteFloat | None = None
    attributes: dict[str, JsonValue] = {}
    author: str | None = None

    @model_validator(mode="after")
    def _points_come_in_threes(self) -> Self:
        if len(self.keypoints) % 3:
            message = "keypoints are x, y, visibility for each point"
            raise ValueError(message)
        if any(len(polygon) % 2 for polygon in self.polygons):
            message = "a polygon is x, y for each point"
            raise ValueError(message)
        return self
