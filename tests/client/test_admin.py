"""What an administrator does to a data folder, as a user meets it."""

import asyncio
import json
import os
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from client import admin
from client.admin import back_up
from client.commands import main
from client.data_folder import owned
from schemas.annotations import ObjectType
from schemas.errors import Unavailable
from schemas.projects import Project
from schemas.schema import new_id
from schemas.uploads import Upload
from storage.blob_files import place
from storage.clock import utc_now
from storage.folder import FolderBlobs
from storage.ports import Documents
from storage.sqlite import open_database
from tests.factories import NOON

NAMED, LOOSE = b"this is named", b"this is not"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with an upload of three days ago, and a blob that nothing names."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("admin.key", "link.key"):
        (folder / name).write_text("secret\n")
    asyncio.run(fill(folder))
    return folder


async def fill(folder: Path) -> None:
    blobs = FolderBlobs(folder / "blobs")
    named, loose = await blobs.put(NAMED), await blobs.put(LOOSE)
    for ref in (named, loose):
        then = (utc_now() - timedelta(days=3)).timestamp()
        os.utime(place(folder / "blobs", ref.digest), (then, then))
    async with open_database(folder / "ymir.db") as database:
        upload = Upload(id=new_id(), name="a.zip", blob=named, created_by="somebody", created_at=NOON)
        await database.documents(Upload).add(upload)


def blobs_of(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (folder / "blobs").rglob("*") if path.is_file())


def test_garbage_is_collected_and_told_in_a_few_lines(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["admin", "gc", "--data", str(data)])

    assert status == 0
    assert blobs_of(data) == [NAMED]
    told = capsys.readouterr().out
    assert f"removed: 1 blob, {len(LOOSE)} bytes that nothing names" in told
    assert f"named: 1 blob, {len(NAMED)} bytes" in told


def test_a_dry_run_says_as_json_what_would_go(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["admin", "gc", "--data", str(data), "--dry-run", "--json"])

    assert status == 0
    assert blobs_of(data) == [NAMED, LOOSE]
    told = json.loads(capsys.readouterr().out)
    assert (told["dry_run"], told["removed"]) == (True, {"blobs": 1, "bytes": len(LOOSE)})


@pytest.mark.parametrize("command", [["gc", "--data"], ["backup", "to", "--data"]])
def test_a_folder_without_data_is_refused_and_left_as_it_is(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["admin", *command, str(tmp_path / "nowhere")])

    assert status == 1
    assert "There is no data" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_a_setting_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("YMIR_MONGO_URL", raising=False)

    status = main(["admin", "gc"])

    assert status == 1
    assert "YMIR_MONGO_URL" in capsys.readouterr().err


async def test_no_two_commands_work_on_a_folder_at_once(data: Path, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from client import admin\n"
        "with admin._alone(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(data), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    await asyncio.wait_for(holder.stdout.readline(), 30)

    status = await asyncio.to_thread(main, ["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    holder.stdin.close()
    await asyncio.wait_for(holder.wait(), 30)
    assert status == 1
    assert not (tmp_path / "to" / "ymir.db").exists()


def test_a_back_up_holds_documents_blobs_and_secrets_of_its_owner_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "to"

    status = main(["admin", "backup", "--data", str(data), str(to)])

    assert status == 0
    assert str(to) in capsys.readouterr().out
    assert blobs_of(to) == blobs_of(data)
    assert asyncio.run(uploads_of(to)) == asyncio.run(uploads_of(data))
    for name in ("admin.key", "link.key"):
        assert (to / name).read_text() == (data / name).read_text()
        assert stat.S_IMODE((to / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(to.stat().st_mode) == 0o700


def test_a_second_back_up_adds_what_is_new(data: Path, tmp_path: Path) -> None:
    main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])
    before = {path: path.stat().st_ino for path in (tmp_path / "to" / "blobs").rglob("*") if path.is_file()}
    asyncio.run(add_project(data))

    status = main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    assert status == 0
    assert blobs_of(tmp_path / "to") == blobs_of(data)
    assert {path: path.stat().st_ino for path in before} == before
    assert asyncio.run(projects_of(tmp_path / "to")) == 1


def test_a_back_up_that_was_broken_off_is_completed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(source: Path, to: Path) -> None:
        to.with_name(f"{to.name}.incomplete").write_bytes(source.read_bytes()[:100])
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(admin, "back_up_documents", broken_off)
        first = main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    second = main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    assert (first, second) == (1, 0)
    assert asyncio.run(uploads_of(tmp_path / "to")) == asyncio.run(uploads_of(data))


def test_a_damaged_blob_is_told_and_all_else_is_copied(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (damaged,) = [path for path in (data / "blobs").rglob("*") if path.is_file() and path.read_bytes() == LOOSE]
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" + LOOSE[1:])

    status = main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    assert status == 1
    assert damaged.name in capsys.readouterr().err
    assert blobs_of(tmp_path / "to") == [NAMED]


def test_a_folder_that_holds_something_else_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")

    other = main(["admin", "backup", "--data", str(data), str(tmp_path / "home")])
    inside = main(["admin", "backup", "--data", str(data), str(data / "copy")])

    assert (other, inside) == (1, 1)
    told = capsys.readouterr().err
    assert "no back-up" in told
    assert "elsewhere" in told
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]


def test_a_back_up_that_is_being_served_is_left_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    with owned(tmp_path / "to") as tell:
        tell("http://127.0.0.1:1")
        status = main(["admin", "backup", "--data", str(data), str(tmp_path / "to")])

    assert status == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err


async def test_documents_that_are_written_meanwhile_are_in_a_back_up_wholly_or_not_at_all(
    data: Path, tmp_path: Path
) -> None:
    async with open_database(data / "ymir.db") as database:
        uploads = database.documents(Upload)
        adding = asyncio.create_task(add_uploads(uploads, 200, data))

        await back_up(data, tmp_path / "to")

        await adding
        assert await uploads.count() == 201
    for upload in await uploads_of(tmp_path / "to"):
        assert await FolderBlobs(tmp_path / "to" / "blobs").get(upload.blob.digest)


async def add_uploads(uploads: Documents[Upload], count: int, data: Path) -> None:
    blobs = FolderBlobs(data / "blobs")
    for number in range(count):
        ref = await blobs.put(b"%d" % number)
        await uploads.add(Upload(id=new_id(), name="a", blob=ref, created_by="me", created_at=NOON))


async def uploads_of(folder: Path) -> list[Upload]:
    async with open_database(folder / "ymir.db") as database:
        return list((await database.documents(Upload).list(limit=1_000)).items)


async def add_project(folder: Path) -> None:
    async with open_database(folder / "ymir.db") as database:
        project = Project(id=new_id(), name="p", object_type=ObjectType.DETECTION, created_at=NOON)
        await database.documents(Project).add(project)
    await FolderBlobs(folder / "blobs").put(b"new")


async def projects_of(folder: Path) -> int:
    async with open_database(folder / "ymir.db") as database:
        return await database.documents(Project).count()
