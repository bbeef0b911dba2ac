"""The form of a document in MongoDB: its JSON as text, and beside it the fields that indexes see."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from pymongo import ASCENDING, IndexModel

from schemas.schema import Document


def to_mongo(document: Document) -> dict[str, Any]:
    """Return a document as it is stored; a field that is null is absent, so that no unique key takes it."""
    kind, body = type(document), document.model_dump_json()
    parts = orjson.loads(body) if kind.INDEXED or kind.UNIQUE else {}
    stored = {"_id": document.id, "generation": document.generation, "number": kind.NUMBER, "body": body}
    for field in _fields(kind):
        if (value := _value(parts, field)) is not None:
            stored[stored_name(field)] = value
    return stored


def stored_name(field: str) -> str:
    """Return the name under which a field, a dotted path, is stored flat."""
    return "_id" if field == "id" else f"@{field.replace('.', '/')}"


def key_of(pattern: Iterable[str]) -> str:
    """Return the name of a unique key by the stored names of its fields."""
    return "+".join("id" if name == "_id" else name.removeprefix("@").replace("/", ".") for name in pattern)


def indexes(kind: type[Document]) -> list[IndexModel]:
    """Return the indexes of a kind: each indexed field with the id, and each unique key where no part is null."""
    plain = [index((field,)) for field in kind.INDEXED]
    return plain + [
        IndexModel(
            [(stored_name(field), ASCENDING) for field in key],
            name=f"unique {'+'.join(key)}",
            unique=True,
            partialFilterExpression={stored_name(field): {"$exists": True} for field in key},
        )
        for key in kind.UNIQUE
    ]


def index(fields: tuple[str, ...]) -> IndexModel:
    """Return the index of some fields and the id."""
    return IndexModel([(stored_name(field), ASCENDING) for field in (*fields, "id")], name="+".join(fields))


def _fields(kind: type[Document]) -> Iterable[str]:
    return dict.fromkeys((*kind.INDEXED, *(field for key in kind.UNIQUE for field in key)))


def _value(parts: Mapping[str, Any], field: str) -> Any:  # noqa: ANN401 - a scalar of JSON
    value: Any = parts
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
