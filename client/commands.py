"""The command ``ymir``."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0, or 1 after saying what is wrong and what to do."""
    given = _parser().parse_args(arguments)
    status: int = given.run(given)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ymir", description="Versioned image datasets, and the loop that trains.")
    parser.add_argument("--version", action="version", version=f"ymir {version('ymir')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the whole service on this machine"))
    admin = commands.add_parser("admin", help="work on the stores themselves: gc, backup")
    tasks = admin.add_subparsers(required=True, metavar="COMMAND")
    _add_collect(tasks.add_parser("gc", help="remove for good what was hidden long ago, and blobs that nothing names"))
    _add_back_up(tasks.add_parser("backup", help="copy a data folder, also while it is served"))
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
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


def _add_collect(collect: argparse.ArgumentParser) -> None:
    collect.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the data folder of `ymir serve`; without it, the stores that the YMIR_ settings of the environment name",
    )
    collect.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    collect.add_argument(
        "--hidden-days",
        type=int,
        choices=range(10_000),
        default=30,
        metavar="DAYS",
        help="for how long what was removed over the API can be shown again (30)",
    )
    collect.add_argument("--json", action="store_true", help="say it as JSON")
    collect.set_defaults(run=_collect)


def _add_back_up(back_up: argparse.ArgumentParser) -> None:
    back_up.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="the data folder (data)")
    back_up.add_argument("to", type=Path, metavar="TO", help="a new folder, or that of an earlier back-up")
    back_up.set_defaults(run=_back_up)


def _serve(given: argparse.Namespace) -> int:
    from client.addresses import Place
    from client.embedded import serve

    place = Place(data=given.data, host=given.host, port=given.port, import_roots=tuple(given.import_root))
    return _run(serve(place), lambda _: None)


def _collect(given: argparse.Namespace) -> int:
    from client.admin import collect_garbage
    from client.summaries import collected

    told = (lambda found: found.model_dump_json(indent=2)) if given.json else collected
    work = collect_garbage(given.data, hidden_days=given.hidden_days, dry_run=given.dry_run)
    return _run(work, lambda found: print(told(found)))


def _back_up(given: argparse.Namespace) -> int:
    from client.admin import back_up
    from client.summaries import backed_up

    return _run(back_up(given.data, given.to), lambda found: print(backed_up(found, given.to)))


def _run(work: Coroutine[Any, Any, Any], tell: Callable[[Any], None]) -> int:
    from schemas.errors import YmirError

    try:
        tell(asyncio.run(work))
    except YmirError as error:
        print(error.detail, error.step, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
