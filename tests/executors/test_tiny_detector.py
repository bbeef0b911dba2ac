"""What the reference executor does when it is run by the container contract."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from tests.executors.contract_run import CLASSES, EXECUTOR, Ended, run, started
from tiny_detector.settings import DetectionSettings, MiningSettings, TrainingSettings

SIDE = 96
DONE, FAILED = "3", "4"

Box = tuple[int, int, int, int]


class Pictures:
    """Squares and crosses on noise, one or none on a picture, with their boxes in both formats."""

    def __init__(self, folder: Path, *, count: int) -> None:
        self._folder, self._rng = folder, np.random.default_rng(7)
        self.boxes: dict[str, tuple[str, Box] | None] = {}
        for number in range(count):
            self._draw(f"p{number:02}", (*CLASSES, None)[number % 3])

    def path(self, name: str) -> str:
        return str(self._folder / f"{name}.png")

    def lines(self, *, annotation: str = "xml") -> list[str]:
        return [f"{self.path(name)}\t{self._folder / name}.{annotation}" for name in self.boxes]

    def _draw(self, name: str, label: str | None) -> None:
        image = Image.fromarray(self._rng.integers(90, 130, (SIDE, SIDE), dtype=np.uint8))
        side = int(self._rng.integers(22, 36))
        x, y = (int(value) for value in self._rng.integers(2, SIDE - side - 2, 2))
        drawn = (label, (x, y, x + side - 1, y + side - 1)) if label else None
        if drawn:
            _shape(ImageDraw.Draw(image), *drawn)
        self.boxes[name] = drawn
        image.save(self.path(name))
        (self._folder / f"{name}.xml").write_text(_voc(drawn), encoding="utf-8")
        (self._folder / f"{name}.txt").write_text(_ark(drawn), encoding="utf-8")


def _shape(draw: ImageDraw.ImageDraw, label: str, box: Box) -> None:
    x0, y0, x1, y1 = box
    if label == "square":
        draw.rectangle(box, outline=255, width=4)
    else:
        draw.line((x0, y0, x1, y1), fill=10, width=5)
        draw.line((x0, y1, x1, y0), fill=10, width=5)


def _voc(drawn: tuple[str, Box] | None) -> str:
    if drawn is None:
        return "<annotation/>"
    corners = zip(("xmin", "ymin", "xmax", "ymax"), drawn[1], strict=True)
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in corners)
    return f"<annotation><object><name>{drawn[0]}</name><bndbox>{inside}</bndbox></object></annotation>"


def _ark(drawn: tuple[str, Box] | None) -> str:
    return f"{CLASSES.index(drawn[0])}, {', '.join(map(str, drawn[1]))}, 1.0, 0.0\n" if drawn else ""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return Pictures(tmp_path_factory.mktemp("pictures"), count=24)


@pytest.fixture(scope="module")
def trained(pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    lines = pictures.lines()
    return run(tmp_path_factory.mktemp("trained"), "training", training=lines[:18], validation=lines[18:])


def test_tensorboard_reads_what_training_tells_of_each_round(trained: Ended) -> None:
    (path,) = (trained.out / "tensorboard").iterdir()

    events = list(LegacyEventFileLoader(str(path)).Load())

    stages = trained.training_result["model_stages"].values()
    told = [{value.tag: value.simple_value for value in event.summary.value} for event in events[1:]]
    assert events[0].file_version == "brain.Event:2"
    assert [event.step for event in events[1:]] == [1, 2]
    assert [one["mAP"] for one in told] == pytest.approx([stage["mAP"] for stage in stages], abs=1e-5)
    assert all(one["mistakes"] >= 0 for one in told)


@pytest.fixture(scope="module")
def model(trained: Ended) -> dict[str, object]:
    return {"model_params_path": [str(trained.model)]}


def test_training_finds_what_it_was_shown(trained: Ended) -> None:
    result = trained.training_result

    assert (trained.status, trained.monitor[0], trained.monitor[2:]) == (0, "t1", ["1.000000", DONE])
    assert list(result["model_stages"]) == ["epoch_1", "epoch_2"]
    assert result["model_stages"][result["best_stage_name"]]["mAP"] > 0.9
    assert all((trained.out / "models" / stage / "model.npz").is_file() for stage in result["model_stages"])


def test_the_same_input_gives_the_same_bytes_whatever_the_format(
    trained: Ended, pictures: Pictures, tmp_path: Path
) -> None:
    lines = pictures.lines(annotation="txt")

    again = run(tmp_path, "training", config={"export_format": "ark:raw"}, training=lines[:18], validation=lines[18:])

    for name in ("result.yaml", "epoch_1/model.npz", "epoch_2/model.npz"):
        assert (again.out / "models" / name).read_bytes() == (trained.out / "models" / name).read_bytes()


def test_a_class_without_boxes_and_a_pretrained_model_are_no_hindrance(
    model: dict[str, list[str]], pictures: Pictures, tmp_path: Path
) -> None:
    lines = pictures.lines()
    config = {"class_names": ["circle", "square"], "pretrained_model_params": model["model_params_path"]}

    ended = run(tmp_path, "training", config=config, training=lines[:18], validation=[])

    assert ended.status == 0, ended.errors
    assert ended.training_result["best_stage_name"] == "epoch_2"


@pytest.mark.parametrize("algorithm", ["two_stage", "entropy", "random"])
def test_mining_ranks_every_candidate_once(
    algorithm: str, model: dict[str, object], pictures: Pictures, tmp_path: Path
) -> None:
    candidates = [pictures.path(name) for name in pictures.boxes]
    config = {**model, "mining_algorithm": algorithm}

    ended = run(tmp_path / "once", "mining", config=config, candidates=candidates)
    again = run(tmp_path / "twice", "mining", config=config, candidates=candidates)

    scores = [score for _, score in ended.ranking]
    assert sorted(path for path, _ in ended.ranking) == sorted(candidates)
    assert scores == sorted(scores, reverse=True)
    assert ended.ranking == again.ranking
    assert not (ended.out / "infer-result.json").exists()


def test_near_duplicates_come_last(model: dict[str, object], pictures: Pictures, tmp_path: Path) -> None:
    originals = [pictures.path(name) for name in list(pictures.boxes)[:4]]
    copies = [str(tmp_path / f"copy{number}.png") for number in range(4)]
    for original, copy in zip(originals, copies, strict=True):
        with Image.open(original) as image:
            image.point(lambda value: value + 1).save(copy)

    ended = run(tmp_path, "mining", config=model, candidates=[*originals, *copies])

    names = [Path(path).name.removeprefix("copy") for path, _ in ended.ranking]
    assert len({_picture(name) for name in names[:4]}) == 4


def _picture(name: str) -> int:
    return int(Path(name).stem.removeprefix("p"))


def test_inference_finds_the_boxes_and_lists_images_without_any(
    model: dict[str, object], pictures: Pictures, tmp_path: Path
) -> None:
    blank = str(tmp_path / "blank.jpg")
    Image.new("RGB", (300, 20), "white").save(blank)
    shown = {name: drawn for name, drawn in list(pictures.boxes.items())[18:] if drawn}

    ended = run(tmp_path, "infer", config=model, candidates=[blank, *map(pictures.path, shown)])

    assert ended.detections["blank.jpg"] == []
    for name, (label, box) in shown.items():
        best = max(ended.detections[f"{name}.png"], key=lambda one: float(one["score"]))
        found = [best["box"][key] for key in ("x", "y", "w", "h")]
        assert best["class_name"] == label
        assert found == pytest.approx([box[0], box[1], box[2] - box[0] + 1, box[3] - box[1] + 1], abs=6)


def test_mining_and_inference_run_together(model: dict[str, object], pictures: Pictures, tmp_path: Path) -> None:
    candidates = [pictures.path(name) for name in pictures.boxes]

    ended = run(tmp_path, "mining", "infer", config=model, candidates=candidates)

    assert len(ended.ranking) == len(ended.detections) == len(candidates)
    assert np.load(ended.out / "embeddings.npy").shape[0] == len(candidates)


def test_inference_says_of_each_box_once_how_likely_every_class_is(
    model: dict[str, object], pictures: Pictures, tmp_path: Path
) -> None:
    candidates = [pictures.path(name) for name in pictures.boxes]

    ended = run(tmp_path, "infer", config=model, candidates=candidates)

    listed = [one for found in ended.detections.values() for one in found]
    told = [one for one in listed if "class_scores" in one]
    assert len(told) == sum(len({str(one["box"]) for one in found}) for found in ended.detections.values())
    for one in told:
        assert one["class_scores"][CLASSES.index(str(one["class_name"]))] == pytest.approx(one["score"], abs=1e-4)
    assert np.load(ended.out / "embeddings.npy").shape[0] == len(candidates)


def _deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: image.convert("P"),
        lambda image: image.convert("RGBA"),
        lambda image: image.convert("LA"),
        _deep,
    ],
    ids=["palette", "transparent", "grey and transparent", "16 bit"],
)
def test_any_mode_is_read(
    changed: Callable[[Image.Image], Image.Image], model: dict[str, object], pictures: Pictures, tmp_path: Path
) -> None:
    with Image.open(pictures.path("p18")) as image:
        changed(image).save(tmp_path / "changed.png")

    ended = run(tmp_path, "infer", config=model, candidates=[pictures.path("p18"), str(tmp_path / "changed.png")])

    first, second = (ended.detections[name][0] for name in ("p18.png", "changed.png"))
    assert first["class_name"] == second["class_name"]
    assert second["box"] == pytest.approx(first["box"], abs=2)


def test_boxes_are_in_pixels_of_the_image_as_displayed(
    model: dict[str, object], pictures: Pictures, tmp_path: Path
) -> None:
    with Image.open(pictures.path("p18")) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be displayed a quarter turn clockwise
        image.rotate(90).save(tmp_path / "turned.png", exif=exif)

    ended = run(tmp_path, "infer", config=model, candidates=[pictures.path("p18"), str(tmp_path / "turned.png")])

    assert ended.detections["turned.png"] == ended.detections["p18.png"]


def test_photographs_larger_than_the_working_size_train_and_are_searched(tmp_path: Path, pictures: Pictures) -> None:
    lines = []
    for name, drawn in list(pictures.boxes.items())[:8]:
        with Image.open(pictures.path(name)) as image:
            image.resize((SIDE * 10, SIDE * 10)).save(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.xml").write_text(_voc(_tenfold(drawn)), encoding="utf-8")
        lines.append(f"{tmp_path / name}.jpg\t{tmp_path / name}.xml")

    ended = run(tmp_path, "training", config={"image_size": SIDE}, training=lines, validation=lines)

    assert ended.training_result["model_stages"]["epoch_2"]["mAP"] > 0.9


def _tenfold(drawn: tuple[str, Box] | None) -> tuple[str, Box] | None:
    if drawn is None:
        return None
    x0, y0, x1, y1 = drawn[1]
    return drawn[0], (10 * x0, 10 * y0, 10 * x1 + 9, 10 * y1 + 9)


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ({"class_names": []}, "300001", "class_names"),
        ({"max_boxes": "many"}, "300001", "max_boxes"),
        ({"positive_iou": 3}, "300001", "positive_iou"),
        ({"export_format": "coco:raw"}, "300001", "voc:raw"),
        ({"class_names": ["circle"]}, "300002", "circle"),
        ({"pretrained_model_params": ["/none.npz"]}, "300004", "/none.npz"),
        ({"object_type": 3}, "300005", "object_type"),
    ],
)
def test_a_training_that_cannot_be_says_why(
    config: dict[str, object], code: str, message: str, pictures: Pictures, tmp_path: Path
) -> None:
    lines = pictures.lines()

    ended = run(tmp_path, "training", config=config, training=lines, validation=lines)

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, code])
    assert message in ended.errors


def test_without_a_configuration_the_code_says_so(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    ended = started(tmp_path)

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, "300001"])


@pytest.mark.parametrize(
    "xml", ["<annotation><object>", _voc(("square", (1, 2, 3, 4))).replace("3", "x"), "<annotation><object/>", ""]
)
def test_broken_annotations_are_named(xml: str, pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text(xml, encoding="utf-8")

    ended = run(tmp_path, "training", training=[f"{pictures.path('p00')}\t{tmp_path / 'bad.xml'}"])

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, "300002"])
    assert "bad.xml" in ended.errors


def test_an_image_that_cannot_be_read_is_named(model: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")

    ended = run(tmp_path, "infer", config=model, candidates=[str(tmp_path / "torn.jpg")])

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, "300003"])
    assert "torn.jpg" in ended.errors


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_a_broken_model_is_named(content: bytes, pictures: Pictures, tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(content)

    ended = run(tmp_path, "mining", config={"model_params_path": [str(broken)]}, candidates=[pictures.path("p00")])

    assert (ended.status, ended.monitor[3:]) == (1, [FAILED, "300004"])
    assert "broken.npz" in ended.errors


@pytest.mark.parametrize(
    ("template", "kinds"),
    [
        ("training", (TrainingSettings, DetectionSettings)),
        ("mining", (MiningSettings, DetectionSettings)),
        ("infer", (DetectionSettings,)),
    ],
)
def test_the_templates_list_every_setting_with_its_default(template: str, kinds: tuple[type, ...]) -> None:
    written = yaml.safe_load((EXECUTOR / "img-man" / f"{template}-template.yaml").read_text(encoding="utf-8"))

    assert written == {item.name: item.default for kind in kinds for item in fields(kind)}
