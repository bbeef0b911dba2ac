"""Reading the arguments of ``mir``."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import NoReturn

from client.mir.codes import Code, MirError
from client.mir.table import COMMANDS
from client.mir.telling import tell


def parse(arguments: Sequence[str] | None) -> Namespace:
    """Return the arguments of a command; raise MirError for one that is missing or has a wrong value.

    What no command knows is told, and the command runs without it: scripts may be of another release of YMIR.
    """
    given, unknown = parser().parse_known_args(arguments)
    if unknown:
        tell(f"unrecognized arguments: {' '.join(unknown)}")
    return given


def parser() -> ArgumentParser:
    """Return the parser of all commands."""
    whole = _Parser(prog="mir", description="Versioned datasets in a folder: import, merge, train, mine, and again.")
    whole.add_argument("-v", "--version", action="store_true", help="print the version")
    whole.add_argument("-d", "--debug", action="store_true", help="say more, and show where errors come from")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        one = commands.add_parser(command.name, help=command.help, aliases=list(command.aliases))
        one.add_argument("-r", "--root", metavar="DIR", help="the repository, an absolute path (the current folder)")
        one.add_argument("-d", "--debug", action="store_true", default=SUPPRESS, help=SUPPRESS)
        one.add_argument("--user-label-file", metavar="FILE", help="the label file (labels.csv)")
        for argument in command.arguments:
            one.add_argument(*argument.names, **argument.settings)
        one.set_defaults(run=command.run)
    return whole


class _Parser(ArgumentParser):
    """What argparse would print and exit with is an error of ours."""

    def error(self, message: str) -> NoReturn:
        quotes = " A list of revs with ; between them stands in quotes." if "required" in message else ""
        raise MirError(Code.INVALID_ARGS, f"invalid arg: {message}", step=f"See {self.prog} --help.{quotes}")
