"""Archives from strangers."""

import gzip
import io
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from workers.archives import ArchiveLimits, Unpacked, unpack

LIMITS = ArchiveLimits(size=1 << 30, ratio=200.0, members=1_000)


def a_zip(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


def a_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]  # the mode is an example's
        for member in members:
            file.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def a_member(name: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, "elsewhere"
    return info


def unpacked(archive: Path, *, limits: ArchiveLimits = LIMITS) -> Unpacked:
    folder = archive.parent / "unpacked"
    folder.mkdir()
    return unpack(archive, folder, limits=limits, progress=lambda _: None)


def test_a_zip_is_unpacked_with_its_folders(tmp_path: Path) -> None:
    archive = a_zip(tmp_path / "a.zip", ("images/", b""), ("images/1.jpg", b"one"), ("2.jpg", b"two"))

    found = unpacked(archive)

    assert found == Unpacked(2, 6, ())
    assert (tmp_path / "unpacked/images/1.jpg").read_bytes() == b"one"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_is_unpacked_whatever_its_compression(tmp_path: Path, mode: str) -> None:
    archive = a_tar(tmp_path / "upload", a_member("a", kind=tarfile.DIRTYPE), a_member("a/1.jpg", size=5), mode=mode)

    assert unpacked(archive).files == 1
    assert (tmp_path / "unpacked/a/1.jpg").read_bytes() == b"xxxxx"


@pytest.mark.parametrize("name", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "..\\1.jpg", "C:\\1.jpg", "../"])
def test_a_path_that_leads_out_is_refused_by_name(tmp_path: Path, name: str) -> None:
    archive = a_zip(tmp_path / "a.zip", ("ok.jpg", b""), (name, b"x" * (not name.endswith("/"))))

    with pytest.raises(Invalid, match="leads out of the archive") as caught:
        unpacked(archive)

    assert caught.value.faults[0].pointer == name
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "unpacked"}


def test_a_path_of_a_tar_that_leads_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="leads out of the archive"):
        unpacked(a_tar(tmp_path / "a.tar", a_member("../1.jpg", size=1)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(Invalid, match=r"'odd' is refused: it is a link or device"):
        unpacked(a_tar(tmp_path / "a.tar", a_member("odd", kind=kind)))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("odd")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")

    with pytest.raises(Invalid, match="'odd' is refused: it is a link"):
        unpacked(tmp_path / "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="two members of that name"):
        unpacked(a_zip(tmp_path / "a.zip", ("1.jpg", b"1"), ("1.jpg", b"2")))


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="a file and a folder at once"):
        unpacked(a_zip(tmp_path / "a.zip", ("a", b"1"), ("a/b", b"2")))


def test_a_bomb_is_refused_before_it_has_unpacked_much(tmp_path: Path) -> None:
    archive = a_zip(tmp_path / "a.zip", ("zeros.bmp", bytes(20 << 20)), compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(Invalid, match=r"'zeros\.bmp' is refused: .* it may be a bomb"):
        unpacked(archive, limits=LIMITS._replace(size=5 << 20))

    assert (tmp_path / "unpacked/zeros.bmp").stat().st_size <= 6 << 20


def test_a_bomb_is_known_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.archives.RATIO_FREE_BYTES", 1 << 20)
    archive = a_zip(tmp_path / "a.zip", ("zeros.bmp", bytes(20 << 20)), compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(Invalid, match="may be a bomb"):
        unpacked(archive)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    archive = a_zip(tmp_path / "a.zip", *((f"{number}.jpg", b"") for number in range(5)))

    with pytest.raises(Invalid, match="more than 4 members"):
        unpacked(archive, limits=LIMITS._replace(members=4))


def test_archives_inside_are_left_as_they_are_and_listed(tmp_path: Path) -> None:
    archive = a_zip(tmp_path / "a.zip", ("inner.zip", b"x"), ("1.jpg", b"x"))

    assert unpacked(archive).archives == ("inner.zip",)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.98])
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_truncated_archive_is_refused(tmp_path: Path, kind: str, keep: float) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        a_zip(path, *((f"{number}.jpg", bytes(range(256)) * 9) for number in range(9)))
    else:
        a_tar(path, *(a_member(f"{number}.jpg", size=9_999) for number in range(9)), mode="w:gz")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    with pytest.raises(Invalid, match=r"truncated") as caught:
        unpacked(path)

    assert caught.value.step


def test_a_member_whose_bytes_were_changed_is_refused(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", ("1.jpg", b"something"))
    path.write_bytes(path.read_bytes().replace(b"something", b"somethinX"))

    with pytest.raises(Invalid, match="damaged or truncated"):
        unpacked(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", ("1.jpg", b"something"))
    data = bytearray(path.read_bytes())
    # The flag in the member's own header, and in the directory at the end.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    with pytest.raises(Invalid, match=r"'1\.jpg' is refused: it is encrypted"):
        unpacked(path)


def test_a_zip_of_the_64_bit_form_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file, file.open("1.jpg", "w", force_zip64=True) as member:
        member.write(b"one")

    assert unpacked(tmp_path / "a.zip").files == 1
    assert (tmp_path / "unpacked/1.jpg").read_bytes() == b"one"


@pytest.mark.parametrize("name", ["naïve.jpg", "写真/鸟.jpg", "e\u0301.jpg", "🐦.jpg", "a:b?.jpg", " .jpg"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_of_any_script_are_kept(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / f"a.{kind}"
    archive = a_zip(path, (name, b"x")) if kind == "zip" else a_tar(path, a_member(name, size=1))

    assert unpacked(archive).files == 1
    assert (tmp_path / "unpacked" / name).read_bytes() == b"x"


def test_a_name_in_the_code_page_of_dos_is_read_as_such(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", ("XX.jpg", b"x"))
    path.write_bytes(path.read_bytes().replace(b"XX.jpg", b"\x84\x81.jpg"))

    unpacked(path)

    assert (tmp_path / "unpacked" / "äü.jpg").read_bytes() == b"x"


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path: Path, kind: bytes) -> None:
    header = a_member("x", kind=kind, size=1 << 40).tobuf(tarfile.GNU_FORMAT)
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(a_member("1.jpg").tobuf() + header + bytes(100_000))

    with pytest.raises(Invalid, match="a header of"):
        unpacked(tmp_path / "a.tar.gz")


def test_a_sparse_member_counts_with_its_holes(tmp_path: Path) -> None:
    hole = 1 << 30
    file = tmp_path / "sparse.bmp"
    with file.open("wb") as writing:
        writing.truncate(hole)
    subprocess.run(["tar", "--sparse", "-cf", "a.tar", file.name], cwd=tmp_path, check=True)  # noqa: S607 - the one there is

    with pytest.raises(Invalid, match="may be a bomb"):
        unpacked(tmp_path / "a.tar", limits=LIMITS._replace(size=1 << 20))


@given(data=st.data(), kind=st.sampled_from(["zip", "tar"]))
def test_an_archive_that_was_changed_anywhere_is_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("archives")
    path = folder / f"a.{kind}"
    if kind == "zip":
        a_zip(path, ("a/1.jpg", b"one" * 50), ("2.jpg", b"two"), compression=zipfile.ZIP_DEFLATED)
    else:
        a_tar(path, a_member("a/1.jpg", size=20))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:place] + data.draw(st.binary(max_size=6)) + whole[place + data.draw(st.integers(0, 20)) :])

    try:
        found = unpacked(path)
    except Invalid:
        return

    assert found.files <= 2
    assert {entry.name for entry in folder.iterdir()} == {f"a.{kind}", "unpacked"}
