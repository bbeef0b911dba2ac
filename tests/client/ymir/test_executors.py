"""``ymir executor`` on a data folder, and without one."""

import json
from pathlib import Path

import pytest

from client.ymir.executors import name_of
from schemas.conformance import Conformance, Verdict
from schemas.executors import Executor
from tests.client.ymir.command import Ymir, on_folder
from tests.executors.verifying import SAMPLE, a_variant

pytestmark = pytest.mark.slow


@pytest.fixture
def ymir(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ymir:
    return on_folder(tmp_path / "data", capsys)


def test_a_folder_is_registered_listed_shown_and_forgotten(ymir: Ymir, tmp_path: Path) -> None:
    folder = a_variant(tmp_path / "my sample")

    made = ymir("executor", "register", folder, "--limit", "seconds=60", "--description", "tries")
    listed = ymir("executor", "list", "--json")
    shown = ymir("executor", "show", "my-sample")
    again = ymir("executor", "register", folder)
    removed = ymir("executor", "remove", "my-sample")

    assert (made.status, shown.status, removed.status) == (0, 0, 0), made.err
    known = {one.name: one for one in map(Executor.model_validate_json, listed.lines)}
    assert set(known) == {"my-sample", "tiny-detector"}
    assert (known["my-sample"].limits.seconds, known["my-sample"].description) == (60, "tries")
    assert shown.out == made.out
    assert {"object types: detection", "protocol: 1.1.0", "training:", "  expected_map: 0.983"} <= set(shown.lines)
    assert (again.status, "Choose another name" in again.err) == (1, True)
    assert ymir("executor", "show", "my-sample").status == 1


def test_what_is_no_executor_is_refused_with_a_word_on_why(ymir: Ymir, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    refused = ymir("executor", "register", tmp_path / "empty")

    assert (refused.status, "start.sh" in refused.err) == (1, True)


def test_an_executor_that_keeps_the_contract_ends_with_0(ymir: Ymir) -> None:
    ended = ymir("executor", "verify", SAMPLE, "--quick", "--purpose", "training", "--config", "expected_map=0.5")

    assert ended.status == 0, ended.out
    assert "keeps the contract" in ended.lines[-1]
    assert all(line.split("  ")[0] in {"kept", "not tried"} for line in ended.lines[:50])
    assert "training: ended well" in ended.err


def test_one_that_breaks_it_ends_with_1_and_says_where(ymir: Ymir, tmp_path: Path) -> None:
    folder = a_variant(tmp_path / "variant", old='"mAP": expected', new='"mAP": 98')

    ended = ymir("executor", "verify", folder, "--quick", "--purpose", "training")
    told = ymir("executor", "verify", folder, "--quick", "--purpose", "training", "--json")

    assert (ended.status, told.status) == (1, 1)
    assert "  models/result.yaml: model_stages.epoch_1.mAP: 98 is out of bounds." in ended.lines
    found = Conformance.model_validate_json(told.out)
    broken = {one.rule for one in found.verdicts if one.verdict is Verdict.BROKEN}
    assert broken == {"stage-metrics", "training-accepted"}
    assert json.loads(told.out)["runtime"] == "process"


def test_what_the_runs_left_can_be_kept(ymir: Ymir, tmp_path: Path) -> None:
    ymir("executor", "verify", SAMPLE, "--quick", "--purpose", "training", "--keep", tmp_path / "runs")

    assert [path.name for path in (tmp_path / "runs").glob("*/out/models/result.yaml")] == ["result.yaml"]


@pytest.mark.parametrize("command", ["verify", "register"])
def test_a_folder_that_is_not_there_is_not_taken_for_an_image(ymir: Ymir, command: str) -> None:
    ended = ymir("executor", command, "./nowhere")

    assert (ended.status, "no folder './nowhere'" in ended.err) == (1, True)


def test_an_object_type_that_it_is_not_for_is_refused(ymir: Ymir) -> None:
    ended = ymir("executor", "verify", SAMPLE, "--object-type", "instance_segmentation")

    assert (ended.status, "It is for detection." in ended.err) == (1, True)


def test_a_model_that_is_no_file_is_refused(ymir: Ymir) -> None:
    ended = ymir("executor", "verify", SAMPLE, "--model", "nowhere.bin")

    assert (ended.status, "no file 'nowhere.bin'" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("registry.example:5000/team/detector:1.2", "detector-1.2"),
        ("detector@sha256:" + "0" * 64, "detector"),
        ("./my executor/", "my-executor"),
        ("/opt/detectors/_tiny", "tiny"),
    ],
)
def test_the_name_of_an_executor_is_made_of_its_reference(reference: str, name: str) -> None:
    assert name_of(reference) == name
