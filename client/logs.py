"""Logs of the commands: one structured line each, for people on a terminal and as JSON elsewhere."""

import logging
import sys

import structlog


def log_to_stderr(*, level: int = logging.INFO) -> None:
    """Send structured logs to standard error."""
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
