"""Zip archives that are written in little memory are read by everybody."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import zip_writer
from workers.zip_writer import ZipWriter

names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:"), min_size=1, max_size=9)
contents = st.lists(st.binary(max_size=9), max_size=4)


def written(folder: Path, members: dict[str, list[bytes]]) -> Path:
    archive = ZipWriter(folder / "a.zip")
    for name, pieces in members.items():
        archive.add(name, pieces)
    archive.close()
    return folder / "a.zip"


@given(st.dictionaries(names, contents, max_size=5))
def test_members_come_back_under_their_names(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, list[bytes]]
) -> None:
    path = written(tmp_path_factory.mktemp("zip"), members)

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: b"".join(pieces) for name, pieces in members.items()
        }
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())


def test_an_archive_beyond_the_limits_of_old_zips_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_writer, "MANY", 2)
    monkeypatch.setattr(zip_writer, "LARGE", 0xFFFFFFFF)

    path = written(tmp_path, {str(number): [b"x" * number] for number in range(5)})

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 5


def test_a_file_is_a_member_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * 10_000)
    archive = ZipWriter(tmp_path / "a.zip")

    archive.add_file("large", tmp_path / "large")
    archive.add("small", [b"s"])
    archive.close()

    with zipfile.ZipFile(tmp_path / "a.zip") as read:
        assert read.testzip() is None
        assert read.read("large") == (tmp_path / "large").read_bytes()
