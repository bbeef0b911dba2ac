"""A model on pictures of this machine, and the commands about models and evaluations, on a folder without a service."""

import json
import os
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from client.commands import main
from schemas.predictions import PredictedPicture
from schemas.tasks import Task
from tests.client.ymir.command import Ymir, on_folder
from tests.workers.pictures import a_jpeg, a_voc_file, an_object

pytestmark = pytest.mark.slow


def a_scene(seed: int) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return a grey picture with a red square somewhere, and where that is."""
    x, y = (int(place) for place in np.random.default_rng(seed).integers(5, 60, 2))
    pixels = np.full((90, 120, 3), 110, np.uint8)
    pixels[y : y + 24, x : x + 28] = (220, 30, 30)
    return Image.fromarray(pixels), (x, y, x + 28, y + 24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures, and with a data folder that has a model trained on such."""
    folder = tmp_path_factory.mktemp("made")
    for place in ("voc/images", "voc/annotations", "new/deep"):
        (folder / place).mkdir(parents=True)
    for number in range(16):
        picture, box = a_scene(number)
        picture.save(folder / "voc" / "images" / f"{number}.png")
        (folder / "voc" / "annotations" / f"{number}.xml").write_text(a_voc_file(an_object(box=box)))
    a_scene(100)[0].save(folder / "new" / "a.png")
    a_scene(101)[0].save(folder / "new" / "deep" / "b.png")
    with patch.dict(os.environ, {"YMIR_DATA": str(folder / "data"), "YMIR_PROJECT": "cats"}):
        assert main(["projects", "--add", "cats"]) == 0
        assert main(["classes", "--add", "cat"]) == 0
        assert main(["import", str(folder / "voc"), "--into", "all", "--split", "training"]) == 0
        options = ["--model", "m", "--classes", "cat", "--executor", "tiny-detector", "--on-overlap", "training"]
        assert main(["split", "all", "--training", "0.75", "--validation", "0.25", "--into", "sets"]) == 0
        assert main(["train", "sets", *options]) == 0
    return folder


@pytest.fixture
def ymir(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ymir:
    """Return the command on a copy of that folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return on_folder(tmp_path / "data", capsys, project="cats")


def the_model(ymir: Ymir) -> str:
    return ymir("models").lines[0].split()[0]


def test_pictures_are_looked_at_and_drawn_and_come_into_no_dataset(ymir: Ymir, tmp_path: Path) -> None:
    model = the_model(ymir)
    (tmp_path / "broken.jpg").write_bytes(a_jpeg()[:300])
    options = ("--model", model, "--executor", "tiny-detector", "--max-per-image", "1")

    found = ymir("infer", "--picture", "new/a.png", "new", "broken.jpg", *options, "--draw", "drawn")

    assert found.status == 0, found.err
    assert "  pictures: 2" in found.lines
    lines = [line.split() for line in found.lines if line.startswith(("a.png", "new/deep/b.png"))]
    assert [(name, name_of_class) for name, name_of_class, *_ in lines] == [("a.png", "cat"), ("new/deep/b.png", "cat")]
    (left, top, right, _), place = a_scene(100)[1], lines[0][3]
    assert abs(int(place.split(",")[0]) - left) < 8
    assert abs(int(place.split(",")[1]) - top) < 8
    assert "bad image" in found.err
    drawn = Image.open(tmp_path / "drawn" / "a.png.jpg")
    assert (drawn.format, drawn.size) == ("JPEG", (120, 90))
    assert np.abs(np.asarray(drawn, int) - np.asarray(a_scene(100)[0], int)).max() > 60
    assert (tmp_path / "drawn" / "new" / "deep" / "b.png.jpg").exists()
    assert right > left
    assert [line.split()[0] for line in ymir("datasets").lines] == ["all", "sets"]


def test_what_was_found_can_be_asked_for_again_as_json(ymir: Ymir) -> None:
    options = ("--model", the_model(ymir), "--executor", "tiny-detector", "--json")
    first, *pictures = ymir("infer", "--picture", "new", *options).lines
    task = Task.model_validate_json(first)

    again = ymir("task", "predictions", task.id, "--json")
    sure = ymir("task", "predictions", task.id, "--confidence", "1")

    shown = [PredictedPicture.model_validate_json(line) for line in again.lines]
    assert [one.file_name for one in shown] == ["a.png", "deep/b.png"]
    assert [json.loads(line)["annotations"] for line in pictures] == [
        json.loads(line)["annotations"] for line in again.lines
    ]
    assert sure.lines == ["a.png  nothing found", "deep/b.png  nothing found"]


def test_what_does_not_fit_together_is_told(ymir: Ymir) -> None:
    options = ("--model", the_model(ymir), "--executor", "tiny-detector")

    missing = ymir("infer", "--picture", "nowhere.jpg", *options)
    nothing = ymir("infer", *options)
    both = ymir("infer", "sets", "--picture", "new", "--into", "found", *options)
    drawn = ymir("infer", "sets", "--into", "found", "--draw", "out", *options)

    assert "There is nothing at nowhere.jpg" in missing.err
    assert "  give either source, a version, or uploads" in nothing.err
    assert "give either source" in both.err
    assert "--draw is for pictures" in drawn.err
    assert {one.status for one in (missing, nothing, both, drawn)} == {1}


def test_a_model_is_shown_recommended_described_fetched_and_hidden(ymir: Ymir, tmp_path: Path) -> None:
    model = the_model(ymir)

    recommended = ymir("model", "recommend", model, "epoch_1")
    described = ymir("model", "describe", model, "finds squares")
    shown = ymir("model", "show", model)
    lineage = ymir("model", "lineage", model)
    fetched = ymir("model", "package", model, "--to", tmp_path / "m.tar.gz")
    hidden = ymir("model", "hide", model)

    assert (recommended.status, described.status) == (0, 0)
    assert "  description: finds squares" in shown.lines
    assert "  classes: cat" in shown.lines
    assert any(line.split()[:2] == ["epoch_1", "recommended"] for line in shown.lines)
    assert any(line.startswith("  training on sets@1: sha256:") for line in lineage.lines)
    assert fetched.lines == [str(tmp_path / "m.tar.gz")]
    assert (tmp_path / "m.tar.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert hidden.status == 0
    assert ymir("models").lines == []


def test_a_learning_curve_says_whether_another_round_is_worth_it(ymir: Ymir) -> None:
    options = ("--model", "m", "--classes", "cat", "--executor", "tiny-detector", "--config", "iterations=5")
    few = ymir("learning-curve", "m")
    for count in (6, 10):
        ymir("sample", "all", "--count", str(count), "--into", f"few{count}")
        assert ymir("train", f"tr:few{count}", "--validation", "all", "--on-overlap", "training", *options).status == 0

    shown = ymir("learning-curve", "m", "--next", "50")
    told = ymir("learning-curve", "m", "--next", "50", "--json")

    assert "at least 3 different numbers" in few.err
    assert [line.split()[0] for line in shown.lines[:3]] == ["6", "10", "12"]
    assert shown.lines[4].startswith("with 50 more: ")
    assert shown.lines[-1].startswith(json.loads(told.out)["advice"].replace("_", " "))


def test_an_evaluation_is_listed_and_shown_class_by_class(ymir: Ymir) -> None:
    options = ("--model", the_model(ymir), "--executor", "tiny-detector")
    assert ymir("infer", "sets", "--into", "found", "--layer", "pred", *options).status == 0
    assert ymir("evaluate", "found", "--layer", "pred").status == 0

    listed = ymir("evaluations", "--of", "found", "--layer", "pred")
    other = ymir("evaluations", "--layer", "other")
    shown = ymir("evaluation", "show", listed.lines[0].split()[0])

    assert listed.lines[0].split()[1:3] == ["pred", "ground_truth"]
    assert other.lines == []
    heads, overall, cat = shown.lines[-3:]
    assert heads.split()[:2] == ["AP", "AP50"]
    assert overall.split()[:2] == ["all", "classes"]
    assert cat.split()[0] == "cat"
    assert float(cat.split()[2]) > 0.5


def test_the_log_of_a_training_is_followed_to_its_end(ymir: Ymir) -> None:
    train = next(line.split()[0] for line in ymir("tasks").lines if " train " in line)

    whole, followed = ymir("task", "log", train), ymir("task", "log", train, "--follow")

    assert (whole.status, followed.status) == (0, 0)
    assert followed.out == whole.out
    assert whole.lines
