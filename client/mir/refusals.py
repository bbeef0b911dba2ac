"""What the client or the service raises, as the error that a command ends with."""

from typing import Final

from client.calls import Refused
from client.mir.codes import Code, MirError, code_of
from schemas.errors import Unavailable, YmirError

# What to do next, where the service says it in words of its own requests.
_STEPS: Final = {
    (Code.UNKNOWN_TYPES, "import"): "Add them to the label file, as classes or aliases, or import with "
    "--unknown-types-strategy add, or ignore.",
    (Code.INVALID_MIR_REPO, "copy"): "Add them to the label file, as classes or aliases, or copy with "
    "--unknown-types-strategy add, or ignore.",
    (Code.INVALID_DATASET, "import"): "Correct the files, or name their type with --anno-type.",
    (Code.MERGE_ERROR, "merge"): "Say with -s host or -s guest which source counts, or leave assets out with "
    "--ex-src-revs.",
    (Code.MERGE_ERROR, "fuse"): "Say with -s host or -s guest which source counts, or leave assets out with "
    "--ex-src-revs.",
    (Code.EMPTY_TRAIN_SET, "train"): "Put labeled images to training: tr: before a rev of --src-revs.",
    (Code.EMPTY_VAL_SET, "train"): "Put labeled images to validation: va: before a rev of --src-revs.",
}


def steps_here(code: Code, type: str) -> str:
    """Return what to do next in the words of this command; nothing where the service says it as well."""
    return _STEPS.get((code, type), "")


def mir_error(error: YmirError, *, type: str = "") -> MirError:
    """Return an error of a request, or of a task of a type, with its code and everything that it says."""
    if isinstance(error, Refused):
        problem = error.problem
        faults = "".join("\n  " + f"{fault.pointer}: {fault.detail}".removeprefix(": ") for fault in problem.errors)
        code = code_of(problem, type=type)
        return MirError(code, f"{problem.detail}{faults}", step=steps_here(code, type) or problem.step)
    code = Code.ERROR_UNKNOWN if isinstance(error, Unavailable) else Code.INVALID_ARGS
    return MirError(code, error.detail, step=steps_here(code, type) or error.step)
