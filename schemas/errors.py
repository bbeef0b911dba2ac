"""Every error this project raises on purpose.

YmirError
├── NotFound       nothing has that id
├── Invalid        the request, file or result can never succeed as it stands; says where and what to do
├── Denied         the caller is not known, or may not do this
├── Conflict       somebody else changed it first: read again, then decide
└── Unavailable    a dependency did not answer: the same call may yet succeed
"""

from collections.abc import Iterable
from typing import ClassVar, NamedTuple


class Fault(NamedTuple):
    """One thing that is wrong: what, and where (a JSON pointer, or a file and line)."""

    detail: str
    pointer: str = ""


class YmirError(Exception):
    """Something went wrong in a way that has a name."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, *, step: str = "", faults: Iterable[Fault] = ()) -> None:
        """Say what is wrong, the next ``step`` to take, and each fault where there are several."""
        super().__init__(detail)
        self.detail = detail
        self.step = step
        self.faults = tuple(faults)


class NotFound(YmirError):
    """Nothing has that id."""

    slug = "not-found"
    title = "Not found"

    def __init__(self, kind: str, identity: object, *, step: str = "") -> None:
        super().__init__(f"There is no {kind} {str(identity)!r}.", step=step)


class Invalid(YmirError):
    """The request, file or result can never succeed as it stands."""

    slug = "invalid"
    title = "Invalid"


class Denied(YmirError):
    """The caller is not known, or may not do this."""

    slug = "denied"
    title = "Not allowed"


class Conflict(YmirError):
    """Somebody else was first; ``key`` names the unique key that is taken, or ``generation`` if it was changed."""

    slug = "conflict"
    title = "Conflict"

    def __init__(self, kind: str, identity: object, *, key: str, step: str = "") -> None:
        if key == "generation":
            detail = f"The {kind} {str(identity)!r} was changed by another meanwhile."
        else:
            detail = f"There is {with_article(kind)} with the same {key} already ({str(identity)!r})."
        super().__init__(detail, step=step)
        self.key = key


class Unavailable(YmirError):
    """A dependency did not answer: the same call may yet succeed."""

    slug = "unavailable"
    title = "Unavailable for now"


def with_article(noun: str) -> str:
    """Return a noun with ``a`` or ``an`` before it."""
    return f"an {noun}" if noun[:1] in "aeio" else f"a {noun}"
