"""The metadata of a Croissant: http://mlcommons.org/croissant/1.1."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.datasets import Version
from workers.formats.exporter import Order

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
LICENCE: Final = ("license:", "licence:")
"""How a keyword of a version begins that names its licence."""
SPLITS: Final = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
JSON_LINES: Final = "application/jsonlines"
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
CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            *(
                "annotation",
                "arrayShape",
                "citeAs",
                "column",
                "containedIn",
                "equivalentProperty",
                "excludes",
                "extract",
            ),
            *("field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
            *("jsonPath", "key", "md5", "parentField", "path", "readLines", "recordSet", "references", "regex"),
            *("repeated", "replace", "samplingRate", "sdVersion", "separator", "source", "subField", "transform"),
            *("unArchive", "value"),
        )
    },
}


def table_name(table: str) -> str:
    """Return the file of a table."""
    return f"tables/{table}.jsonl"


class CroissantFile(NamedTuple):
    """A table that was written: its name, the SHA-256 of its bytes in hex, and how many they are."""

    name: str
    sha256: str
    size: int


def metadata(
    order: Order,
    *,
    files: Sequence[CroissantFile],
    classes: Sequence[str],
    media_types: Sequence[str],
    splits: Sequence[str],
) -> dict[str, Any]:
    """Return the metadata of what was exported: its files, and the records in them."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        **_about(order.version, order.parents),
        "isLiveDataset": False,
        "distribution": [*map(_file, files), *(_images(media_types) if order.images else ())],
        "recordSet": [
            *_splits(splits),
            *_classes(classes),
            _image_records(splits),
            _annotation_records(classes),
            *(_pictures() if order.images else ()),
        ],
    }


def _about(version: Version | None, parents: Sequence[Version]) -> dict[str, Any]:
    if version is None:
        return {"name": "dataset", "description": "A dataset exported by YMIR."}
    known = {parent.id: parent for parent in parents}
    about: dict[str, Any] = {
        "name": version.dataset_name,
        "description": version.message or f"Version {version.number} of the dataset {version.dataset_name}.",
        "version": f"{version.number}.0.0",
        "identifier": version.digest,
        "dateCreated": version.created_at.isoformat(),
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": f"urn:ymir:task:{version.task}",
            "prov:label": version.made_by,
            "prov:endedAtTime": version.created_at.isoformat(),
        },
    }
    if version.parents:
        about["prov:wasDerivedFrom"] = [_parent(parent, known.get(parent)) for parent in version.parents]
    licences = [word.partition(":")[2].strip() for word in version.keywords if word.lower().startswith(LICENCE)]
    if licences:
        about["license"] = licences if len(licences) > 1 else licences[0]
    keywords = [word for word in version.keywords if not word.lower().startswith(LICENCE)]
    return {**about, "keywords": keywords} if keywords else about


def _parent(identity: str, version: Version | None) -> dict[str, Any]:
    reference = {"@id": f"urn:ymir:version:{identity}"}
    if version is None:
        return reference
    return {**reference, "prov:label": f"{version.dataset_name}@{version.number}", "identifier": version.digest}


def _file(file: CroissantFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.size} B",
        "encodingFormat": JSON_LINES,
        "sha256": file.sha256,
    }


def _images(media_types: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {
        "@type": "cr:FileSet",
        "@id": FILES,
        "name": FILES,
        "description": "The images, their bytes as they came.",
        "encodingFormat": list(media_types) or ["image/*"],
        "includes": "images/*",
    }


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


def _pictures() -> Iterator[dict[str, Any]]:
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
    yield {
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
