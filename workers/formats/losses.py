"""What most formats cannot say of an annotation, in the same words for all of them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Literal

from storage.datasets.rows import AnnotationRow
from workers.findings import Findings
from workers.formats.exporter import ExportedImage
from workers.formats.split_lists import SPLIT_NAMES

Field = Literal[
    "rotation",
    "polygons",
    "mask",
    "keypoints",
    "crowd",
    "area",
    "confidence",
    "quality",
    "attributes",
    "author",
    "annotation ids",
]

_LOST: Final[Mapping[Field, Callable[[AnnotationRow], str]]] = {
    "rotation": lambda row: f"Its rotation of {row.rotation} is lost." if row.rotation else "",
    "polygons": lambda row: f"Its {len(row.polygons)} polygons are lost." if row.polygons else "",
    "mask": lambda row: "Its mask is lost." if row.mask else "",
    "keypoints": lambda row: f"Its {len(row.keypoints) // 3} key points are lost." if row.keypoints else "",
    "crowd": lambda row: "That it is a crowd is lost." if row.crowd else "",
    "area": lambda row: "" if row.area is None else f"Its area of {row.area} is lost.",
    "confidence": lambda row: "" if row.confidence is None else f"Its confidence of {row.confidence} is lost.",
    "quality": lambda row: "" if row.quality is None else f"Its quality of {row.quality} is lost.",
    "attributes": lambda row: f"Its attributes are lost: {row.attributes[:200]}" if row.attributes else "",
    "author": lambda row: f"Its author is lost: {row.author}" if row.author else "",
    "annotation ids": lambda row: "Its id is lost." if row.id else "",
}

_MORE: Final = slice(AnnotationRow._fields.index("crowd"), AnnotationRow._fields.index("id"))
_NO_MORE: Final = AnnotationRow()[_MORE]


def has_place(row: AnnotationRow) -> bool:
    """Return whether an annotation has a box or any other shape."""
    return row.box is not None or bool(row.polygons or row.keypoints) or row.mask is not None


def lost_fields(row: AnnotationRow, *, keeps: Collection[Field]) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of all that an annotation says beyond its class, its box, and what a format keeps."""
    # Most say no more, and there are millions.
    if row[_MORE] == _NO_MORE and not (row.id or row.rotation or row.polygons or row.mask or row.keypoints):
        return
    for kind, lost in _LOST.items():
        if kind not in keeps and (detail := lost(row)):
            yield kind, detail


def tell_of_image(image: ExportedImage, losses: Findings, *, attributes: bool, splits: bool) -> None:
    """Tell what a format loses of a whole image that it does not keep: its attributes, its split."""
    of = "images" if image.annotations is not None else "images that are not annotated"
    if image.attributes and not attributes:
        losses.add(image.subject(), "The attributes of the image are lost.", kind=f"attributes of {of}")
    if image.split in SPLIT_NAMES and not splits:
        losses.add(image.subject(), f"That the image is for {image.split} is lost.", kind=f"splits of {of}")
