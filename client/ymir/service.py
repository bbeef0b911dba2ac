"""``ymir serve`` and ``ymir admin``: the whole service on this machine, and work on its stores."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from client.loading import uncollected
from client.ymir.ending import run
from client.ymir.reaching import add_data
from client.ymir.telling import tell


def add_serve(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir serve``."""
    add_data(parser, "the folder that holds everything")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="the port to listen on; 0 for any that is free (8080)")
    parser.add_argument(
        "--import-root",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder from which imports by path may read; may be repeated",
    )
    told = "a folder under which executors may be registered, which can do whatever the service can; may be repeated"
    parser.add_argument("--executor-root", type=Path, action="append", default=[], metavar="DIR", help=told)
    parser.set_defaults(run=_serve)


def add_collect(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir admin gc``."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the data folder of `ymir serve`; without it, the stores that the YMIR_ settings of the environment name",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument(
        "--hidden-days",
        type=int,
        choices=range(10_000),
        default=30,
        metavar="DAYS",
        help="for how long what was removed over the API can be shown again (30)",
    )
    parser.add_argument("--json", action="store_true", help="say it as JSON")
    parser.set_defaults(run=_collect)


def add_back_up(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir admin backup``."""
    add_data(parser, "the data folder")
    parser.add_argument("to", type=Path, metavar="TO", help="a new folder, or that of an earlier back-up")
    parser.set_defaults(run=_back_up)


def _serve(given: Namespace) -> int:
    from client.addresses import Place

    with uncollected():
        from client.embedded import serve

    roots = {"import_roots": tuple(given.import_root), "executor_roots": tuple(given.executor_root)}
    place = Place(data=given.data, host=given.host, port=given.port, **roots)
    return _told(serve(place), lambda _: "")


def _collect(given: Namespace) -> int:
    from client.admin import collect_garbage
    from client.summaries import collected

    told = (lambda found: found.model_dump_json(indent=2)) if given.json else collected
    return _told(collect_garbage(given.data, hidden_days=given.hidden_days, dry_run=given.dry_run), told)


def _back_up(given: Namespace) -> int:
    from client.admin import back_up
    from client.summaries import backed_up

    return _told(back_up(given.data, given.to), lambda found: backed_up(found, given.to))


def _told(work: Coroutine[Any, Any, Any], told: Callable[[Any], str]) -> int:
    async def done() -> int:
        if text := told(await work):
            tell(text)
        return 0

    return run(done())
