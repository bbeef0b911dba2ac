"""The command ``mir``."""

import asyncio
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from client.mir.arguments import parse, parser
from client.mir.codes import Code, MirError
from client.mir.telling import show, tell

NOTHING_TO_DO = -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or YMIR's code after printing it with what is wrong and what to do.

    A shell sees the code modulo 256.
    """
    wants_detail = False
    try:
        given = parse(arguments)
        wants_detail = given.debug
        return _run(given)
    except MirError as error:
        if wants_detail:
            traceback.print_exc()
        return _told(error)
    except KeyboardInterrupt:
        return _told(MirError(Code.ERROR_UNKNOWN, "interrupted"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the code is printed
        traceback.print_exc()
        return _told(MirError(Code.ERROR_UNKNOWN, f"{type(error).__name__}: {error}"))


def _run(given: Namespace) -> int:
    if given.version:
        show(f"mir version: {version('ymir')}")
        return Code.OK
    if given.command is None:
        parser().print_help()
        return NOTHING_TO_DO
    module, _, function = given.run.partition(":")
    command = getattr(import_module(f"client.mir.commands.{module}"), function)
    try:
        answer = command(given)
        if asyncio.iscoroutine(answer):
            asyncio.run(answer)
    except MirError:
        raise
    except Exception as error:
        raise _as_ours(error) from error
    return Code.OK


def _as_ours(error: Exception) -> Exception:
    """Return an error of the client or the service as one of this command, others as they are."""
    from client.mir.refusals import mir_error  # noqa: PLC0415 - only a command that came so far needs it
    from schemas.errors import YmirError  # noqa: PLC0415 - as above

    return mir_error(error) if isinstance(error, YmirError) else error


def _told(error: MirError) -> int:
    tell(f"error {int(error.code)}: {error.message}")
    if error.step:
        tell(f"  {error.step}")
    return error.code


if __name__ == "__main__":
    sys.exit(main())
