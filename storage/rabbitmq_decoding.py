"""Messages that the driver cannot read: they lose their properties, where the connection would end again and again."""

from typing import Final

from pamqp import decode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

FIXED_BYTES: Final = 12
DELIVERY_MODES: Final = frozenset({None, 1, 2})

_read_properties: Final = ContentHeader.unmarshal


def be_lenient() -> None:
    """Have the driver read whatever a broker lets pass: any sender can put it into a queue of ours."""
    ContentHeader.unmarshal = _unmarshal  # type: ignore[assignment, method-assign]  # the driver has no place for another reader
    decode.METHODS["shortstr"] = _short_text


def _unmarshal(header: ContentHeader, data: bytes) -> None:
    try:
        _read_properties(header, data)
    except Exception:  # times in no calendar, text in no encoding, tables deeper than the stack
        if len(data) < FIXED_BYTES:
            raise  # the size of the body is among those: nothing that follows can be read without it
        header.properties = Basic.Properties()
    if header.properties.delivery_mode not in DELIVERY_MODES:
        header.properties.delivery_mode = None


def _short_text(value: bytes) -> tuple[int, str]:
    """Return a short text of a frame, and how many bytes it takes."""
    length = value[0] + 1 if value else 0
    if not 0 < length <= len(value):
        raise ValueError("Could not unpack short string value")
    return length, value[1:length].decode(errors="replace")
