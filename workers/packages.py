"""Model packages: a tar.gz with ``ymir-info.yaml`` and a folder for each stage, in the layout 2.0 of YMIR."""

import gzip
import hashlib
import io
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml
from pydantic import JsonValue, ValidationError

from schemas.errors import Invalid
from schemas.model_parameters import Preprocess
from schemas.schema import Digest
from workers.executors.attachments import ATTACHMENTS
from workers.executors.training_result import TrainingResult

INFO: Final = "ymir-info.yaml"
VERSION: Final = "2.0.0"
COMPRESSION: Final = 6
INFO_BYTES: Final = 16 * 2**20
PREPROCESS: Final = "preprocess"
STEP: Final = "Use a model package of layout 2.0, as training makes it."


def stage_digest(files: Mapping[str, Path]) -> Digest:
    """Return the SHA-256 over the sorted names of a stage's files, each with a zero byte and its bytes' SHA-256."""
    whole = hashlib.sha256()
    for name in sorted(files):
        with files[name].open("rb") as file:
            whole.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{whole.hexdigest()}"


def information(
    result: TrainingResult,
    *,
    config: Mapping[str, JsonValue],
    object_type: int,
    executor: str,
    preprocess: Preprocess | None = None,
) -> dict[str, Any]:
    """Return the content of ``ymir-info.yaml``.

    It holds no time, no task and no name of a dataset, so that equal trainings make equal packages: the time of a
    stage, which the layout asks for, is 0.
    """
    stages, best = result.stages, result.best
    top = next(stage for stage in stages if stage.name == best)
    sections: dict[str, list[str]] = {}
    for name in sorted(result.attachments):
        _, section, file = name.split("/", 2)
        sections.setdefault(section, []).append(file)
    return {
        "executor_config": dict(config),
        "task_context": {
            "executor": executor,
            "producer": "ymir",
            "type": "training",
            "src_revs": "",
            "dst_rev": "",
            "task_parameters": "",
            **top.metrics,
            **({} if preprocess is None else {PREPROCESS: told_preprocess(preprocess)}),
        },
        "stages": {
            stage.name: {
                "stage_name": stage.name,
                "files": sorted(stage.files),
                "timestamp": 0,
                **stage.metrics,
            }
            for stage in stages
        },
        "best_stage_name": best,
        **({ATTACHMENTS: sections} if sections else {}),
        **({"evaluate_config": dict(result.evaluation)} if result.evaluation else {}),
        "object_type": object_type,
        "package_version": VERSION,
    }


def pack(path: Path, result: TrainingResult, info: Mapping[str, Any]) -> None:
    """Write a package; equal stages, attachments and info make equal bytes."""
    text = yaml.safe_dump(dict(info), sort_keys=True, allow_unicode=True).encode()
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(_member(INFO, len(text)), io.BytesIO(text))
        files = {f"{stage.name}/{name}": file for stage in result.stages for name, file in stage.files.items()}
        for name, file in sorted({**files, **result.attachments}.items(), key=lambda item: item[0].split("/")):
            with file.open("rb") as content:
                archive.addfile(_member(name, file.stat().st_size), content)


def told_preprocess(preprocess: Preprocess) -> dict[str, Any]:
    """Return what was done to images before they were learned from, in YMIR's words and ours."""
    return {"longside_resize": {"dest_size": preprocess.long_side, "enlarge": preprocess.enlarge}}


def read_preprocess(told: object) -> Preprocess | None:
    """Return what a package says was done to images; None for nothing, or what is not known here."""
    resize = told.get("longside_resize") if isinstance(told, dict) else None
    try:
        return Preprocess(long_side=resize["dest_size"], enlarge=resize.get("enlarge", False)) if resize else None
    except (ValidationError, KeyError, TypeError, AttributeError):
        return None


def read_info(path: Path) -> dict[str, Any]:
    """Return the content of a package's ``ymir-info.yaml``; raise Invalid if it is no package."""
    with _opened(path) as archive:
        member = next((member for member in archive if _name(member) == INFO and member.isreg()), None)
        if member is None or member.size > INFO_BYTES:
            raise Invalid(f"The model package has no {INFO}.", step=STEP)
        content = archive.extractfile(member)
        info = yaml.safe_load(content.read() if content is not None else b"")
    if not isinstance(info, dict) or not isinstance(info.get("stages"), dict):
        raise Invalid(f"{INFO}: it must name the stages.", step=STEP)
    return info


def unpack_stage(path: Path, stage: str, to: Path) -> tuple[str, ...]:
    """Write the files of one stage into the folder ``to`` and return their names; raise Invalid if there are none."""
    written = []
    with _opened(path) as archive:
        for member in archive:
            name = PurePosixPath(_name(member))
            if name.parts[:1] != (stage,) or len(name.parts) == 1 or not member.isreg():
                continue
            if ".." in name.parts or name.is_absolute():
                raise Invalid(f"The model package has a member {member.name!r} that leads out of it.", step=STEP)
            target = to / name.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            with target.open("xb") as file:
                shutil.copyfileobj(content or io.BytesIO(), file)
            written.append(str(name.relative_to(stage)))
    if not written:
        raise Invalid(f"The model package has no files of the stage {stage!r}.", step=STEP)
    return tuple(sorted(written))


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            yield archive
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, yaml.YAMLError) as error:
        raise Invalid(f"The model package cannot be read: {error}.", step=STEP) from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")
