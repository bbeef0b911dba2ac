"""The record sets of a Croissant: which columns its tables have, and what they mean."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

SPLITS: Final = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
FILES: Final = "image-files"

# Columns of the tables: their type, and what they are.
IMAGES: Final[Mapping[str, tuple[str, str]]] = {
    "image": ("sc:Text", "SHA-256 of the image's bytes."),
    "file_name": ("sc:Text", "Name below images/."),
    "width": ("sc:Integer", "Pixels of the picture as its file stores it."),
    "height": ("sc:Integer", "Pixels of the picture as its file stores it."),
    "split": ("sc:Text", "Its use: train, val or test; none if it has no split."),
    "annotated": ("sc:Boolean", "Whether somebody looked for objects; if so, none means that there are none."),
    "attributes": ("sc:Text", "Attributes of the whole image, as JSON."),
}
ANNOTATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "id": ("sc:Text", "Stays the same when the annotation is edited."),
    "image": ("sc:Text", "The image that it is on."),
    "class": ("cr:Label", "What it is."),
    "box": ("cr:BoundingBox", "x, y, width, height in pixels from the top left of the picture as its file stores it."),
    "rotation": ("sc:Float", "Radians, clockwise, about the centre of the box."),
    "polygons": ("sc:Text", "Lists of x, y for each point, as JSON; several polygons are one object."),
    "mask": ("sc:Text", "A mask in COCO's compressed run-length encoding, as JSON with size (height, width), counts."),
    "keypoints": ("sc:Text", "x, y, visibility (0, 1 or 2) for each point, as JSON."),
    "crowd": ("sc:Boolean", "Whether it is many objects in one."),
    "area": ("sc:Float", "Pixels, where somebody measured it."),
    "confidence": ("sc:Float", "Of a prediction, from 0 to 1."),
    "quality": ("sc:Float", "Of the annotation."),
    "attributes": ("sc:Text", "As JSON."),
    "author": ("sc:Text", "Who made it."),
}


def record_sets(*, classes: Sequence[str], splits: Sequence[str], images: bool) -> Iterator[dict[str, Any]]:
    """Yield the record sets of some classes and splits; with ``images`` also that of the pictures themselves."""
    yield from _splits(splits)
    yield from _classes(classes)
    yield _image_records(splits)
    yield _annotation_records(classes)
    if images:
        yield _pictures()


def table_name(table: str) -> str:
    """Return the file of a table."""
    return f"tables/{table}.jsonl"


def _splits(splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    if splits:
        yield {
            "@type": "cr:RecordSet",
            "@id": "splits",
            "name": "splits",
            "dataType": "cr:Split",
            "key": {"@id": "splits/name"},
            "field": [_field("splits/name", "sc:Text"), _field("splits/url", ["sc:URL", "cr:Split"])],
            "data": [{"splits/name": name, "splits/url": SPLITS[name]} for name in splits],
        }


def _classes(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    if classes:
        yield {
            "@type": "cr:RecordSet",
            "@id": "classes",
            "name": "classes",
            "dataType": "sc:Enumeration",
            "key": {"@id": "classes/name"},
            "field": [_field("classes/name", "sc:Text")],
            "data": [{"classes/name": name} for name in classes],
        }


def _pictures() -> dict[str, Any]:
    fields = [
        {
            **_field(f"pictures/{name}", kind),
            "source": {"fileSet": {"@id": FILES}, "extract": {"fileProperty": file_property}},
        }
        for name, kind, file_property in (
            ("file_name", "sc:Text", "filename"),
            ("content", "sc:ImageObject", "content"),
        )
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "The pictures by the names that images/file_name has.",
        "key": {"@id": "pictures/file_name"},
        "field": fields,
    }


def _image_records(splits: Sequence[str]) -> dict[str, Any]:
    fields = [_column("images", name, *said) for name, said in IMAGES.items()]
    if splits:
        fields[[*IMAGES].index("split")]["references"] = {"field": {"@id": "splits/name"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "key": {"@id": "images/image"},
        "field": fields,
    }


def _annotation_records(classes: Sequence[str]) -> dict[str, Any]:
    fields = [_column("annotations", name, *said) for name, said in ANNOTATIONS.items()]
    names = [*ANNOTATIONS]
    # Of the table, not of the records made of it: readers that join records read them once only.
    fields[names.index("image")]["references"] = _source("images", "image")
    fields[names.index("box")]["source"]["format"] = "XYWH"
    label = fields[names.index("class")]
    label["dataType"] = ["sc:Text", "cr:Label"]
    if classes:
        label["references"] = {"field": {"@id": "classes/name"}}
    return {"@type": "cr:RecordSet", "@id": "annotations", "name": "annotations", "field": fields}


def _column(table: str, name: str, kind: str, description: str) -> dict[str, Any]:
    return {**_field(f"{table}/{name}", kind), "description": description, "source": _source(table, name)}


def _source(table: str, column: str) -> dict[str, Any]:
    return {"fileObject": {"@id": table_name(table)}, "extract": {"column": column}}


def _field(identity: str, kind: str | list[str]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": identity, "name": identity, "dataType": kind}
