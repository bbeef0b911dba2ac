"""A connection to RabbitMQ that is made when it is needed, and anew when it was lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)

from schemas.errors import Invalid, Unavailable
from storage.rabbitmq_decoding import be_lenient

# How long to wait for the broker before it counts as away, and how often to show each other signs of life.
ANSWER_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 10
STEP: Final = (
    "give YMIR_AMQP_URL as amqp://user:password@host:port/virtual-host, special characters as %40 and the like"
)

be_lenient()


class Link:
    """One connection and its channels; whoever finds it lost makes it anew."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet; raise Invalid if the URL cannot be one."""
        _check(url)
        self._url = url
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._is_closed = False

    async def channel(self, *, on_return_raises: bool = False) -> AbstractChannel:
        """Return a new channel with confirms; raise Unavailable, or Invalid if the broker refuses who we are."""
        with broker_errors():
            async with asyncio.timeout(ANSWER_SECONDS):
                connection = await self._connected()
                channel = connection.channel(on_return_raises=on_return_raises)
                await channel.initialize()
        return channel

    async def close(self) -> None:
        """Close the connection and its channels; what was not acknowledged is handed back."""
        self._is_closed = True
        if self._connection is not None:
            # A broker that is gone needs no farewell.
            with suppress(*CONNECTION_EXCEPTIONS, TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._connection.close()

    async def _connected(self) -> AbstractConnection:
        async with self._lock:
            if self._is_closed:
                raise Unavailable("The bus is closed.")
            if self._connection is None or self._connection.is_closed or not self._connection.connected.is_set():
                self._connection = await _connect(self._url)
            return self._connection


def _check(url: str) -> None:
    # What is wrong with it is not told: the password may be anywhere in it.
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"amqp", "amqps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.fragment or "@" in parts.path:
        raise Invalid("YMIR_AMQP_URL cannot be used.", step=STEP)


async def _connect(url: str) -> AbstractConnection:
    try:
        return await aio_pika.connect(url, timeout=ANSWER_SECONDS, heartbeat=HEARTBEAT_SECONDS)
    except InvalidFrameError as error:
        step = "see whether the virtual host in YMIR_AMQP_URL is there, and the user may use it"
        raise Unavailable("RabbitMQ ends the connection as soon as it is made.", step=step) from error


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn what the driver raises into errors of this project; whatever else escapes is a bug."""
    try:
        yield
    except (Invalid, Unavailable):
        raise
    except (AuthenticationError, ProbableAuthenticationError) as error:
        step = "check the user, the password and the virtual host in YMIR_AMQP_URL"
        raise Invalid(f"RabbitMQ refuses us: {error}.", step=step) from error
    except ChannelPreconditionFailed as error:
        step = "drain and delete what was declared otherwise, or give the bus another name"
        raise Invalid(f"RabbitMQ has it otherwise than we declare it: {error}.", step=step) from error
    except (*CONNECTION_EXCEPTIONS, TimeoutError, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and not _is_drivers(error):
            raise
        raise Unavailable(f"RabbitMQ does not answer: {str(error) or type(error).__name__}.") from error


def _is_drivers(_: asyncio.CancelledError) -> bool:
    """Return whether nobody asked the present task to stop: the driver cancels the calls of a lost connection."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
