"""`mir` as a process beside others: interrupted, waiting, with a service on its folder, and against one elsewhere."""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from client.admin import back_up, collect_garbage
from client.mir.codes import Code
from schemas.task_states import TaskState
from tests.client.mir.conftest import Said
from tests.client.mir.pictures import make_pictures
from tests.e2e.service import served

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parent.parent.parent.parent


async def started(*arguments: object, cwd: Path, **environment: str) -> Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YMIR_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client.mir.main", *map(str, arguments)),
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        stdout=PIPE,
        stderr=PIPE,
    )


async def ran(*arguments: object, cwd: Path, **environment: str) -> Said:
    process = await started(*arguments, cwd=cwd, **environment)
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def test_an_interrupted_command_leaves_no_task_and_a_line_in_the_log(repository: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    given = ("import", "--index-file", _very_many(tmp_path / "many"), "--dst-rev", "a@a", "-w", work)
    process = await started(*given, cwd=repository, YMIR_BEAT_SECONDS="0.5")
    async with asyncio.timeout(60):
        while not _is_running(work / "out" / "monitor.txt"):  # noqa: ASYNC110 - it is another process that writes
            await asyncio.sleep(0.02)

    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.wait(), 60)

    assert process.returncode == Code.ERROR_UNKNOWN % 256
    assert (
        "import failed: 169999, interrupted" in (await ran("log", "--oneline", "--src-revs", "a", cwd=repository)).out
    )
    after = await ran("sampling", "--src-revs", "val", "--count", 2, "--dst-rev", "s@s", cwd=repository)
    assert after.code == 0
    assert _states(repository) == {TaskState.SUCCEEDED, TaskState.CANCELLED}


async def test_two_commands_at_once_are_done_one_after_the_other(repository: Path) -> None:
    given = ("sampling", "--src-revs", "training", "--dst-rev")

    both = await asyncio.gather(
        ran(*given, "s@a", "--count", 3, cwd=repository), ran(*given, "s@b", "--count", 4, cwd=repository)
    )

    assert [said.code for said in both] == [0, 0]
    assert any("waiting for process" in said.err for said in both)
    assert "metadatas.mir: 3 assets" in (await ran("show", "--src-revs", "s@a", cwd=repository)).out


async def test_the_service_on_the_folder_is_used(repository: Path, tmp_path: Path) -> None:
    pictures, assets = make_pictures(tmp_path / "fresh", 3, seed=10), tmp_path / "assets"
    assets.mkdir()
    given = ("import", "--index-file", pictures / "index.tsv", "--annotation-dir", pictures / "Annotations")

    async with served(repository / ".mir", import_root=tmp_path):
        said = await ran(*given, "--gen-dir", assets, "--dst-rev", "f@f", cwd=repository)
        shown = await ran("show", cwd=repository)

    assert said.code == 0, said.err
    assert "sending" in said.err
    assert "metadatas.mir: 3 assets" in shown.out
    assert len([path for path in assets.glob("??/*") if path.is_file()]) == 3


async def test_a_service_elsewhere_is_worked_on_with_its_address(pictures: Path, tmp_path: Path, config: Path) -> None:
    root, models = tmp_path / "here", tmp_path / "models"
    root.mkdir()
    async with served(tmp_path / "there", import_root=tmp_path) as service:
        address = {"YMIR_URL": service.url, "YMIR_KEY_FILE": str(tmp_path / "there" / "admin.key")}

        async def run(*arguments: object) -> Said:
            said = await ran(*arguments, cwd=root, **address)
            assert said.code == 0, said.err
            return said

        await run("init")
        for name in ("training", "val"):
            source = ("--asset-path", pictures / name, "--anno-type", "det:voc", "--gen-dir", tmp_path)
            await run("import", *source, "--unknown-types-strategy", "add", "--dst-rev", f"{name}@import")
        sources = ("--src-revs", "tr:training;va:val", "--task-config-file", config, "--model-location", models)
        trained = await run("train", *sources, "--executor", "tiny-detector", "--dst-rev", "t@t")
        exported = await run("export", "--src-revs", "val", "--asset-dir", tmp_path / "out")
        shown = await run("show", "--src-revs", "val@import")

    model = next(line for line in trained.lines if line.startswith("model hash: ")).removeprefix("model hash: ")
    assert (models / model).is_file()
    assert exported.lines == [f"8 images in {tmp_path / 'out'}"]
    assert shown.lines[2] == "metadatas.mir: 8 assets, tr: 0, va: 0, te: 0, unknown: 8"
    assert (root / "labels.csv").read_text().count("\n") == 5
    assert not (root / ".mir" / "ymir.db").exists()
    silent = await ran("show", cwd=root, **address)
    assert silent.code == Code.ERROR_UNKNOWN % 256
    assert service.url in silent.err


async def test_a_collection_and_a_backup_know_the_folders_of_a_repository(
    repository: Path, made_repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, assets = repository / ".mir", tmp_path / "assets"
    shutil.copytree(made_repository.parent / "assets", assets)
    places = data / "places.json"
    places.write_text(places.read_text().replace(str(made_repository.parent / "assets"), str(assets)))
    stray = assets / "ff" / f"{'0' * 62}ff"
    stray.write_bytes(b"nobody's")
    os.utime(stray, (1_000_000_000, 1_000_000_000))
    (assets / "repositories" / ("e" * 32)).write_text("/another/.mir\n")

    shared = await collect_garbage(data, hidden_days=30, dry_run=False)
    kept = stray.exists()
    (assets / "repositories" / ("e" * 32)).unlink()
    alone = await collect_garbage(data, hidden_days=30, dry_run=False)
    backed_up = await back_up(data, tmp_path / "copy")

    assert "is used by /another/.mir as well" in capsys.readouterr().err
    assert (shared.removed.blobs, kept) == (0, True)
    assert (alone.removed.blobs, stray.exists()) == (1, False)
    images = [path for path in assets.glob("??/*") if path.is_file()]
    assert len(images) >= 24
    assert backed_up.blobs > len(images)
    assert all((tmp_path / "copy" / "blobs" / path.name[-2:] / path.name).exists() for path in images)


def _is_running(monitor: Path) -> bool:
    return monitor.exists() and monitor.read_text().split("\t")[3:4] == ["2"]


def _states(repository: Path) -> set[TaskState]:
    with closing(sqlite3.connect(repository / ".mir" / "ymir.db")) as connection:
        rows = connection.execute("SELECT DISTINCT json_extract(body, '$.state') FROM task").fetchall()
    return {TaskState(row[0]) for row in rows}


def _very_many(folder: Path) -> Path:
    """Return the index of so many pictures that their import is still under way when somebody interrupts it."""
    pictures = [Path(line) for line in (make_pictures(folder, 200, seed=9) / "index.tsv").read_text().splitlines()]
    copies = [picture.with_name(f"{number}-{picture.name}") for picture in pictures for number in range(150)]
    for picture, copy in zip((picture for picture in pictures for _ in range(150)), copies, strict=True):
        copy.hardlink_to(picture)
    (folder / "copies.tsv").write_text("".join(f"{copy}\n" for copy in copies))
    return folder / "copies.tsv"
