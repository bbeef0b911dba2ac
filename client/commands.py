"""The command ``ymir``."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, or 1 after saying what is wrong and what to do."""
    given = _parser().parse_args(arguments)
    status: int = given.run(given)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ymir", description="Versioned image datasets, and the loop that trains.")
    parser.add_argument("--version", action="version", version=f"ymir {version('ymir')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the whole service on this machine")
    serve.add_argument("--data", type=Path, default=Path("data"), help="the folder that holds everything (data)")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8080, help="the port to listen on; 0 for any that is free (8080)")
    serve.add_argument(
        "--import-root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder from which imports by path may read; may be repeated",
    )
    serve.set_defaults(run=_serve)
    return parser


def _serve(given: argparse.Namespace) -> int:
    from client.addresses import Place
    from client.embedded import serve
    from schemas.errors import YmirError

    place = Place(data=given.data, host=given.host, port=given.port, import_roots=tuple(given.import_root))
    try:
        asyncio.run(serve(place))
    except YmirError as error:
        print(error.detail, error.step, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
