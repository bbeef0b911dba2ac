"""A local folder becomes the same tar each time, and no larger part of it is in memory than a piece."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from client.packing import no_files_in, packed
from schemas.errors import Invalid


async def bytes_of(folder: Path, seen: list[tuple[int, int | None]]) -> bytes:
    pieces = packed(folder, seen=lambda done, of: seen.append((done, of)))
    return b"".join([piece async for piece in pieces()])


async def test_a_folder_is_packed_with_its_files_and_no_times(tmp_path: Path) -> None:
    for name, text in (("b.txt", "b"), ("a/ä.txt", "ä" * 2_000_000)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    seen: list[tuple[int, int | None]] = []

    first = await bytes_of(tmp_path, seen)
    (tmp_path / "b.txt").touch()
    again = await bytes_of(tmp_path, [])

    assert first == again
    assert seen[-1] == (4_000_001, 4_000_001)
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert archive.getnames() == ["b.txt", "a/ä.txt"]


async def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    # Given a folder of which the images lie elsewhere
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.jpg").write_bytes(b"one")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "elsewhere")

    # Then they come along
    with tarfile.open(fileobj=io.BytesIO(await bytes_of(tmp_path / "set", []))) as archive:
        assert archive.getnames() == ["images/1.jpg"]


async def test_what_is_no_file_is_not_packed_and_named(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"one")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")

    with tarfile.open(fileobj=io.BytesIO(await bytes_of(tmp_path, []))) as archive:
        assert archive.getnames() == ["1.jpg"]
    assert sorted(path.name for path in no_files_in(tmp_path)) == ["gone.jpg", "pipe"]
    assert list(no_files_in(tmp_path / "1.jpg")) == []


async def test_a_link_that_leads_back_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)

    with pytest.raises(Invalid, match="for ever"):
        await bytes_of(tmp_path, [])


async def test_a_packing_that_is_given_up_ends(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(5_000_000))
    pieces = packed(tmp_path, seen=lambda *_: None)()

    assert len(await anext(pieces)) > 0
    await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator
