"""What every schema of this project is: a frozen, checked value."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Self
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
ID_PATTERN: Final = r"^[0-9a-f]{32}$"


def _to_milliseconds(instant: datetime) -> datetime:
    utc = instant.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def to_text(instant: datetime) -> str:
    """Return an instant as it is stored: UTC, milliseconds, always as wide; so instants sort as their text does."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
AssetId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Instant = Annotated[AwareDatetime, AfterValidator(_to_milliseconds), PlainSerializer(to_text, when_used="json")]


class Schema(BaseModel):
    """A frozen value; fields of a newer release are ignored (requests are read with ``extra="forbid"``)."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class Document(Schema):
    """A value that is kept under an id and followed by successors, one generation apart.

    ``INDEXED`` names the fields (dotted paths) that can be asked for and sorted by;
    ``UNIQUE`` the keys, each a tuple of fields, that no two documents of the kind may share (one with a null
    field is never taken); ``NUMBER`` counts the stored forms that could not be read as they were (storage/upgrades.py).
    """

    KIND: ClassVar[str]
    NUMBER: ClassVar[int] = 1
    INDEXED: ClassVar[tuple[str, ...]] = ()
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = ()

    id: str
    generation: int = 0

    def successor(self, **changes: Any) -> Self:  # noqa: ANN401 - a change may be of any field
        """Return this document as it is after a change, one generation later and checked anew."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **changes, "generation": self.generation + 1})


def new_id() -> str:
    """Return an id that nothing else has."""
    return uuid4().hex


def derived_id(*parts: object) -> str:
    """Return the id that follows from ``parts``: equal parts, equal id."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_of(data: bytes) -> str:
    """Return the digest of some bytes, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
