"""env.yaml and config.yaml as protocol 1.1.0 has them."""

import pytest
from pydantic import JsonValue

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Purpose
from workers.executors.contract import (
    ExportFormat,
    configuration,
    environment,
    export_format,
    object_type_number,
    reserved_values,
    shared_memory_bytes,
)
from workers.executors.layout import Layout

TRAINING = frozenset({Purpose.TRAINING})
MINING = frozenset({Purpose.MINING, Purpose.INFER})


def test_a_training_has_its_two_indexes_and_no_candidates() -> None:
    told = environment("t" * 32, purposes=TRAINING, layout=Layout())

    assert told == {
        "protocol_version": "1.1.0",
        "task_id": "t" * 32,
        "run_training": True,
        "run_mining": False,
        "run_infer": False,
        "manifest_file": "/img-man/manifest.yaml",
        "input": {
            "root_dir": "/in",
            "assets_dir": "/in/assets",
            "annotations_dir": "/in/annotations",
            "models_dir": "/in/models",
            "training_index_file": "/in/train-index.tsv",
            "val_index_file": "/in/val-index.tsv",
            "candidate_index_file": "",
            "config_file": "/in/config.yaml",
        },
        "output": {
            "root_dir": "/out",
            "models_dir": "/out/models",
            "tensorboard_dir": "/out/tensorboard",
            "training_result_file": "/out/models/result.yaml",
            "mining_result_file": "/out/result.tsv",
            "infer_result_file": "/out/infer-result.json",
            "monitor_file": "/out/monitor.txt",
            "executor_log_file": "/out/ymir-executor-out.log",
        },
    }


def test_mining_and_inference_may_be_asked_for_together() -> None:
    told = environment("t", purposes=MINING, layout=Layout(root_in="/run/in", root_out="/run/out"))

    assert (told["run_training"], told["run_mining"], told["run_infer"]) == (False, True, True)
    assert told["input"]["candidate_index_file"] == "/run/in/candidate-index.tsv"  # type: ignore[index, call-overload]  # JSON
    assert told["input"]["training_index_file"] == ""  # type: ignore[index, call-overload]  # JSON


def test_the_user_overrides_the_template_and_the_system_both() -> None:
    template: dict[str, JsonValue] = {"epochs": 1, "gpu_id": "7", "size": 640}

    values, warnings = configuration(template, {"epochs": 2}, reserved={"gpu_id": ""})

    assert values == {"epochs": 2, "size": 640, "gpu_id": ""}
    assert warnings == ()


def test_an_unknown_parameter_is_passed_on_with_the_nearest_known_one() -> None:
    values, warnings = configuration({"learning_rate": 1, "epochs": 1}, {"lerning_rate": 2}, reserved={})

    assert values["lerning_rate"] == 2
    assert "'lerning_rate'" in warnings[0]
    assert "'learning_rate'" in warnings[0]


def test_a_parameter_that_is_like_no_other_is_told_with_those_that_are_known() -> None:
    _, warnings = configuration({"epochs": 1}, {"mining_algorithm": "x"}, reserved={})

    assert warnings[0].endswith("It knows epochs, export_format, shm_size.")


def test_a_reserved_parameter_is_overwritten_and_that_is_told() -> None:
    values, warnings = configuration({}, {"class_names": ["x"], "pretrained_model_params": ["y"]}, reserved={})

    assert values == {}
    assert len(warnings) == 2


def test_gpus_are_numbered_from_zero_and_none_is_empty() -> None:
    def reserved(gpus: int) -> object:
        return reserved_values(
            "t",
            purposes=MINING,
            classes=["cat"],
            object_type=ObjectType.DETECTION,
            gpus=gpus,
            models=["/in/models/a/b"],
        )

    assert reserved(2) == {
        "task_id": "t",
        "class_names": ["cat"],
        "gpu_id": "0,1",
        "gpu_count": 2,
        "object_type": 2,
        "model_params_path": ["/in/models/a/b"],
        "run_mining": 1,
        "run_infer": 1,
    }
    assert reserved(0)["gpu_id"] == ""  # type: ignore[index]  # it is a dict


def test_a_training_without_a_pretrained_model_does_not_name_one() -> None:
    values = reserved_values(
        "t", purposes=TRAINING, classes=["cat"], object_type=ObjectType.INSTANCE_SEGMENTATION, gpus=0, models=[]
    )

    assert "pretrained_model_params" not in values
    assert values["object_type"] == 4


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (None, ExportFormat.VOC),
        ("", ExportFormat.VOC),
        ("voc:raw", ExportFormat.VOC),
        ("det-voc:raw", ExportFormat.VOC),
        ("ark:raw", ExportFormat.ARK),
        ("det-ark", ExportFormat.ARK),
        ("seg-coco:raw", ExportFormat.COCO),
        ("COCO:RAW", ExportFormat.COCO),
        ("none:raw", ExportFormat.NONE),
    ],
)
def test_the_export_format_and_its_aliases_are_known(asked: str | None, meant: ExportFormat) -> None:
    assert export_format({"export_format": asked}) is meant


@pytest.mark.parametrize("asked", ["lmdb", "voc:lmdb", "ark:raw:raw", 7])
def test_another_export_format_is_refused(asked: str | int) -> None:
    with pytest.raises(Invalid, match="export_format"):
        export_format({"export_format": asked})


def test_an_object_type_without_a_number_is_refused() -> None:
    with pytest.raises(Invalid, match="keypoints"):
        object_type_number(ObjectType.KEYPOINTS)


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        (None, None),
        ("", None),
        ("32G", 32 << 30),
        ("32g", 32 << 30),
        ("1.5GiB", 3 << 29),
        ("64MB", 64 << 20),
        (4096, 4096),
    ],
)
def test_the_size_of_shared_memory_is_read_as_docker_reads_it(asked: str | int | None, size: int | None) -> None:
    assert shared_memory_bytes({"shm_size": asked}) == size


@pytest.mark.parametrize("asked", ["much", "-1G", "0", "1G; rm", ["16G"], "9" * 40])
def test_what_is_no_size_of_shared_memory_is_refused(asked: JsonValue) -> None:
    with pytest.raises(Invalid, match="shm_size"):
        shared_memory_bytes({"shm_size": asked})
