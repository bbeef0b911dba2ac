"""Registering a folder as an executor."""

import os
from pathlib import Path

import pytest

from schemas.annotations import ObjectType
from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission, Protocol, Purpose
from tests.factories import NOON
from workers.executors.registry import BUILT_IN, digest_of_folder, inspect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "detector"
    (folder / "img-man").mkdir(parents=True)
    (folder / "start.sh").write_text("exit 0\n")
    (folder / "img-man" / "training-template.yaml").write_text("epochs: 3\nname: x\n")
    return folder


def inspected(folder: Path, reference: str | None = None) -> Executor:
    submission = ExecutorSubmission(name="detector", reference=reference or str(folder))
    return inspect(submission, roots=[folder.parent], at=NOON)


def test_templates_say_what_it_can_do(folder: Path) -> None:
    executor = inspected(folder)

    assert executor.templates == {Purpose.TRAINING: {"epochs": 3, "name": "x"}}
    assert executor.object_types == (ObjectType.DETECTION,)


def test_a_name_is_looked_for_under_the_roots(folder: Path) -> None:
    assert inspected(folder, "detector").reference == str(folder)


def test_the_manifest_tells_the_object_types(folder: Path) -> None:
    (folder / "img-man" / "manifest.yaml").write_text("object_type: [2, 4]\n")

    assert inspected(folder).object_types == (ObjectType.DETECTION, ObjectType.INSTANCE_SEGMENTATION)


def test_the_digest_is_that_of_names_and_bytes(folder: Path) -> None:
    before = digest_of_folder(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"c")
    os.utime(folder / "start.sh", (0, 0))
    assert digest_of_folder(folder) == before

    (folder / "start.sh").rename(folder / "img-man" / "start.sh")

    assert digest_of_folder(folder) != before


@pytest.mark.parametrize("reference", ["../elsewhere", "/etc", "link"])
def test_a_folder_outside_the_roots_is_refused(folder: Path, reference: str) -> None:
    (folder.parent.parent / "elsewhere").mkdir()
    (folder.parent / "link").symlink_to("/etc")

    with pytest.raises(Invalid, match="not under a root"):
        inspected(folder, reference)


@pytest.mark.parametrize("reference", ["nowhere", "0" * 500, "nowhere\0"])
def test_a_folder_that_does_not_exist_is_refused(folder: Path, reference: str) -> None:
    with pytest.raises(Invalid, match="no folder"):
        inspected(folder, reference)


def test_a_folder_without_a_start_is_refused(folder: Path) -> None:
    (folder / "start.sh").unlink()

    with pytest.raises(Invalid, match=r"start\.sh"):
        inspected(folder)


def test_a_folder_without_a_template_is_refused(folder: Path) -> None:
    (folder / "img-man" / "training-template.yaml").unlink()

    with pytest.raises(Invalid, match=r"none of training-template\.yaml.*130401"):
        inspected(folder)


@pytest.mark.parametrize("text", ["a: [\n", "- a\n", "7\n", "a: 2020-01-01\n"])
def test_a_template_that_cannot_be_read_is_named(folder: Path, text: str) -> None:
    (folder / "img-man" / "training-template.yaml").write_text(text)

    with pytest.raises(Invalid, match=r"training-template\.yaml"):
        inspected(folder)


@pytest.mark.parametrize("text", ["object_type: 7\n", "object_type: []\n", "object_type: [2, x]\n"])
def test_an_unknown_object_type_is_refused(folder: Path, text: str) -> None:
    (folder / "img-man" / "manifest.yaml").write_text(text)

    with pytest.raises(Invalid, match=r"manifest\.yaml"):
        inspected(folder)


def test_an_object_type_may_have_templates_of_its_own(folder: Path) -> None:
    (folder / "img-man" / "instance-seg").mkdir()
    (folder / "img-man" / "instance-seg" / "infer-template.yaml").write_text("masks: true\n")
    (folder / "img-man" / "manifest.yaml").write_text("object_type: [2, 4]\n")

    executor = inspected(folder)

    assert executor.templates_for(ObjectType.INSTANCE_SEGMENTATION) == {Purpose.INFER: {"masks": True}}
    assert executor.templates_for(ObjectType.DETECTION) == {Purpose.TRAINING: {"epochs": 3, "name": "x"}}


def test_without_a_manifest_the_folders_of_templates_tell_the_object_types(folder: Path) -> None:
    (folder / "img-man" / "training-template.yaml").rename(folder / "img-man" / "moved")
    (folder / "img-man" / "semantic-seg").mkdir()
    (folder / "img-man" / "moved").rename(folder / "img-man" / "semantic-seg" / "training-template.yaml")

    executor = inspected(folder)

    assert executor.object_types == (ObjectType.SEMANTIC_SEGMENTATION,)
    assert set(executor.templates) == {Purpose.TRAINING}


@pytest.mark.parametrize(
    ("told", "protocol"),
    [
        ("1.1.0", Protocol.V1_1),
        ("1.0.0", Protocol.V1_0),
        ("0.2", Protocol.V0_0),
        ("1.7.0", Protocol.V1_1),
        ("0.0.0", Protocol.V0_0),
    ],
)
def test_the_manifest_may_ask_for_a_protocol(folder: Path, told: str, protocol: Protocol) -> None:
    (folder / "img-man" / "manifest.yaml").write_text(f"protocol_version: {told}\nread_only_root: true\n")

    executor = inspected(folder)

    assert (executor.protocol, executor.read_only_root) == (protocol, True)


def test_who_registers_has_the_last_word_on_the_protocol(folder: Path) -> None:
    (folder / "img-man" / "manifest.yaml").write_text("protocol_version: 1.1.0\n")
    submission = ExecutorSubmission(name="detector", reference=str(folder), protocol=Protocol.V1_0)

    assert inspect(submission, roots=[folder.parent], at=NOON).protocol is Protocol.V1_0


def test_a_protocol_that_is_no_version_is_refused(folder: Path) -> None:
    (folder / "img-man" / "manifest.yaml").write_text("protocol_version: newest\n")

    with pytest.raises(Invalid, match=r"manifest\.yaml: the protocol_version 'newest'"):
        inspected(folder)


@pytest.mark.skipif(not (BUILT_IN / "tiny-detector" / "img-man" / "training-template.yaml").is_file(), reason="absent")
def test_the_reference_executor_does_all_three() -> None:
    submission = ExecutorSubmission(name="tiny-detector", reference="tiny-detector")

    assert set(inspect(submission, roots=[BUILT_IN], at=NOON).templates) == set(Purpose)
