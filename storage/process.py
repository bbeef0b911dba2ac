"""What every process of the service does: it logs to standard error, listens, and ends when told to."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from asyncio import Event
from typing import Final

import structlog

from schemas.errors import Unavailable

LINE: Final = frozenset({"event", "level", "timestamp"})
"""What a line has that are no facts about what happened."""


def log_to_stderr(*, level: int = logging.INFO, in_words: bool = False) -> None:
    """Send structured logs to standard error: one line each, for people on a terminal and as JSON elsewhere.

    ``in_words`` is for commands, whose standard error people read everywhere.
    """
    terminal = sys.stderr.isatty() and not in_words
    # Plain: the tracebacks that would be drawn otherwise show local variables, and so secrets.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    elsewhere: structlog.typing.Processor = _in_words if in_words else structlog.processors.JSONRenderer()
    renderer: structlog.typing.Processor = console if terminal else elsewhere
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.getLogger("aiohttp.server").addFilter(_without_request)


def _in_words(_: object, __: str, event: structlog.typing.EventDict) -> str:
    """Return what happened, the facts about it, and the traceback if there is one."""
    traceback = event.pop("exception", "")
    facts = ", ".join(f"{name} {value}" for name, value in event.items() if name not in LINE)
    line = ": ".join(part for part in (event["level"], event["event"], facts) if part)
    return f"{line}\n{traceback}" if traceback else line


def _without_request(record: logging.LogRecord) -> bool:
    """Leave what somebody sent that is no HTTP out of its line: there may be a key in it."""
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__module__ == "aiohttp.http_exceptions":
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {type(error).__name__}", (), None
    return True


def bound_to(host: str, port: int, *, step: str) -> socket.socket:
    """Return a socket that listens at an address, at any free port for 0; raise Unavailable if it is taken.

    ``step`` says how another is chosen.
    """
    is_6 = ":" in host
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if is_6 else socket.AF_INET)
    except (OSError, OverflowError) as error:
        url = f"http://[{host}]:{port}" if is_6 else f"http://{host}:{port}"
        raise Unavailable(f"The address {url} cannot be used: {error}.", step=step) from error


def stop_requested() -> Event:
    """Return an event that SIGINT and SIGTERM set from now on, in the running event loop."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def end_in(seconds: float) -> None:
    """End this process after some seconds even if a thread still works; what that worked on, others take."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
