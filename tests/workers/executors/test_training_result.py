"""What a training may leave behind."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Invalid
from workers.executors.training_result import OLD_STAGE, read_training_result

# A list of lists of lists ..., each ten times in the next: written out it would be terabytes.
BOMB = (
    "a0: &a0 [x]\n"
    + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(12))
    + "model_stages: {best: {files: [weights], mAP: *a12}}\n"
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "best").mkdir(parents=True)
    (folder / "best" / "weights").write_bytes(b"w")
    return folder


def write(models: Path, text: str) -> None:
    (models / "result.yaml").write_text(text)


def test_without_a_file_there_is_no_result(models: Path) -> None:
    assert read_training_result(models) is None


def test_stages_have_their_files_and_metrics(models: Path) -> None:
    write(models, "best_stage_name: best\nmodel_stages:\n  best: {files: [weights], mAP: 0.5, tp: 7, timestamp: 9}\n")

    result = read_training_result(models)

    assert result is not None
    assert result.best == "best"
    assert result.stages[0].metrics == {"mAP": 0.5, "tp": 7.0}
    assert result.stages[0].files == {"weights": models / "best" / "weights"}


def test_files_may_lie_beside_the_stages(models: Path) -> None:
    (models / "shared").write_bytes(b"s")
    write(models, "model_stages:\n  best: {files: [weights, shared]}\n")

    result = read_training_result(models)

    assert result is not None
    assert sorted(result.stages[0].files) == ["shared", "weights"]


def test_the_form_of_old_executors_is_one_stage(models: Path) -> None:
    (models / "a.params").write_bytes(b"a")
    write(models, "map: 0.75\nmodel: [a.params]\n")

    result = read_training_result(models)

    assert result is not None
    assert (result.best, result.stages[0].metrics) == (OLD_STAGE, {"mAP": 0.75})


def test_the_best_stage_is_the_one_with_the_greatest_metric_when_it_is_not_named(models: Path) -> None:
    for stage in ("worse", "also_worse"):
        (models / stage).mkdir()
        (models / stage / "weights").write_bytes(b"w")
    write(
        models,
        "model_stages:\n  worse: {files: [weights], mAP: 0.1}\n  best: {files: [weights], mAP: 0.3}\n"
        "  also_worse: {files: [weights], mAP: 0.2}\n",
    )

    result = read_training_result(models)

    assert result is not None
    assert result.best == "best"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("- a\n", "models/result.yaml: "),
        ("a: [\n", "models/result.yaml, line 2: "),
        ("model_stages: {}\n", "models/result.yaml: model_stages: "),
        ("model_stages: {best: {files: []}}\n", "models/result.yaml: model_stages.best: "),
        ("model_stages: {best: {files: [missing]}}\n", "models/result.yaml: model_stages.best.files[0]: "),
        ("model_stages: {best: {files: [../../secret]}}\n", "models/result.yaml: model_stages.best.files[0]: "),
        ("model_stages: {best: {files: [link]}}\n", "models/result.yaml: model_stages.best.files[0]: "),
        ("model_stages: {../x: {files: [weights]}}\n", "models/result.yaml: model_stages.../x: "),
        ("model_stages: {best: {files: [weights], mAP: 1.5}}\n", "models/result.yaml: model_stages.best.mAP: "),
        ("model_stages: {best: {files: [weights], mAP: .nan}}\n", "models/result.yaml: model_stages.best.mAP: "),
        ("model_stages: {best: {files: [weights], tp: -1}}\n", "models/result.yaml: model_stages.best.tp: "),
        ("model_stages: {best: {files: [weights], mAP: !!python/object:a {}}}\n", "models/result.yaml, line 1: "),
        (
            f"model_stages: {{best: {{files: [weights], tp: {10**400}}}}}\n",
            "models/result.yaml: model_stages.best.tp: ",
        ),
        (BOMB, "models/result.yaml, line 8: It is not YAML: it refers to so much that it would fill the memory."),
        (
            "best_stage_name: other\nmodel_stages: {best: {files: [weights]}}\n",
            "models/result.yaml: best_stage_name: ",
        ),
    ],
)
def test_what_breaks_a_rule_is_named(models: Path, text: str, where: str) -> None:
    (models.parent / "secret").write_bytes(b"s")
    (models / "best" / "link").symlink_to(models.parent / "secret")
    write(models, text)

    with pytest.raises(Invalid) as caught:
        read_training_result(models)

    assert caught.value.detail.startswith(where)


@pytest.mark.parametrize(
    "stages",
    [
        ", ".join(f"s{number}: {{files: [weights]}}" for number in range(1_001)),
        f"best: {{files: [{', '.join(['weights'] * 10_001)}]}}",
    ],
)
def test_more_than_a_document_can_hold_is_refused_as_a_whole(models: Path, stages: str) -> None:
    write(models, f"model_stages: {{{stages}}}\n")

    with pytest.raises(Invalid, match="are more than 1000 with 10000") as caught:
        read_training_result(models)

    assert len(caught.value.faults) == 1


def test_every_fault_is_told(models: Path) -> None:
    write(models, "best_stage_name: x\nmodel_stages: {best: {files: [weights, missing], mAP: 2}}\n")

    with pytest.raises(Invalid) as caught:
        read_training_result(models)

    assert len(caught.value.faults) == 3


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_result_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    models = tmp_path_factory.mktemp("models")
    (models / "result.yaml").write_bytes(data)

    with suppress(Invalid):
        assert read_training_result(models) is not None


def a_file(models: Path, path: str) -> None:
    (models / path).parent.mkdir(parents=True, exist_ok=True)
    (models / path).write_bytes(path.encode())


def test_attachments_are_found_wherever_executors_put_them(models: Path) -> None:
    for path in ("attachments/curves/loss.csv", "plots/pr.png", "notes.txt"):
        a_file(models, path)
    write(
        models,
        "model_stages: {best: {files: [weights]}}\nevaluate_config: {iou_thr: 0.5}\n"
        "attachments: {curves: [loss.csv], plots: [pr.png], texts: [notes.txt]}\n",
    )

    result = read_training_result(models)

    assert result is not None
    assert {name: file.read_text() for name, file in result.attachments.items()} == {
        "attachments/curves/loss.csv": "attachments/curves/loss.csv",
        "attachments/plots/pr.png": "plots/pr.png",
        "attachments/texts/notes.txt": "notes.txt",
    }
    assert (result.evaluation, result.warnings) == ({"iou_thr": 0.5}, ())


@pytest.mark.parametrize(
    "attachments",
    [
        "{a: [missing]}",
        "{a: [../../secret]}",
        "{a: [link]}",
        "{../a: [weights]}",
        "[weights]",
        "{a: weights}",
        "{a: [7]}",
    ],
)
def test_a_model_is_kept_without_attachments_that_cannot_be_used(models: Path, attachments: str) -> None:
    (models.parent / "secret").write_bytes(b"s")
    (models / "link").symlink_to(models.parent / "secret")
    write(models, f"model_stages: {{best: {{files: [weights]}}}}\nattachments: {attachments}\n")

    result = read_training_result(models)

    assert result is not None
    assert result.attachments == {}
    assert [warning.startswith("models/result.yaml: ") for warning in result.warnings] == [True]


def test_the_ten_newest_stages_are_kept_and_the_best(models: Path) -> None:
    stages = []
    for number in range(15):
        a_file(models, f"epoch_{number}/weights")
        metric = 0.9 if number == 2 else 0.1
        stages.append(f"  epoch_{number}: {{files: [weights], mAP: {metric}, timestamp: {1_000 - number}}}\n")
    write(models, "model_stages:\n" + "".join(stages))

    result = read_training_result(models)

    assert result is not None
    assert [stage.name for stage in result.stages] == [f"epoch_{number}" for number in range(10)]
    assert result.best == "epoch_2"
    assert "5 stages, as 'epoch_10'" in result.warnings[0]


@pytest.mark.parametrize(
    ("metrics", "best"),
    [
        ([{"mAP": 0.9}, {"mAP": 0.1, "mIoU": 0.2}], "two"),
        ([{"mIoU": 0.9, "maskAP": 0.1}, {"mIoU": 0.1, "maskAP": 0.2}], "two"),
        ([{"mIoU": 0.9, "mAcc": 0.1, "mAP": 0.1}, {"mIoU": 0.1, "mAP": 0.9}], "one"),
    ],
)
def test_stages_are_compared_by_their_masks_before_their_regions_before_their_boxes(
    models: Path, metrics: list[dict[str, float]], best: str
) -> None:
    lines = []
    for name, measured in zip(("one", "two"), metrics, strict=True):
        a_file(models, f"{name}/weights")
        told = "".join(f", {key}: {value}" for key, value in measured.items())
        lines.append(f"  {name}: {{files: [weights]{told}}}\n")
    write(models, "model_stages:\n" + "".join(lines))

    result = read_training_result(models)

    assert result is not None
    assert result.best == best
    assert [stage.metrics for stage in result.stages] == metrics
