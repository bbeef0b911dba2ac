"""Scalars for TensorBoard: an event file written without TensorBoard, which a detector this small does not bring."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

CASTAGNOLI = 0x82F63B78
# The fields of the messages Event, Summary and Summary.Value, as their number and the kind of what follows.
WALL_TIME, STEP, FILE_VERSION, SUMMARY = b"\x09", b"\x10", b"\x1a", b"\x2a"
VALUE, TAG, SIMPLE_VALUE = b"\x0a", b"\x0a", b"\x15"


class EventFile:
    """An event file of one run; each record is in it as soon as it is written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"events.out.tfevents.{int(_now())}.tiny-detector"
        self._append(_sized(FILE_VERSION, b"brain.Event:2"))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the value of each tag at a step."""
        values = (_sized(TAG, tag.encode()) + SIMPLE_VALUE + struct.pack("<f", value) for tag, value in scalars.items())
        summary = b"".join(_sized(VALUE, value) for value in values)
        self._append(STEP + _varint(step) + _sized(SUMMARY, summary))

    def _append(self, told: bytes) -> None:
        event = WALL_TIME + struct.pack("<d", _now()) + told
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _masked_crc(length) + event + _masked_crc(event))


def _now() -> float:
    return float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))


def _sized(field: bytes, content: bytes) -> bytes:
    return field + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:  # noqa: PLR2004 - seven bits of each byte
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _masked_crc(data: bytes) -> bytes:
    """Return the masked CRC-32C that follows what it is of, as in every TFRecord file."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
