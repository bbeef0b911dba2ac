"""A repository with something in it, a copy for each test; and the command, run in this process."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from client.mir.main import main
from tests.client.mir.pictures import make_pictures


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Mir = Callable[..., Said]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder / "training", 16, seed=1)
    make_pictures(folder / "val", 8, seed=2)
    return folder


@pytest.fixture(scope="session")
def made_repository(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """Make two branches, training and val, whose images are in a folder of images."""
    root = tmp_path_factory.mktemp("made") / "repository"
    (root.parent / "assets").mkdir()
    commands = [
        ["init"],
        *(
            [
                *("import", "--index-file", str(pictures / name / "index.tsv"), "--dst-rev", f"{name}@import"),
                *("--annotation-dir", str(pictures / name / "Annotations"), "--gen-dir", str(root.parent / "assets")),
                *("--unknown-types-strategy", "add"),
            ]
            for name in ("training", "val")
        ),
    ]
    for command in commands:
        assert main([*command, "--root", str(root)]) == 0
    return root


@pytest.fixture
def repository(made_repository: Path, tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    shutil.copytree(made_repository, root)
    return root


@pytest.fixture
def mir(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mir:
    """Return the command, run in the folder ``repository`` of the test."""
    for name in [name for name in os.environ if name.startswith("YMIR_")]:
        monkeypatch.delenv(name)

    def run(*arguments: object, root: Path | None = None) -> Said:
        folder = root or tmp_path / "repository"
        if folder.is_dir():
            monkeypatch.chdir(folder)
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration for training, in the later form."""
    path = tmp_path / "training-config.yaml"
    path.write_text("executor_config: {class_names: [person, cat], iterations: 10}\ntask_context: {}\n")
    return path
