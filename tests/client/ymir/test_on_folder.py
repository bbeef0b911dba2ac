"""A new user's first steps: the command on an empty folder, with no service anywhere."""

import json
import os
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from client.commands import main
from schemas.datasets import Version
from schemas.diffs import AssetDiff, ChangeKind
from schemas.task_states import TaskState
from schemas.tasks import Task
from tests.client.ymir.command import Ymir, on_folder
from tests.workers.pictures import a_voc_file, a_voc_folder, an_object

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures, and with a data folder into which they were imported."""
    folder = tmp_path_factory.mktemp("made")
    a_voc_folder(folder / "voc")
    a_voc_folder(folder / "dogs")
    (folder / "dogs" / "annotations" / "1.xml").write_text(a_voc_file(an_object("dog")))
    with patch.dict(os.environ, {"YMIR_DATA": str(folder / "data"), "YMIR_PROJECT": "cats"}):
        assert main(["projects", "--add", "cats"]) == 0
        assert main(["classes", "--add", "cat,kitten"]) == 0
        options = ["--into", "train", "--split", "training", "--tag", "first"]
        assert main(["import", str(folder / "voc"), *options]) == 0
    return folder


@pytest.fixture
def ymir(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ymir:
    """Return the command on a copy of that folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return on_folder(tmp_path / "data", capsys, project="cats")


def test_an_import_says_what_it_made(ymir: Ymir) -> None:
    imported = ymir("import", "dogs", "--into", "train", "--unknown-classes", "add")

    assert imported.status == 0
    assert imported.lines[0] == "train@2: 3 images; ground_truth: 3 annotations on 3"
    assert "  format: voc" in imported.lines
    assert [line.split() for line in ymir("classes").lines] == [["0", "cat", "kitten"], ["1", "dog"]]


def test_versions_are_made_listed_shown_and_compared(ymir: Ymir) -> None:
    sampled = ymir("sample", "train", "--count", "2", "--into", "few", "--message", "two of them")
    merged = ymir("merge", "few", "train", "--strategy", "host", "--into", "both", "--json")
    refused = ymir("import", "dogs", "--into", "train")

    assert (sampled.status, sampled.lines[0].split(";")[0]) == (0, "few@1: 2 images (training 2)")
    task = Task.model_validate_json(merged.out)
    assert (merged.status, task.state, task.result.number) == (0, TaskState.SUCCEEDED, 1)
    assert refused.status == 1
    assert "annotations/1.xml: the class 'dog' is unknown; it has 1 annotation" in refused.err
    assert "or import with --unknown-classes add or ignore." in refused.err
    assert f"ymir task report {first_id(ymir('tasks', '--state', 'failed').out)}" in refused.err
    assert [line.split()[0] for line in ymir("log", "both").lines] == ["both@1", "few@1", "train@1"]
    assert "[first]" in ymir("log", "train").out
    assert "two of them" in ymir("log", "few").out
    assert ymir("diff", "train", "few").out == "- 1 image\n- 1 image annotated in ground_truth\n"
    assert ymir("diff", "train", "both").out == ""
    assert "  tags: first" in ymir("show", "train@first").lines
    assert ymir("stats", "train").lines[-1].split() == ["cat", "3", "2"]
    assert [line.split()[0] for line in ymir("datasets").lines] == ["both", "few", "train"]
    shown = [json.loads(line) for line in ymir("log", "both", "--json").lines]
    assert [Version.model_validate(line).dataset_name for line in shown] == ["both", "few", "train"]


def test_a_diff_lists_assets_and_their_annotations(ymir: Ymir) -> None:
    ymir("classes", "--add", "dog")
    ymir("relabel", "train", "cat=dog", "--into", "train")
    ymir("sample", "train", "--count", "2", "--into", "few")

    relabeled = ymir("diff", "train@1", "train@2", "--assets")
    removed = ymir("diff", "train", "few", "--change", "removed", "--json")

    assert [line.split("  ")[1] for line in relabeled.lines if line[0] != " "] == ["changed", "changed"]
    changes = [line for line in relabeled.lines if line.startswith("  ~ ground_truth: ")]
    assert len(changes) == 3
    assert all(line.endswith(" 10x5: class cat → dog") for line in changes)
    assert [AssetDiff.model_validate_json(line).changes for line in removed.lines] == [
        (ChangeKind.REMOVED, ChangeKind.UNANNOTATED)
    ]
    assert ymir("diff", "train@1", "train@2", "--layer", "attributes").out == ""


def test_tags_branches_and_reverts(ymir: Ymir) -> None:
    assert ymir("tag", "train", "good").out == "train@good is train@1\n"
    assert ymir("tag", "train").out.split() == ["first", "good"]
    assert ymir("tag", "train", "first", "--remove").status == 0
    assert ymir("tag", "train").out.split() == ["good"]
    assert ymir("branch", "train@good", "--into", "trial").lines[0].startswith("trial@1: 3 images")
    assert ymir("sample", "train", "--count", "1", "--into", "train").lines[0].startswith("train@2: 1 image (")
    assert ymir("revert", "train@1").lines[0].startswith("train@3: 3 images")


def test_versions_are_found_by_what_is_said_of_them(ymir: Ymir) -> None:
    assert ymir("describe", "train", "--keywords", "night,rain", "--message", "as it came").out == (
        "train@1: as it came, night, rain\n"
    )
    ymir("sample", "train", "--count", "1", "--into", "few", "--keywords", "small")

    assert [line.split()[0] for line in ymir("search").lines] == ["few@1", "train@1"]
    assert [line.split()[0] for line in ymir("search", "--keyword", "rai").lines] == ["train@1"]
    assert [line.split()[0] for line in ymir("search", "--keyword", "rai", "--keyword", "sma").lines] == [
        "few@1",
        "train@1",
    ]
    assert ymir("search", "--class", "cat", "--tag", "nothing").out == ""
    assert ymir("describe", "train").status == 1
    assert ymir("stats", "train", "--suggest").lines[0].split() == ["objects", "cat", "3", "500"]


def test_any_task_can_be_asked_for_as_json(ymir: Ymir) -> None:
    made = ymir("task", "submit", '{"type": "sample", "source": "train", "count": 1, "dataset": "one"}')
    wrong = ymir("task", "submit", '{"type": "sample", "source": "train", "dataset": "one"}')
    broken = ymir("task", "submit", "{type: sample}")

    assert made.lines[0].startswith("one@1: 1 image (")
    assert (wrong.status, broken.status) == (1, 1)
    assert "give either count or rate" in wrong.err
    assert "That is no JSON" in broken.err


def test_any_call_can_be_made(ymir: Ymir, tmp_path: Path) -> None:
    executors = ymir("api", "get", "/v1/executors")
    changed = ymir("api", "patch", "/v1/projects/cats", '{"description": "of the house"}')
    removed = ymir("api", "delete", "/v1/projects/cats/datasets/train")
    saved = ymir("api", "get", "/openapi.json", "--to", tmp_path / "api.json")
    wrong = [ymir("api", "get", path).err for path in ("/v1/nothing", "v1/projects")]

    assert [item["name"] for item in json.loads(executors.out)["items"]] == ["tiny-detector"]
    assert json.loads(changed.out)["description"] == "of the house"
    assert (removed.status, removed.out, ymir("datasets").out) == (0, "", "")
    assert saved.out == f"{tmp_path / 'api.json'}\n"
    assert json.loads((tmp_path / "api.json").read_text())["openapi"] == "3.1.1"
    assert wrong[0].startswith("Not Found: Nothing is at /v1/nothing.")
    assert wrong[1].startswith("'v1/projects' is no path of the API.")


def test_an_archive_is_fetched_by_the_export_or_later(ymir: Ymir, tmp_path: Path) -> None:
    exported = ymir("export", "train", "--format", "coco", "--to", tmp_path / "coco.zip", "--json")
    task = Task.model_validate_json(exported.out)
    ymir("task", "archive", task.id, "--to", tmp_path / "again.zip")

    assert (tmp_path / "coco.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert ymir("task", "archive", task.id, "--to", tmp_path / "nowhere" / "a.zip").status == 1


def test_what_does_not_exist_is_told_with_what_does(
    ymir: Ymir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = on_folder(tmp_path / "data", capsys, project="cast")("datasets")
    none = on_folder(tmp_path / "data", capsys)("datasets")
    other = ymir("sample", "trian", "--count", "1", "--into", "few")
    gone = ymir("import", "vok", "--into", "train")

    assert {near.status, none.status, other.status, gone.status} == {1}
    assert "There is no project 'cast'.\nIs 'cats' meant?" in near.err
    assert "YMIR_PROJECT. There are: cats." in none.err
    assert "  SOURCE: There is no dataset 'trian'." in other.err
    assert f"There is nothing at {tmp_path / 'vok'}" in gone.err


def test_a_task_is_retried_and_shown(ymir: Ymir) -> None:
    ymir("import", "dogs", "--into", "train")
    failed = first_id(ymir("tasks", "--state", "failed").out)

    again = ymir("retry", failed)
    shown = ymir("task", "show", failed)
    cancelled = ymir("cancel", failed)
    watched = ymir("watch", failed)

    assert again.status == cancelled.status == watched.status == 1
    assert '"state": "failed"' in shown.out
    assert json.loads(shown.out)["parameters"]["type"] == "import"
    assert "can no longer be cancelled" in cancelled.err
    assert ymir("task", "report", failed).lines


def test_a_task_that_nobody_works_on_is_done_by_whoever_watches_it(ymir: Ymir) -> None:
    ymir("import", "voc", "--into", "train", "--unknown-classes", "add")
    asked = {"type": "sample", "source": "train", "count": 1, "dataset": "few"}
    left = json.loads(ymir("api", "post", "/v1/projects/cats/tasks", json.dumps(asked)).out)["id"]

    watched = ymir("watch", left)

    assert watched.status == 0
    assert "No service runs on the folder" in watched.err
    assert watched.lines[0].startswith("few@1: 1 image")


def test_watching_what_waits_for_people_says_what_they_can_do(ymir: Ymir) -> None:
    ymir("classes", "--add", "dog", "--add", "cow")
    ymir("branch", "train", "--into", "other")
    ymir("relabel", "train", "cat=dog", "--into", "train")
    ymir("relabel", "other", "cat=cow", "--into", "other")
    lines = ["--ours", "train", "--theirs", "other", "--base", "train@1", "--on-conflict", "ask"]
    merge = Task.model_validate_json(ymir("merge", *lines, "--into", "both", "--json").out)
    label = Task.model_validate_json(ymir("label", "train", "--classes", "cat", "--into", "labeled", "--json").out)

    merging, labeling = (ymir("watch", task.id) for task in (merge, label))

    assert (merging.status, labeling.status) == (0, 0)
    assert f"waits for answers to 3 conflicts. `ymir conflicts {merge.id}` lists them" in merging.err
    job = label.result.labeling or ""
    assert f"waits for answers. `ymir labeling show {job} -p cats` shows how far it is" in labeling.err
    assert ymir("labeling", "show", job).lines[0] == f"job {job}: open, in api"


def test_labeling_jobs_are_listed_shown_and_closed(ymir: Ymir) -> None:
    task = Task.model_validate_json(ymir("label", "train", "--classes", "cat", "--into", "labeled", "--json").out)
    job = task.result.labeling or ""

    listed, items = ymir("labeling", "list", "--state", "open"), ymir("labeling", "items", job, "--state", "open")
    closed = ymir("labeling", "close", job)

    assert [line.split()[:4] for line in listed.lines] == [[job, "api", "open", "3"]]
    assert len(items.lines) == 3
    assert closed.lines == [f"job {job}: closed, in api", f"0 labeled, 0 skipped, 3 open; task {task.id}"]
    assert ymir("labeling", "list", "--state", "open").lines == []


def test_a_folder_without_data_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = on_folder(tmp_path / "none", capsys, project="p")("log", "train")

    assert told.status == 1
    assert told.err.startswith(f"There is no data of the service in the folder {tmp_path / 'none'}.")
    assert not (tmp_path / "none").exists()


def first_id(text: str) -> str:
    return text.split(maxsplit=1)[0]


def test_a_key_is_made_listed_and_removed(ymir: Ymir) -> None:
    secret = ymir("keys", "add", "labelers", "--in", "cats=member", "--scope", "labeling", "--days", "30").out
    listed = ymir("keys", "list").out.splitlines()
    ymir("keys", "remove", next(line.split()[0] for line in listed if "labelers" in line))

    assert secret.startswith("ymir_")
    assert any("labelers  member in cats  labeling" in line for line in listed)
    assert "labelers" not in ymir("keys", "list").out
    with pytest.raises(SystemExit, match="2"):
        ymir("keys", "add", "x", "--in", "cats=king")


def test_webhooks_and_rules_are_made_listed_and_removed(ymir: Ymir) -> None:
    rule = {
        "name": "few",
        "project": "cats",
        "when": {"type": "ymir.dataset.version.created", "where": {"data.dataset": "train"}},
        "then": {"type": "sample", "dataset": "few", "source": "${data.dataset}", "count": 1},
    }

    secret = ymir("webhooks", "add", "https://example.org/x", "--type", "ymir.model.created", "--of", "cats").out
    [webhook] = ymir("webhooks", "list").lines
    ymir("webhooks", "test", webhook.split()[0])
    [delivery] = ymir("webhooks", "deliveries", webhook.split()[0]).lines
    made = ymir("rules", "add", json.dumps(rule)).out
    [listed] = ymir("rules", "list").lines
    position = json.loads(ymir("api", "GET", "/v1/events?type=ymir.dataset.version.created").out)["items"][0][
        "position"
    ]
    verdict = json.loads(ymir("rules", "try", listed.split()[0], position).out)

    assert secret.startswith("whsec_")
    assert webhook.endswith("https://example.org/x  ymir.model.created  cats")
    assert "ymir.webhook.tested" in delivery
    assert made.startswith("rule few: ")
    assert "data.dataset is train" in listed
    assert (verdict["matches"], verdict["parameters"]["source"]) == (True, "train")
    ymir("rules", "remove", listed.split()[0])
    ymir("webhooks", "remove", webhook.split()[0])
    assert ymir("rules", "list").out == ymir("webhooks", "list").out == ""
