"""Refs: how a version is named in requests and on the command line."""

from typing import Annotated, Final, NamedTuple

from pydantic import StringConstraints

from schemas.schema import Schema
from schemas.splits import Split

REF_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$"
Ref = Annotated[str, StringConstraints(pattern=REF_PATTERN)]


class ParsedRef(NamedTuple):
    """A dataset's name and, unless the newest version is meant, a tag or number."""

    dataset: str
    at: str | None


class Source(Schema):
    """A version to take from; with ``split``, all its assets are put to that use."""

    ref: Ref
    split: Split | None = None


def parse_ref(ref: str) -> ParsedRef:
    """Return the parts of ``name``, ``name@tag`` or ``name@3``."""
    dataset, _, at = ref.partition("@")
    return ParsedRef(dataset, at or None)
