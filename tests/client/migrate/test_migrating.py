"""Migrating whole repositories with ``ymir migrate``."""

import io
import tarfile
from hashlib import sha1
from pathlib import Path

import pytest
import yaml
from PIL import Image

from client.commands import main
from client.migrate.names import Target, targets
from client.migrate.repository import Repository, RevisionName
from schemas.errors import Invalid
from tests.client.migrate.old_repositories import a_repository, golden
from tests.factories import NOON

INFO = {
    "executor_config": {"class_names": ["cat"]},
    "task_context": {"mAP": 0.5, "executor": "old"},
    "models": ["model.params"],
}


def migrated(repository: Path, media: Path, data: Path, *more: str) -> int:
    return main(["migrate", str(repository), "--media", str(media), "-p", "old", "--data", str(data), *more])


def shown(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> str:
    capsys.readouterr()
    assert main([*words, "-p", "old", "--data", str(data)]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_every_revision_becomes_a_version_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository, media, data = golden(tmp_path), tmp_path / "assets", tmp_path / "data"

    assert migrated(repository, media, data) == 0

    told = capsys.readouterr().out
    assert "4 versions and 0 models; 0 versions from before" in told
    assert "revisions that hold nothing: 1" in told
    whole = shown(capsys, data, "show", "all@merged")
    assert "6 images (training 4, validation 2)" in whole
    assert "ground_truth: 6 annotations on 4; predictions: 6 annotations on 3" in whole
    assert migrated(repository, media, data) == 0
    assert "0 versions and 0 models; 4 versions from before" in capsys.readouterr().out


@pytest.mark.slow
def test_a_model_is_brought_with_the_revision_that_made_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository, media = a_training(tmp_path)

    assert migrated(repository, media, tmp_path / "data", "--models", str(tmp_path / "models")) == 0

    assert "1 version and 1 model" in capsys.readouterr().out
    assert "training-aaaaaaaa" in shown(capsys, tmp_path / "data", "models")


@pytest.mark.slow
def test_a_model_that_was_not_there_is_brought_the_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a migration that brought a revision, and not its model
    repository, media = a_training(tmp_path)
    assert migrated(repository, media, tmp_path / "data") == 0
    assert "1 version and 0 models" in capsys.readouterr().out

    # When it is asked for again
    assert migrated(repository, media, tmp_path / "data", "--models", str(tmp_path / "models")) == 0

    # Then the model comes alone, and once
    assert "0 versions and 1 model" in capsys.readouterr().out
    assert migrated(repository, media, tmp_path / "data", "--models", str(tmp_path / "models")) == 0
    assert "0 versions and 0 models" in capsys.readouterr().out


def test_a_dry_run_lists_the_revisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrated(golden(tmp_path), tmp_path / "assets", tmp_path / "data", "--dry-run") == 0

    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        *("train@import", "val@import", "all@merged", "all@cats", "all@failed")
    ]
    assert not (tmp_path / "data").exists()


def test_revisions_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrated(golden(tmp_path), tmp_path / "assets", tmp_path / "data", "--revs", "all@cats; all@dogs") == 1

    assert "There are no revisions all@dogs." in capsys.readouterr().err


def test_names_are_made_of_the_letters_that_names_have_here(tmp_path: Path) -> None:
    repository = Repository(a_repository(tmp_path / "repo", {"a/b#1@x y".replace(" ", "+"): {}, "n@7": {}}))

    assert targets(repository.revisions()) == {"a/b#1@x+y": Target("a-b-1", "x-y"), "n@7": Target("n", "t7")}


def test_two_revisions_of_one_name_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        targets([RevisionName("a/b", "1", NOON), RevisionName("a-b", "1", NOON)])

    assert [fault.pointer for fault in refused.value.faults] == ["a-b@1"]


def a_training(folder: Path) -> tuple[Path, Path]:
    """Return a repository with one revision that made a model, in ``models``, and the folder of its image."""
    picture = a_picture()
    asset, package, media = sha1(picture, usedforsecurity=False).hexdigest(), "a" * 40, folder / "media"
    media.mkdir()
    (media / asset).write_bytes(picture)
    a_package(folder / "models" / package)
    messages = {
        "metadatas": {"attributes": {asset: {"width": 8, "height": 6}}},
        "tasks": {"tasks": {"1": {"type": 1, "model": {"model_hash": package}}}, "head_task_id": "1"},
    }
    return a_repository(folder / "repo", {"training@1": messages}, labels="0,,cat\n"), media


def a_picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(data, "PNG")
    return data.getvalue()


def a_package(path: Path) -> None:
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"ymir-info.yaml": yaml.safe_dump(INFO).encode(), "model.params": b"w"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
