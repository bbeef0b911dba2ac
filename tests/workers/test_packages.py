"""Model packages."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest
import yaml
from pydantic import JsonValue

from schemas.errors import Invalid
from workers.executors.training_result import StageFiles, TrainingResult
from workers.packages import information, pack, read_info, stage_digest, unpack_stage


def a_stage(folder: Path, name: str, content: bytes) -> StageFiles:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights").write_bytes(content)
    return StageFiles(name, {"weights": folder / "weights"}, {"mAP": 0.5})


def info_of(*stages: StageFiles) -> dict[str, object]:
    config: dict[str, JsonValue] = {"class_names": ["cat"], "epochs": 3}
    return information(TrainingResult(stages, stages[0].name), config=config, object_type=2, executor="detector")


def a_package(path: Path, *members: tuple[str, bytes | None]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            archive.addfile(member, None if content is None else io.BytesIO(content))
    return path


def test_equal_stages_make_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        stages = [a_stage(tmp_path / name / stage, stage, stage.encode()) for stage in ("b", "a")]
        pack(tmp_path / f"{name}.tar.gz", TrainingResult(tuple(stages), "a"), info_of(*stages))

    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    stage = a_stage(tmp_path / "a", "a", b"w")
    pack(tmp_path / "package", TrainingResult((stage,), "a"), info_of(stage))

    info = read_info(tmp_path / "package")

    assert info["package_version"] == "2.0.0"
    assert info["stages"]["a"] == {"stage_name": "a", "files": ["weights"], "timestamp": 0, "mAP": 0.5}
    assert unpack_stage(tmp_path / "package", "a", tmp_path / "out") == ("weights",)
    assert (tmp_path / "out" / "weights").read_bytes() == b"w"


def test_the_digest_of_a_stage_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    one, two = a_stage(tmp_path / "1", "one", b"w"), a_stage(tmp_path / "2", "two", b"w")

    assert stage_digest(one.files) == stage_digest(two.files)
    assert stage_digest({"other": one.files["weights"]}) != stage_digest(one.files)


def test_a_member_that_leads_out_is_refused(tmp_path: Path) -> None:
    package = a_package(tmp_path / "package", ("a/../../outside", b"x"))

    with pytest.raises(Invalid, match="leads out"):
        unpack_stage(package, "a", tmp_path / "out")

    assert not (tmp_path / "outside").exists()


def test_links_are_not_unpacked(tmp_path: Path) -> None:
    package = a_package(tmp_path / "package", ("a/link", None))

    with pytest.raises(Invalid, match="no files of the stage"):
        unpack_stage(package, "a", tmp_path / "out")


@pytest.mark.parametrize(
    "data",
    [b"", b"no tar", gzip.compress(b"no tar"), gzip.compress(b"x" * 2000)[:-10]],
    ids=["empty", "text", "no tar", "cut off"],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "package").write_bytes(data)

    with pytest.raises(Invalid):
        read_info(tmp_path / "package")


@pytest.mark.parametrize("text", ["a: [", "- a", "stages: 7"])
def test_information_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    package = a_package(tmp_path / "package", ("ymir-info.yaml", text.encode()))

    with pytest.raises(Invalid):
        read_info(package)


def test_a_truncated_package_is_refused(tmp_path: Path) -> None:
    package = a_package(tmp_path / "package", ("ymir-info.yaml", yaml.safe_dump({"stages": {}}).encode() * 5_000))
    package.write_bytes(package.read_bytes()[:-20])

    with pytest.raises(Invalid, match="cannot be read"):
        read_info(package)
