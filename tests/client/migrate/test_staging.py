"""Turning a revision of an old repository into a folder that can be imported."""

from hashlib import sha1
from pathlib import Path
from typing import Any

import orjson
import yaml

from client.migrate.repository import Repository
from client.migrate.staging import Staged, stage
from tests.client.migrate.old_repositories import a_repository, golden

PICTURE = b"\x89PNG a picture"
ASSET = sha1(PICTURE, usedforsecurity=False).hexdigest()
META = {"tvt_type": 2, "width": 8, "height": 6, "origin_filename": "photos/one.png"}
BOX = {"x": 1, "y": 2, "w": 3, "h": 4}


def staged(tmp_path: Path, messages: dict[str, Any]) -> tuple[Staged, Path]:
    root = a_repository(tmp_path / "repo", {"a@1": messages})
    media = tmp_path / "media"
    (media / ASSET[-2:]).mkdir(parents=True)
    (media / ASSET[-2:] / ASSET).write_bytes(PICTURE)
    repository = Repository(root)
    revision = repository.revision(repository.revisions()[0])
    return stage(revision, labels=repository.labels(), media=media, to=tmp_path / "to"), tmp_path / "to"


def document(path: Path) -> Any:  # noqa: ANN401 - JSON
    return orjson.loads(path.read_bytes())


def test_a_revision_of_the_real_command_is_written_with_splits_predictions_and_attributes(tmp_path: Path) -> None:
    root = golden(tmp_path)
    repository = Repository(root)
    merged = repository.revision(repository.revisions()[2])

    written = stage(merged, labels=repository.labels(), media=tmp_path / "assets", to=tmp_path / "to")

    assert (written.images, written.format, written.missing) == (6, "ymir", ())
    assert +written.left_out == {"attributes of images without ground truth": 1}
    truth, found = (
        document(tmp_path / "to/gt/instances_train.json"),
        document(tmp_path / "to/pred/instances_train.json"),
    )
    assert {image["file_name"] for image in truth["images"]} == {"p0.jpg", "p1.jpg", "p2.jpg", "p3.jpg"}
    assert {"city": "berlin"} in [image.get("attributes") for image in truth["images"]]
    assert [entry["rotation"] for entry in truth["annotations"] if "rotation" in entry] == [0.25]
    assert {entry["score"] for entry in found["annotations"]} == {0.9, 0.25}
    assert (tmp_path / "to/images/val/p4.jpg").is_file()


def test_a_repository_of_the_first_releases_is_read(tmp_path: Path) -> None:
    boxes = {"boxes": [{"box": BOX, "class_id": 1}]}
    messages = {
        "metadatas": {"attributes": {ASSET: META}},
        "annotations": {"task_annotations": {"t": {"image_annotations": {ASSET: boxes}}}, "head_task_id": "t"},
        "keywords": {"keywords": {ASSET: {"customized_keywords": ["night"]}}},
        "tasks": {"tasks": {"t": {"type": 5}}, "head_task_id": "t"},
    }

    written, to = staged(tmp_path, messages)

    assert written.images == 1
    assert document(to / "gt/instances_val.json") == {
        "images": [{"id": 1, "file_name": "one.png", "width": 8, "height": 6, "attributes": {"night": True}}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "dog"}],
    }


def test_masks_polygons_and_classes_without_number_are_kept(tmp_path: Path) -> None:
    corners = [{"x": 0, "y": 0}, {"x": 4, "y": 0}, {"x": 4, "y": 4}]
    told = [
        {"class_id": 0, "polygon": corners},
        {"class_id": 0, "box": BOX, "mask": "04", "iscrowd": 1},
        {"class_id": -1, "class_name": "zebra", "box": BOX},
        {"class_id": 9, "box": BOX, "prompt": "the striped one"},
    ]
    truth = {"image_annotations": {ASSET: {"boxes": told}}}
    messages = {"metadatas": {"attributes": {ASSET: META}}, "annotations": {"ground_truth": truth}}

    written, to = staged(tmp_path, messages)

    whole = document(to / "gt/instances_val.json")
    assert [entry.get("segmentation") for entry in whole["annotations"]] == [
        [[0, 0, 4, 0, 4, 4]],
        {"size": [6, 8], "counts": "04"},
        None,
        None,
    ]
    assert [category["name"] for category in whole["categories"]] == ["cat", "zebra", "class-9"]
    assert whole["annotations"][3]["attributes"] == {"prompt": "the striped one"}
    assert +written.left_out == {"classes that the label file lacks": 2}


def test_predictions_name_their_model_and_its_classes(tmp_path: Path) -> None:
    model = {"model_hash": "ff", "best_stage_name": "epoch_2", "class_names": ["cat", "dog"]}
    found = {
        "image_annotations": {ASSET: {"boxes": [{"box": BOX, "score": 0.5}]}},
        "eval_class_ids": [0, 1],
        "model": model,
    }
    messages = {"metadatas": {"attributes": {ASSET: META}}, "annotations": {"prediction": found}}

    _, to = staged(tmp_path, messages)

    assert yaml.safe_load((to / "pred/meta.yaml").read_text()) == {"eval_class_names": ["cat", "dog"], "model": model}
    assert document(to / "pred/instances_val.json")["annotations"][0]["score"] == 0.5


def test_images_that_are_gone_or_damaged_are_named(tmp_path: Path) -> None:
    gone = "0" * 40
    messages = {"metadatas": {"attributes": {ASSET: META, gone: META}}}

    written, to = staged(tmp_path, messages)

    assert (written.images, written.missing) == (1, (gone,))
    assert [path.name for path in (to / "images/val").iterdir()] == ["one.png"]
