"""A problem as HTTP clients, tasks and events see it (RFC 9457)."""

from typing import Final, Self

from schemas.errors import YmirError
from schemas.schema import Schema

TYPE_PREFIX: Final = "urn:ymir:problem:"
FAULTS_SHOWN: Final = 100


class ProblemError(Schema):
    """One thing that is wrong, and where: a JSON pointer into the request, or a file and line."""

    detail: str
    pointer: str = ""


class Problem(Schema):
    """What went wrong, where, and what to do next; at most 100 errors, the rest is in the report."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[ProblemError, ...] = ()
    step: str = ""
    """The next step to take."""

    @classmethod
    def of(cls, error: YmirError, *, status: int, instance: str | None = None) -> Self:
        """Return the problem that tells of an error."""
        shown = [ProblemError(detail=fault.detail, pointer=fault.pointer) for fault in error.faults[:FAULTS_SHOWN]]
        return cls(
            type=TYPE_PREFIX + error.slug,
            title=error.title,
            status=status,
            detail=error.detail,
            instance=instance,
            errors=tuple(shown),
            step=error.step,
        )
