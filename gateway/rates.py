"""Rates: how many requests a key may make."""

import math
import time
from collections import OrderedDict
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.problems import Handler, Refused
from gateway.services import CALLER
from gateway.settings import GatewaySettings

BUCKETS_AT_MOST: Final = 10_000


class Buckets:
    """A bucket of tokens for each key: it fills steadily, and each request takes one."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._rate = settings.requests_per_second
        self._burst = settings.burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, key: str, *, now: float) -> float:
        """Take a token and return 0; or, if the bucket is empty, return the seconds until it has one."""
        tokens, filled_at = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - filled_at) * self._rate)
        enough = tokens >= 1
        self._buckets[key] = (tokens - 1 if enough else tokens, now)
        if len(self._buckets) > BUCKETS_AT_MOST:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (1 - tokens) / self._rate


BUCKETS: Final = web.AppKey("buckets", Buckets)


@web.middleware
async def rates(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a key asks beyond its rate; what bears no key is limited by its address."""
    key = request[CALLER].id if CALLER in request else f"address {request.remote}"
    seconds = request.app[BUCKETS].seconds_to_wait(key, now=time.monotonic())
    if seconds:
        wait = {"Retry-After": str(math.ceil(seconds))}
        detail = "This key makes more requests than it may."
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, detail, step="Wait, then try again.", headers=wait)
    return await handler(request)
