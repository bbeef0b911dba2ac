"""What the errors of a labeling tool's API mean, the same for every tool."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import ClientError, ClientResponse

from schemas.errors import Invalid, NotFound, Unavailable

SETTING: Final = "YMIR_LABELING_TOOLS"
SAID_LETTERS: Final = 500
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_DENIED: Final = frozenset({401, 403})


class Reached(NamedTuple):
    """A labeling tool as errors name it: whose, where, and the page that says which releases are supported."""

    kind: str
    url: str
    page: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.url}"


@contextmanager
def tool_errors(tool: Reached) -> Iterator[None]:
    """Turn what is raised by a tool that does not answer into Unavailable."""
    try:
        yield
    except TimeoutError as error:
        raise Unavailable(f"{tool} does not answer in time.") from error
    except (ClientError, OSError) as error:
        raise Unavailable(f"{tool} does not answer: {error}.") from error


def check_status(response: ClientResponse, text: bytes, *, tool: Reached) -> None:
    """Raise Invalid for what a tool refuses, Unavailable for what it cannot answer now, NotFound for 404."""
    status = response.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    said = text[:SAID_LETTERS].decode(errors="replace")
    call = f"{response.method} {response.url.path}"
    if status in _DENIED:
        step = f"Put the token of a user who may make projects into {SETTING}, and start the service again."
        raise Invalid(f"{tool} does not take the token ({status}).", step=step)
    if status in _LATER:
        raise Unavailable(f"{tool} cannot answer {call} now ({status}).")
    if status == HTTPStatus.NOT_FOUND:
        raise NotFound(f"thing in {tool} at", response.url.path)
    if status < HTTPStatus.BAD_REQUEST:
        target = response.headers.get("Location", "elsewhere")
        step = f"Have the url in {SETTING} be the one that it is reached at."
        raise Invalid(f"{tool} sends {call} to {target}.", step=step)
    step = f"See whether the labeling tool's release is one that is supported: {tool.page}."
    raise Invalid(f"{tool} refuses {call} ({status}): {said}", step=step)
