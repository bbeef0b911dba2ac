"""What every process of the service does: it logs to standard error, and ends when it is told to."""

import asyncio
import logging
import os
import signal
import sys
import threading
from asyncio import Event

import structlog


def log_to_stderr(*, level: int = logging.INFO) -> None:
    """Send structured logs to standard error: one line each, for people on a terminal and as JSON elsewhere."""
    terminal = sys.stderr.isatty()
    # Plain: the tracebacks that would be drawn otherwise show local variables, and so secrets.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: structlog.typing.Processor = console if terminal else structlog.processors.JSONRenderer()
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


def _without_request(record: logging.LogRecord) -> bool:
    """Leave what somebody sent that is no HTTP out of its line: there may be a key in it."""
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__module__ == "aiohttp.http_exceptions":
        record.msg, record.args, record.exc_info = f"{record.getMessage()}: {type(error).__name__}", (), None
    return True


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
