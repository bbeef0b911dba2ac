"""What the options that all commands share mean: the service or folder, and the project."""

import difflib
import os
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

from client.api import Client, at
from client.calls import Refused
from client.data_folder import DOCUMENTS
from client.reach import Target, reached, readable, target_of
from schemas.errors import Invalid
from schemas.projects import Project

PROJECT: Final = "YMIR_PROJECT"
NAMES_SHOWN: Final = 20


def add_common(parser: ArgumentParser, *, project: bool = True) -> None:
    """Add the options that every command has, and that of the project."""
    if project:
        parser.add_argument(
            "-p", "--project", default=os.environ.get(PROJECT), metavar="NAME", help=f"the project; else {PROJECT}"
        )
    add_data(parser, "the data folder, where YMIR_URL names no service")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, one document a line")


def add_data(parser: ArgumentParser, told: str) -> None:
    """Add the option that names the data folder."""
    data = Path(os.environ.get("YMIR_DATA") or "data")
    help_text = f"{told}; else YMIR_DATA ({data})".replace("%", "%%")
    parser.add_argument("--data", type=Path, default=data, metavar="DIR", help=help_text)


def target(given: Namespace) -> Target:
    """Return what a command works on."""
    return target_of(given.data)


@asynccontextmanager
async def reading(given: Namespace) -> AsyncIterator[Client]:
    """Open a client for what needs no worker, and so waits for no other command."""
    async with readable(target(given)) as client:
        yield client


@asynccontextmanager
async def changing(given: Namespace) -> AsyncIterator[Client]:
    """Open a client for changes that no task makes; a data folder is made where there is none."""
    where = target(given)
    if where.url is not None or (where.data / DOCUMENTS).exists():
        async with readable(where) as client:
            yield client
    else:
        async with reached(where) as (client, _):
            yield client


async def project_of(client: Client, given: Namespace) -> str:
    """Return the name of the project that is meant; raise Invalid, naming those there are, if it does not exist."""
    name: str | None = given.project
    if not name:
        step = f"Name it with --project, or in {PROJECT}. {await _known(client)}"
        raise Invalid("Which project is meant?", step=step)
    try:
        await client.get(Project, at("projects", name))
    except Refused as refused:
        if refused.problem.status != HTTPStatus.NOT_FOUND:
            raise
        raise Invalid(f"There is no project {name!r}.", step=await _known(client, near=name)) from refused
    return name


async def _known(client: Client, *, near: str = "") -> str:
    names = [project.name async for project in client.items(Project, at("projects"))]
    make = "`ymir projects --add NAME` makes one."
    if not names:
        return f"There is none yet: {make}"
    if found := difflib.get_close_matches(near, names, n=1):
        return f"Is {found[0]!r} meant?"
    shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    return f"There are: {shown}. {make}"
