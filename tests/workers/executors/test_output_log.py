"""The log of an executor: bounded, whatever it prints."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.executors import output_log
from workers.executors.output_log import OutputLog


def logged(path: Path, pieces: list[bytes], *, limit: int) -> bytes:
    log = OutputLog(str(path), limit=limit)
    for piece in pieces:
        log.write(piece)
    log.close()
    return path.read_bytes()


def test_what_fits_is_kept_whole(tmp_path: Path) -> None:
    assert logged(tmp_path / "log", [b"one ", b"two"], limit=100) == b"one two"


def test_the_beginning_and_the_end_of_the_rest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_log, "TAIL_BYTES", 4)

    text = logged(tmp_path / "log", [b"head", b"1234", b"5678", b"tail"], limit=4)

    assert text == b"head\n[... 8 bytes left out ...]\ntail"


@given(pieces=st.lists(st.binary(max_size=50), max_size=20), limit=st.integers(0, 100))
def test_nothing_is_lost_while_the_rest_fits_into_the_tail(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], limit: int
) -> None:
    assert logged(tmp_path_factory.mktemp("log") / "log", pieces, limit=limit) == b"".join(pieces)


def test_the_end_is_there_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_log, "SHOW_SECONDS", 0.0)
    monkeypatch.setattr(output_log, "TAIL_BYTES", 4)
    log = OutputLog(str(tmp_path / "log"), limit=4)
    seen = []

    for piece in (b"head", b"1234", b"5678", b"tail"):
        log.write(piece)
        seen.append((tmp_path / "log").read_bytes())
    log.close()

    assert seen[:2] == [b"head", b"head1234"]
    assert seen[3] == (tmp_path / "log").read_bytes() == b"head\n[... 8 bytes left out ...]\ntail"


def test_a_full_disk_does_not_stop_the_reader() -> None:
    log = OutputLog("/dev/full", limit=10)

    log.write(b"x" * 100)
    log.close()
