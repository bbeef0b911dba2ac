"""The metadata of a Croissant: http://mlcommons.org/croissant/1.1."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.datasets import Version
from workers.formats.croissant_records import FILES, record_sets
from workers.formats.exporter import Order

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
LICENCE: Final = ("license:", "licence:")
"""How a keyword of a version begins that names its licence."""
JSON_LINES: Final = "application/jsonlines"

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
        "recordSet": [*record_sets(classes=classes, splits=splits, images=order.images)],
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
