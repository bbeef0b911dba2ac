"""After a run, what lies in its output folder leads nowhere else."""

import os
from pathlib import Path

import pytest

from workers.executors.output_folder import made_safe


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the host")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "secret").write_text("of the host")
    (tmp_path / "out" / "models").mkdir(parents=True)
    return tmp_path / "out"


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_files_and_folders_stay_without_a_warning(made: Path) -> None:
    (made / "models" / "a").write_text("a")

    assert made_safe(made) == ()

    assert left(made) == ["models", "models/a"]


@pytest.mark.parametrize(
    "target", ["../secret", "{}/secret", "../folder", "/", "/etc/passwd", "nowhere", "link", "models"]
)
def test_links_that_lead_out_or_nowhere_go(made: Path, target: str) -> None:
    (made / "link").symlink_to(target.format(made.parent))

    assert made_safe(made) == ("Left out of what the executor wrote: 1 link, special file or deep folder.",)

    assert left(made) == ["models"]
    assert (made.parent / "secret").read_text() == (made.parent / "folder" / "secret").read_text() == "of the host"


def test_a_link_to_a_file_inside_stays(made: Path) -> None:
    (made / "models" / "epoch_2").write_text("weights")
    (made / "models" / "latest").symlink_to("epoch_2")

    assert made_safe(made) == ()

    assert (made / "models" / "latest").read_text() == "weights"


def test_a_chain_of_links_that_leads_out_goes(made: Path) -> None:
    (made / "models" / "one").symlink_to("two")
    (made / "models" / "two").symlink_to(made.parent / "secret")

    made_safe(made)

    assert left(made) == ["models"]


def test_a_folder_of_the_contract_that_is_a_link_goes(made: Path) -> None:
    (made / "models").rmdir()
    (made / "models").symlink_to(made.parent / "folder")

    made_safe(made)

    assert left(made) == []


def test_pipes_and_devices_go(made: Path) -> None:
    os.mkfifo(made / "result.tsv")
    if os.geteuid() == 0:
        os.mknod(made / "models" / "device", 0o020666, os.makedev(1, 3))

    made_safe(made)

    assert left(made) == ["models"]


def test_what_nobody_may_read_can_be_read_by_its_owner(made: Path) -> None:
    (made / "models" / "a").write_text("a")
    (made / "models" / "a").chmod(0)
    (made / "models").chmod(0)

    made_safe(made)

    assert (made / "models").stat().st_mode & 0o700 == 0o700
    assert (made / "models" / "a").stat().st_mode & 0o400


def test_a_folder_deeper_than_paths_are_long_goes(made: Path) -> None:
    handle = os.open(made, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("deep", dir_fd=handle)
        inner = os.open("deep", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)

    assert len(made_safe(made)) == 1

    assert len(left(made)) < 100
