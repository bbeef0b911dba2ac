"""TensorBoard's event files: the scalars in them, whatever their writer and however they end."""

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import orjson

from schemas.counts import counted
from schemas.training_logs import POINTS_KEPT

RECORD_BYTES: Final = 1 << 20
"""Longer records are pictures and the like; they are not read."""
TAGS_AT_MOST: Final = 1_000
TAG_LETTERS: Final = 500
POINTS_AT_MOST: Final = 500_000
"""Of all tags together."""
_HEAD: Final = struct.Struct("<QI")
_CHECK_BYTES: Final = 4


class EventFiles(NamedTuple):
    """The event files of a run: their paths below its folder, in their order."""

    folder: Path
    names: Sequence[str]


class ScalarsRead(NamedTuple):
    """The scalars of a run as the JSON of a ``ScalarTable``, how many tags they have, and what went wrong."""

    table: bytes
    tags: int
    warnings: tuple[str, ...]


def read_scalars(files: EventFiles) -> ScalarsRead:
    """Return all scalars of some event files; one that is damaged or cut counts up to there, and that is told."""
    table, warnings = _Table(), []
    for name in files.names:
        run = name.rpartition("/")[0]
        with (files.folder / name).open("rb") as file:
            if fault := _read_file(file, f"{run}/" if run else "", table):
                warnings.append(f"tensorboard/{name}: {fault}; what comes before it was read.")
    if table.left_out:
        warnings.append(
            f"Of the scalars for TensorBoard {table.left_out} values were not read: more than {POINTS_AT_MOST} values, "
            f"or {TAGS_AT_MOST} tags."
        )
    return ScalarsRead(orjson.dumps({"tags": table.written()}), len(table.series), tuple(warnings))


@dataclass
class _Series:
    steps: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def written(self) -> dict[str, list[Any]]:
        steps, times, values = np.array(self.steps), np.array(self.times), np.array(self.values)
        order = np.lexsort((times, steps))
        if len(order) > POINTS_KEPT:
            order = order[np.linspace(0, len(order) - 1, POINTS_KEPT).round().astype(np.int64)]
        numbers = [value if np.isfinite(value) else None for value in values[order].tolist()]
        return {"steps": steps[order].tolist(), "wall_times": times[order].tolist(), "values": numbers}


class _Table:
    """Scalars by tag, as many as are read at most."""

    def __init__(self) -> None:
        self.series: dict[str, _Series] = {}
        self.left_out = self._points = 0

    def add(self, tag: str, step: int, time: float, value: float) -> None:
        if self._points >= POINTS_AT_MOST or (tag not in self.series and len(self.series) >= TAGS_AT_MOST):
            self.left_out += 1
            return
        self._points += 1
        series = self.series.setdefault(tag, _Series())
        series.steps.append(step)
        series.times.append(time if np.isfinite(time) else 0.0)
        series.values.append(value)

    def written(self) -> dict[str, dict[str, list[Any]]]:
        return {tag: self.series[tag].written() for tag in sorted(self.series)}


class _DamagedError(Exception):
    """An event file does not go on as it should."""


def _read_file(file: BinaryIO, run: str, table: _Table) -> str:
    """Add the scalars of one file; return what is wrong with it, nothing if it ends as it should."""
    # Only here: whoever has no event files does not wait for these modules.
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - as above

    number = 0
    try:
        for record in _records(file):
            event = Event.FromString(record)
            number += 1
            for value in event.summary.value:
                scalar = _scalar(value)
                if scalar is not None:
                    table.add(f"{run}{value.tag}"[:TAG_LETTERS], event.step, event.wall_time, scalar)
    except DecodeError:
        return f"after {counted(number, 'record')} there is one that is no event"
    except _DamagedError as error:
        return f"after {counted(number, 'record')} {error}"
    return ""


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the records of a TFRecord file; raise _DamagedError where it is cut or is none.

    Of their check sums only that of the length is compared: a record that is damaged is hardly ever an event.
    """
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c  # noqa: PLC0415 - as above

    size = file.seek(0, 2)
    file.seek(0)
    while head := file.read(_HEAD.size):
        length, check = _HEAD.unpack(head) if len(head) == _HEAD.size else (size, 0)
        end = file.tell() + length + _CHECK_BYTES
        if len(head) == _HEAD.size and masked_crc32c(head[:8]) != check:
            message = "what follows is no record"
            raise _DamagedError(message)
        if end > size:
            message = "the file is cut"
            raise _DamagedError(message)
        if length <= RECORD_BYTES:
            yield file.read(length)
        file.seek(end)


def _scalar(value: Any) -> float | None:  # noqa: ANN401 - of a library without types
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name
    if kind != "tensor" or plugin not in {"", "scalars"} or len(value.tensor.tensor_shape.dim):
        return None
    from tensorboard.util.tensor_util import make_ndarray  # noqa: PLC0415 - as above

    try:
        number = make_ndarray(value.tensor)
        return float(number.item()) if number.dtype.kind in "fiu" else None
    except (TypeError, ValueError):
        return None
