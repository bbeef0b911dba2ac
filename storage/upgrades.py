"""Stored documents of older numbers, brought to the number of today as they are read."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.schema import Document

D = TypeVar("D", bound=Document)
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

# (kind, n): what turns the stored form of number n into that of n + 1. Indexes see what is stored: an upgrade
# that changes an indexed field or a unique key needs its documents written anew as well.
UPGRADES: Final[Mapping[tuple[str, int], Upgrade]] = {}


def revive(kind: type[D], *, number: int, body: str, upgrades: Mapping[tuple[str, int], Upgrade] = UPGRADES) -> D:
    """Return the document that was stored as JSON under a schema number.

    One of a newer release is read as it is: what we do not know of it is ignored. Raise Invalid where it
    cannot be read.
    """
    try:
        if number < kind.NUMBER:
            body = _upgraded(kind, number, body, upgrades)
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Invalid(
            f"A stored {kind.KIND} of number {number} cannot be read: {where}: {first['msg']}",
            step="restore the database from a back-up, or run the release that wrote it",
        ) from error


def _upgraded(kind: type[Document], number: int, body: str, upgrades: Mapping[tuple[str, int], Upgrade]) -> str:
    fields: dict[str, Any] = orjson.loads(body)
    for step in range(number, kind.NUMBER):
        if (kind.KIND, step) not in upgrades:
            raise Invalid(
                f"Nothing turns a stored {kind.KIND} of number {step} into one of number {step + 1}.",
                step="run a release that knows both numbers first",
            )
        fields = upgrades[kind.KIND, step](fields)
    return orjson.dumps(fields).decode()
