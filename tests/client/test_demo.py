"""What the demo makes of its measurements, and of one's own pictures."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.demo.figures import ap50, curve, gains, mean, verdict
from client.demo.folder import pictures_of
from client.demo.loop import ARMS, MINED, RANDOM, Round, Run
from client.demo.report import Galleries, Picture, page
from client.demo.table import table
from schemas.blobs import BlobRef
from schemas.errors import Invalid
from schemas.evaluations import ClassFigures, EvaluationReport, EvaluationTable, Figures
from schemas.model_parameters import ModelStage
from schemas.schema import digest_of, new_id

BLOB = BlobRef(digest=digest_of(b""), size=0)


def a_round(arm: str, number: int, at_half: float) -> Round:
    report = EvaluationReport(
        id=new_id(),
        project=new_id(),
        version=new_id(),
        layer="predictions",
        ground_truth="ground_truth",
        iou=0.5,
        confidence=0.3,
        max_detections=300,
        images=1,
        overall=Figures(ap=at_half / 2, ap50=at_half),
        table=BLOB,
        marks=BLOB,
        task=new_id(),
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        figures=EvaluationTable(classes=(ClassFigures(class_name="cat", ap50=at_half),)),
    )
    return Round(arm, number, 60 + 50 * number, 10 * number, ModelStage(id=new_id()), report, 1.0, "predicted@r1")


def a_run(seed: int, *, mined: float, random: float) -> Run:
    rounds = [a_round(MINED, 0, 0.5), a_round(MINED, 1, mined), a_round(RANDOM, 1, random)]
    return Run(seed, f"demo-{seed}", rounds)


def test_both_arms_start_from_the_same_round() -> None:
    run = a_run(0, mined=0.7, random=0.6)

    assert [[ap50(measured) for measured in run.of(arm)] for arm in ARMS] == [[0.5, 0.7], [0.5, 0.6]]


def test_gains_are_paired_by_seed() -> None:
    runs = [a_run(0, mined=0.7, random=0.6), a_run(1, mined=0.55, random=0.6)]

    assert gains(runs, ap50) == [pytest.approx(0.1), pytest.approx(-0.05)]
    assert [mean.value for mean in curve(runs, MINED, ap50)] == [pytest.approx(0.5), pytest.approx(0.625)]


def test_a_mean_of_one_value_claims_no_error() -> None:
    assert str(mean([0.5])) == "0.500"
    assert str(mean([0.4, 0.6])) == "0.500 ± 0.100"


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ([a_run(0, mined=0.7, random=0.6)], "proves nothing"),
        ([a_run(0, mined=0.7, random=0.6), a_run(1, mined=0.5, random=0.6)], "too close to call"),
        ([a_run(0, mined=0.7, random=0.6), a_run(1, mined=0.71, random=0.6)], "ahead on 2 of 2 seeds."),
        ([a_run(0, mined=0.5, random=0.6), a_run(1, mined=0.51, random=0.6)], "ahead on 0 of 2 seeds."),
    ],
)
def test_the_verdict_says_no_more_than_was_measured(runs: list[Run], told: str) -> None:
    assert told in verdict(runs)


def test_the_report_is_one_page_with_escaped_captions(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [a_run(0, mined=0.7, random=0.6), a_run(1, mined=0.71, random=0.6)]
    galleries = Galleries(validation=[Picture(b"jpeg", "<a>.jpg")], picked=[])

    made = page(runs, galleries, seconds=12.3)
    table(runs)

    assert "&lt;a&gt;.jpg" in made
    assert "<svg" in made
    assert "http" not in made.replace("http-equiv", "")
    assert "mAP@0.5" in capsys.readouterr().out


def test_ones_own_pictures_are_dealt_out_without_overlap_and_the_same_each_time(tmp_path: Path) -> None:
    data = a_voc_folder(tmp_path / "voc", images=100)

    first = pictures_of(data, tmp_path / "first", seed=1)
    again = pictures_of(data, tmp_path / "again", seed=1)

    names = [
        {path.name for path in (part / "images").iterdir()} for part in (first.training, first.validation, first.pool)
    ]
    assert [len(part) for part in names] == [8, 20, 72]
    assert len(set.union(*names)) == 100
    assert names[0] == {path.name for path in (again.training / "images").iterdir()}
    assert first.classes == ("cat", "dog")


def test_too_few_pictures_of_ones_own_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="the demo needs 30"):
        pictures_of(a_voc_folder(tmp_path / "voc", images=3), tmp_path / "into", seed=0)


def a_voc_folder(folder: Path, *, images: int) -> Path:
    folder.mkdir()
    for number in range(images):
        (folder / f"{number}.jpg").write_bytes(b"jpeg")
        name = "Cat" if number % 2 else "dog "
        (folder / f"{number}.xml").write_text(f"<annotation><object><name>{name}</name></object></annotation>")
    return folder
