"""What the client or the service raises, as the error that a command ends with."""

from client.calls import Refused
from client.mir.codes import Code, MirError, code_of
from schemas.errors import Unavailable, YmirError


def mir_error(error: YmirError, *, type: str = "") -> MirError:
    """Return an error of a request, or of a task of a type, with its code and everything that it says."""
    if isinstance(error, Refused):
        problem = error.problem
        faults = "".join(f"\n  {fault.pointer}: {fault.detail}" for fault in problem.errors)
        return MirError(code_of(problem, type=type), f"{problem.detail}{faults}", step=problem.step)
    code = Code.ERROR_UNKNOWN if isinstance(error, Unavailable) else Code.INVALID_ARGS
    return MirError(code, error.detail, step=error.step)
