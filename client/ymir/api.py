"""``ymir api``: any call of the API, with the address and key that the other commands use."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from client.api import Client
from client.ymir.ending import run
from client.ymir.given_json import object_of
from client.ymir.progress import bytes_shown, displayed
from client.ymir.reaching import add_common, changing, reading
from client.ymir.telling import tell
from schemas.errors import Invalid
from schemas.schema import new_id

METHODS: Final = ("get", "post", "put", "patch", "delete")


def add_api(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir api``."""
    parser.add_argument("method", type=str.lower, choices=METHODS, metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("path", metavar="PATH", help="such as /v1/executors; /docs of a service lists all")
    parser.add_argument("body", metavar="JSON", nargs="?", help="the body; - reads it from standard input")
    parser.add_argument("--to", type=Path, metavar="FILE", help="where the answer goes, such as the package of a model")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_call(given)))


async def _call(given: Namespace) -> int:
    if not given.path.startswith("/"):
        raise Invalid(f"{given.path!r} is no path of the API.", step="Begin with /v1/.")
    body = None if given.body is None else object_of(given.body)
    async with (reading if given.method == "get" else changing)(given) as client:
        if given.to is not None:
            return await _saved(client, given)
        answer = await client.calls.answer(given.method.upper(), given.path, json=body, headers=_headers(given.method))
    if answer:
        tell(answer.decode(errors="replace"))
    return 0


async def _saved(client: Client, given: Namespace) -> int:
    with displayed() as display:
        await client.save(given.path, given.to, seen=partial(bytes_shown, display, given.to.name))
    tell(str(given.to))
    return 0


def _headers(method: str) -> Mapping[str, Any]:
    return {"Idempotency-Key": f'"{new_id()}"'} if method == "post" else {}
