"""The codes that commands end with: YMIR's own, and which of them a problem of the service comes to."""

import re
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:  # a start of `mir --version` loads no pydantic
    from schemas.problems import Problem


class Code(IntEnum):
    """How a command ended; the numbers are YMIR's."""

    OK = 0
    INVALID_ARGS = 160_001
    EMPTY_TRAIN_SET = 160_002
    EMPTY_VAL_SET = 160_003
    CONTAINER_ERROR = 160_004
    UNKNOWN_TYPES = 160_005
    INVALID_BRANCH_OR_TAG = 160_006
    DIRTY_REPO = 160_007
    MERGE_ERROR = 160_008
    INVALID_MIR_REPO = 160_009
    INVALID_FILE = 160_010
    NO_RESULT = 160_011
    OPENPAI_ERROR = 160_012
    NO_ANNOTATIONS = 160_013
    INVALID_MODEL = 160_015
    INVALID_DATASET = 160_016
    INVALID_OBJECT_TYPE = 160_017
    INVALID_MONITOR_FILE = 160_018
    PERMISSION_ERROR = 160_019
    ERROR_UNKNOWN = 169_999


class MirError(Exception):
    """A command cannot go on: its code, what is wrong, and what to do."""

    def __init__(self, code: Code, message: str, *, step: str = "", task: str | None = None) -> None:
        """``task``: the id of the one that failed, if one did."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.step = step
        self.task = task


class _Rule(NamedTuple):
    types: str
    """The types of tasks, a pattern; empty: any."""
    said: str
    """A pattern that is looked for in what the problem says."""
    code: Code


# The first that fits counts.
_RULES: Final = (
    _Rule("import", r"The project does not know", Code.UNKNOWN_TYPES),
    _Rule("copy", r"The project does not know", Code.INVALID_MIR_REPO),
    _Rule("merge|fuse", r"\d+ conflicts?: assets", Code.MERGE_ERROR),
    _Rule("train", r"nothing to train on", Code.EMPTY_TRAIN_SET),
    _Rule("train", r"nothing to validate on", Code.EMPTY_VAL_SET),
    _Rule("train", r"[Bb]oth in training and in validation", Code.MERGE_ERROR),
    _Rule("mine|infer", r"no candidate|no image", Code.MERGE_ERROR),
    _Rule("train|mine|infer", r"ended without writing|wrote no", Code.NO_RESULT),
    _Rule("mine|infer|train", r"no such model|no such stage|model package", Code.INVALID_MODEL),
    _Rule("", r"has a tag '|no dataset '|no version '|dataset '.*' has no version", Code.INVALID_BRANCH_OR_TAG),
    _Rule("", r"object type", Code.INVALID_OBJECT_TYPE),
    _Rule("", r"monitor\.txt", Code.INVALID_MONITOR_FILE),
    _Rule("train|mine|infer", r"executor (ended|exited|failed|was)|exit(ed)? (status|code)", Code.CONTAINER_ERROR),
    _Rule("import", r"cannot be (opened|read)|nothing at|Nothing is at|no image to import", Code.INVALID_FILE),
    _Rule("import|copy", r"faults?; nothing was imported|can be used|are not in the format", Code.INVALID_DATASET),
    _Rule("evaluate|export|filter", r"has no layer", Code.NO_ANNOTATIONS),
    _Rule("", r"[Nn]o space|disk is full|permission", Code.PERMISSION_ERROR),
)
_STATUS: Final = {401: Code.PERMISSION_ERROR, 403: Code.PERMISSION_ERROR}


def code_of(problem: "Problem", *, type: str = "") -> Code:
    """Return the code of a problem that a task of a type, or a request, came to."""
    said = "\n".join([problem.detail, *(fault.detail for fault in problem.errors)])
    for rule in _RULES:
        if (not rule.types or re.fullmatch(rule.types, type)) and re.search(rule.said, said):
            return rule.code
    client_error = 400 <= problem.status < 500  # noqa: PLR2004 - the range of statuses of a wrong request
    return _STATUS.get(problem.status, Code.INVALID_ARGS if client_error else Code.ERROR_UNKNOWN)
