"""How a command ends: its exit status, and what is said when it fails."""

import asyncio
import signal
import sys
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from client.terminal import write
from client.ymir.wording import worded
from schemas.errors import YmirError

FAILED: Final = 1
INTERRUPTED: Final = 128 + signal.SIGINT
TERMINATED: Final = 128 + signal.SIGTERM
NO_OPTIONS: Final[Mapping[str, str]] = {}


def run(work: Coroutine[Any, Any, int], *, options: Mapping[str, str] = NO_OPTIONS) -> int:
    """Do the work of a command, and return its exit status; what goes wrong is said on standard error.

    ``options`` are those of the command by the pointers of what they give.

    SIGINT and SIGTERM cancel the work, which may still tidy up; a second SIGINT ends it at once.
    """
    try:
        return asyncio.run(_terminable(work))
    except YmirError as error:
        say(worded(told(error), options))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:
        raise
    except OSError as error:
        say(f"{error.filename or 'This machine'}: {error.strerror or error}.")
        return FAILED


def told(error: YmirError) -> str:
    """Return what is wrong, where, and what to do next."""
    where = [f"  {fault.pointer}: {fault.detail}" if fault.pointer else f"  {fault.detail}" for fault in error.faults]
    return "\n".join(line for line in (error.detail, *where, error.step) if line)


def say(text: str) -> None:
    """Say something that is no result."""
    write(text, sys.stderr)


async def _terminable(work: Coroutine[Any, Any, int]) -> int:
    running = asyncio.ensure_future(work)
    if threading.current_thread() is threading.main_thread():  # no other may handle signals
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await running
