"""Sending: one event to one address, signed by Standard Webhooks, never where it may not go."""

import asyncio
import re
import time
from asyncio import Semaphore
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Final, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, InvalidURL
from standardwebhooks import Webhook as Signer
from yarl import URL

from schemas.events import CloudEvent
from schemas.schema import Id
from schemas.webhooks import Attempt, Webhook
from storage.public_addresses import guarded_connector
from workers.settings import WorkerSettings

CONTENT_TYPE: Final = "application/cloudevents+json; charset=UTF-8"
CONNECT_SECONDS: Final = 5.0
# Who answers within this is quick. It is also the longest that a slow endpoint keeps slots from others, once.
PATIENCE_SECONDS: Final = 0.5
# What an endpoint answers is of no use here; so much of it is read that its connection can be used again.
ANSWER_BYTES: Final = 65_536
ERROR_LETTERS: Final = 300
LONGEST_WAIT: Final = timedelta(hours=24)
_SECONDS: Final = re.compile(r"\d{1,9}")


class Sent(NamedTuple):
    """What came of sending, and how long the endpoint asks to be left alone."""

    attempt: Attempt
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Whether the endpoint took it."""
        return self.attempt.status is not None and HTTPStatus(200) <= self.attempt.status < HTTPStatus(300)

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants nothing any more."""
        return self.attempt.status == HTTPStatus.GONE


class Sender:
    """Sends events from this process, to one webhook only some at a time: a slow one takes no other's place."""

    def __init__(self, session: ClientSession, *, at_once: int) -> None:
        self._session = session
        self._places: defaultdict[Id, _Places] = defaultdict(lambda: _Places(at_once))

    async def send(self, webhook: Webhook, event: CloudEvent, *, at: datetime) -> Sent | None:
        """Send an event once; whatever goes wrong is told in the attempt. None: there is no place for it now."""
        places = self._places[webhook.id]
        if not await places.taken():
            return None
        async with places.occupied():
            return await _sent(self._session, webhook.url, event, secrets=webhook.signing(at=at), at=at)


class _Places:
    """The places of one webhook: at one that is quick they are waited for, since one is free in a moment."""

    def __init__(self, count: int) -> None:
        self._free = Semaphore(count)
        self._is_quick = True

    async def taken(self) -> bool:
        """Take a place; return whether there was one."""
        if self._free.locked() and not self._is_quick:
            return False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._free.acquire()
        except TimeoutError:
            self._is_quick = False
            return False

    @asynccontextmanager
    async def occupied(self) -> AsyncIterator[None]:
        """Give the place back that was taken, and remember whether it was in use for long."""
        began_at = time.monotonic()
        try:
            yield
        finally:
            self._is_quick = time.monotonic() - began_at < PATIENCE_SECONDS
            self._free.release()


@asynccontextmanager
async def sender_of(settings: WorkerSettings) -> AsyncIterator[Sender]:
    """Open what connects to public addresses, and to those of networks that are allowed, alone."""
    async with ClientSession(
        connector=guarded_connector(settings.webhook_networks),
        timeout=ClientTimeout(total=settings.webhook_seconds, sock_connect=CONNECT_SECONDS),
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": f"ymir/{version('ymir')}"},
    ) as session:
        yield Sender(session, at_once=settings.webhook_at_once)


def headers_of(event: CloudEvent, body: bytes, *, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks 1.0: the event's id, when it is sent, a signature by each secret."""
    signatures = [Signer(secret).sign(event.id, at, body.decode()) for secret in secrets]
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _sent(session: ClientSession, url: str, event: CloudEvent, *, secrets: Sequence[str], at: datetime) -> Sent:
    body = event.model_dump_json().encode()
    began_at = time.monotonic()
    status, error, wait = None, "", None
    try:
        target = URL(url)
        headers = headers_of(event, body, secrets=secrets, at=at)
        async with session.post(target, data=body, headers=headers, allow_redirects=False) as response:
            await response.content.read(ANSWER_BYTES)
            status, wait = response.status, _retry_after(response.headers.get("Retry-After", ""), at=at)
        error = "" if HTTPStatus(200) <= status < HTTPStatus(300) else _meaning(status)
    except TimeoutError:
        error = "It did not answer in time."
    except (ClientError, InvalidURL, ValueError, OSError) as failure:
        error = f"{failure}"[:ERROR_LETTERS] or type(failure).__name__
    took = round((time.monotonic() - began_at) * 1000)
    return Sent(Attempt(at=at, status=status, error=error, milliseconds=took), wait)


def _meaning(status: int) -> str:
    if HTTPStatus(300) <= status < HTTPStatus(400):
        return "It answered with a redirect, which is never followed: have the webhook name the address itself."
    return f"It answered {status}."


def _retry_after(text: str, *, at: datetime) -> timedelta | None:
    """Return how long a ``Retry-After`` asks to wait, in seconds or as a date; None for anything else."""
    if _SECONDS.fullmatch(text.strip()):
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    return min(max(then - at, timedelta()), LONGEST_WAIT)
