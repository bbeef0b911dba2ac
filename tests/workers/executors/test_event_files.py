"""TensorBoard's event files, as its own writer and others leave them."""

import struct
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from schemas.training_logs import POINTS_KEPT, ScalarTable
from workers.executors.event_files import EventFiles, ScalarsRead, read_scalars


def an_event(step: int, **values: float) -> Event:
    told = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    return Event(wall_time=1_700_000_000.0 + step, step=step, summary=Summary(value=told))


def write(folder: Path, *events: Event) -> Path:
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()
    (path,) = folder.glob("*tfevents*")
    return path


def a_record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc32c(head)) + data + struct.pack("<I", masked_crc32c(data))


def read(folder: Path) -> tuple[ScalarTable, ScalarsRead]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*tfevents*"))
    told = read_scalars(EventFiles(folder, names))
    return ScalarTable.model_validate(orjson.loads(told.table)), told


def test_scalars_are_read_in_order_of_their_steps(tmp_path: Path) -> None:
    write(tmp_path, an_event(2, loss=0.25), an_event(1, loss=0.5, rate=1.0))

    table, told = read(tmp_path)

    assert (table.tags["loss"].steps, table.tags["loss"].values) == ((1, 2), (0.5, 0.25))
    assert table.tags["loss"].wall_times == (1_700_000_001.0, 1_700_000_002.0)
    assert (table.tags["rate"].values, told.tags, told.warnings) == ((1.0,), 2, ())


def test_runs_in_folders_of_their_own_are_told_apart(tmp_path: Path) -> None:
    for run, value in (("train", 0.5), ("val", 0.75)):
        write(tmp_path / run, an_event(1, loss=value))

    table, _ = read(tmp_path)

    assert {tag: series.values for tag, series in table.tags.items()} == {"train/loss": (0.5,), "val/loss": (0.75,)}


def test_scalars_that_are_tensors_are_read_and_pictures_are_not(tmp_path: Path) -> None:
    event = Event(step=1)
    event.summary.value.add(tag="loss", tensor=make_tensor_proto(np.float32(0.5)))
    event.summary.value[0].metadata.plugin_data.plugin_name = "scalars"
    event.summary.value.add(tag="weights", tensor=make_tensor_proto(np.zeros(3, np.float32)))
    event.summary.value.add(tag="text", tensor=make_tensor_proto("hello"))
    event.summary.value.add(tag="picture", image=Summary.Image(height=1, width=1, encoded_image_string=b"x"))
    write(tmp_path, event)

    table, told = read(tmp_path)

    assert ({tag: series.values for tag, series in table.tags.items()}, told.warnings) == ({"loss": (0.5,)}, ())


def test_what_is_no_number_is_told_as_none(tmp_path: Path) -> None:
    write(tmp_path, an_event(1, loss=float("nan")), an_event(2, loss=float("inf")), an_event(3, loss=1.0))

    table, _ = read(tmp_path)

    assert table.tags["loss"].values == (None, None, 1.0)


@pytest.mark.parametrize("lost", [1, 4, 13, 30])
def test_a_file_that_is_cut_counts_up_to_there(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path, an_event(1, loss=0.5), an_event(2, loss=0.25))
    path.write_bytes(path.read_bytes()[:-lost])

    table, told = read(tmp_path)

    assert table.tags["loss"].values == (0.5,)
    assert told.warnings[0].startswith(f"tensorboard/{path.name}: after 2 records the file is cut")


@pytest.mark.parametrize("rest", [b"no record at all", a_record(b"no event"), struct.pack("<QI", 1 << 62, 0)])
def test_what_is_no_event_ends_a_file_and_is_told(tmp_path: Path, rest: bytes) -> None:
    path = write(tmp_path, an_event(1, loss=0.5))
    path.write_bytes(path.read_bytes() + rest)

    table, told = read(tmp_path)

    assert table.tags["loss"].values == (0.5,)
    assert len(told.warnings) == 1


def test_long_series_are_thinned_out_and_keep_their_ends(tmp_path: Path) -> None:
    count = 3 * POINTS_KEPT
    data = b"".join(a_record(an_event(step, loss=float(step)).SerializeToString()) for step in range(count))
    (tmp_path / "events.out.tfevents.1").write_bytes(data)

    table, _ = read(tmp_path)

    steps = table.tags["loss"].steps
    assert (len(steps), steps[0], steps[-1]) == (POINTS_KEPT, 0, count - 1)


def test_more_values_than_are_read_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.executors.event_files.POINTS_AT_MOST", 2)
    write(tmp_path, *(an_event(step, loss=0.5) for step in range(5)))

    table, told = read(tmp_path)

    assert len(table.tags["loss"].steps) == 2
    assert "3 values were not read" in told.warnings[0]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_told(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("events")
    (folder / "a.tfevents").write_bytes(a_record(an_event(1, loss=0.5).SerializeToString()) + data)

    table, told = read(folder)

    assert table.tags["loss"].values[:1] == (0.5,)
    assert bool(told.warnings) == bool(data)
