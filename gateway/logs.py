"""One line for each request, and an id under which its line is found."""

import re
import time
from typing import Final

import structlog
from aiohttp import web

from gateway.metrics import ANSWERS, SECONDS
from gateway.operations import operation_of
from gateway.problems import Handler
from gateway.services import CALLER
from schemas.schema import new_id

REQUEST_ID: Final = "X-Request-Id"
ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUEST: Final = web.RequestKey("request_id", str)

log = structlog.get_logger(__name__)


@web.middleware
async def logs(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bind the request's id to all that is logged meanwhile, and log what was answered in how long."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if ACCEPTABLE.fullmatch(given) else new_id()
    began = time.perf_counter()
    with structlog.contextvars.bound_contextvars(request=request_id):
        request[REQUEST] = request_id
        response = await handler(request)
        _log(request, response.status, seconds=time.perf_counter() - began)
    return response


async def tell_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer the id under which its request is in the log."""
    if REQUEST in request:
        response.headers[REQUEST_ID] = request[REQUEST]


def _log(request: web.Request, status: int, *, seconds: float) -> None:
    operation = operation_of(request)
    route = "" if operation is None else operation.path
    ANSWERS.labels(request.method if route else "", route, status).inc()
    SECONDS.labels(request.method if route else "", route).observe(seconds)
    caller = request[CALLER].name if CALLER in request else None
    log.info("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1), caller=caller)
