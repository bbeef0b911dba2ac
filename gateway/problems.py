"""Problems: what every answer is that is not a success (RFC 9457)."""

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from schemas.errors import Conflict, Denied, Fault, Invalid, NotFound, Unavailable, YmirError
from schemas.problems import TYPE_PREFIX, Problem, ProblemError
from schemas.schema import new_id

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = "2"

STATUS_OF: Final[Mapping[type[YmirError], int]] = {
    NotFound: 404,
    Invalid: 422,
    Denied: 403,
    Conflict: 409,
    Unavailable: 503,
}

STEPS: Final[Mapping[int, str]] = {
    404: "See /docs for the addresses that exist.",
    405: "Use one of the methods that the Allow header names.",
    413: "Send less at once, or upload a file to /v1/uploads.",
}

# Statuses that are none of HTTP's own.
PHRASES: Final[Mapping[int, str]] = {460: "Checksum Mismatch"}

HOOK: Final = re.compile(r"(/v1/hooks/[^/]*/).+", re.DOTALL)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


class Refused(Exception):
    """A matter of HTTP alone: the request is refused with a status, a problem and perhaps headers."""

    def __init__(
        self, status: int, detail: str, *, step: str = "", headers: Mapping[str, str] | None = None, pointer: str = ""
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        errors = (ProblemError(detail=detail, pointer=pointer),) if pointer else ()
        self.problem = problem_of_status(status, detail, step=step).model_copy(update={"errors": errors})


def problem_of_status(status: int, detail: str, *, step: str = "") -> Problem:
    """Return the problem of an HTTP status, its type named after the status."""
    title = PHRASES.get(status) or HTTPStatus(status).phrase
    slug = title.lower().replace(" ", "-").replace("'", "")
    return Problem(type=TYPE_PREFIX + slug, title=title, status=status, detail=detail, step=step)


def problem_of_error(error: YmirError) -> Problem:
    """Return the problem that tells of an error."""
    return Problem.of(error, status=next(status for kind, status in STATUS_OF.items() if isinstance(error, kind)))


def problem_reply(problem: Problem, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the answer that tells of a problem."""
    body = problem.model_dump_json(exclude_defaults=True).encode()
    return web.Response(body=body, status=problem.status, content_type=MEDIA_TYPE, headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem; one that nobody foresaw is logged and tells only its reference."""
    try:
        return await handler(request)
    except Refused as refused:
        return problem_reply(_at(request, refused.problem), headers=refused.headers)
    except YmirError as error:
        return _of_error(request, error)
    except web.HTTPException as error:
        return _of_aiohttp(request, error)
    except ConnectionResetError:
        raise  # the client went away: there is nobody to answer
    except Exception:
        reference = new_id()
        log.exception("a request failed", reference=reference)
        detail = f"Something broke that should not have; it is in the log under {reference}."
        return problem_reply(_at(request, problem_of_status(500, detail)))


def _of_error(request: web.Request, error: YmirError) -> web.Response:
    problem = problem_of_error(error)
    headers = {"Retry-After": RETRY_SECONDS} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem_reply(_at(request, problem), headers=headers)


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    detail = {
        404: f"Nothing is at {_address(request)}.",
        405: f"{request.method} is not possible at {_address(request)}.",
        413: "The body is larger than this service takes.",
    }.get(error.status, error.reason)
    problem = problem_of_status(error.status, detail, step=STEPS.get(error.status, ""))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return problem_reply(_at(request, problem), headers=headers)


def _at(request: web.Request, problem: Problem) -> Problem:
    return problem.model_copy(update={"instance": _address(request)})


def _address(request: web.Request) -> str:
    """Return the path that was asked for, without the secret in that of a hook."""
    return HOOK.sub(r"\1…", request.path)


def gathered(faults: list[Fault], detail: str, *, step: str) -> None:
    """Raise Invalid with all the faults, if there are any."""
    if faults:
        raise Invalid(detail, step=step, faults=faults)
