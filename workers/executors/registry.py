"""Registering an executor: what a folder with ``img-man/`` and ``start.sh`` says of itself."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission
from schemas.schema import Digest, derived_id
from workers.executors.manual import FILES, Manual, read_manual

MANUAL: Final = "img-man"
BUILT_IN: Final = Path(__file__).parents[2] / "deploy" / "executors"
"""The executors that come with the installation."""


def inspect(submission: ExecutorSubmission, *, roots: Sequence[Path], at: datetime) -> Executor:
    """Return the executor that a folder is, with its templates, object types and the digest of its files.

    It reads files: call it in a thread. Raise Invalid naming the file at fault, or if the folder is not under one of
    the ``roots``.
    """
    folder = _folder(submission.reference, roots)
    if not (folder / "start.sh").is_file():
        raise Invalid(f"{folder}: an executor is started by a file start.sh, and there is none.", step="Add it.")
    found = read_manual(manual_files(folder / MANUAL), where=str(folder / MANUAL))
    return executor_of(submission, found, reference=str(folder), digest=digest_of_folder(folder), at=at)


def executor_of(
    submission: ExecutorSubmission, manual: Manual, *, reference: str, digest: Digest | None, at: datetime
) -> Executor:
    """Return the executor that is asked for, as its manual describes it."""
    return Executor(
        id=derived_id("executor", submission.name),
        name=submission.name,
        runtime=submission.runtime,
        reference=reference,
        digest=digest,
        description=submission.description,
        object_types=manual.object_types,
        templates=manual.templates,
        type_templates=manual.type_templates,
        protocol=submission.protocol or manual.protocol,
        read_only_root=manual.read_only_root,
        is_livecode=manual.is_livecode,
        limits=submission.limits,
        created_at=at,
    )


def digest_of_folder(folder: Path) -> Digest:
    """Return the SHA-256 over the names and bytes of a folder's regular files, in order of their names.

    Each is its path with ``/``, a zero byte, and the SHA-256 of its bytes. Folders named ``__pycache__`` are left out.
    """
    whole = hashlib.sha256()
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_symlink()}
    for name in sorted(paths):
        if paths[name].is_file() and "__pycache__" not in Path(name).parts:
            whole.update(name.encode() + b"\0" + hashlib.sha256(paths[name].read_bytes()).digest())
    return f"sha256:{whole.hexdigest()}"


def _folder(reference: str, roots: Sequence[Path]) -> Path:
    folder = Path(reference)
    named = [root / reference for root in roots] if not folder.is_absolute() else [folder]
    found = next((path.resolve() for path in named if _is_folder(path)), None)
    if found is None:
        raise Invalid(f"There is no folder {reference!r}.", step=f"Name a folder under {_listed(roots)}.")
    if not any(found.is_relative_to(root.resolve()) for root in roots):
        detail = f"The folder {reference!r} is not under a root of executors."
        step = f"Put it under {_listed(roots)}, or start `ymir serve` with --executor-root and a folder above it."
        raise Invalid(detail, step=step)
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # a name longer than any can be, or a folder that may not be looked into


def manual_files(manual: Path) -> dict[str, bytes]:
    """Return the files that a manual is read from, by their paths below it."""
    return {name: (manual / name).read_bytes() for name in FILES if (manual / name).is_file()}


def _listed(roots: Sequence[Path]) -> str:
    return " or ".join(str(root) for root in roots) or "a root of executors (none is configured)"
