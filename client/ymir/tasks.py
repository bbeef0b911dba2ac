"""Commands that ask for a task: one for each type, its options made of the parameters."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from client.reach import reached
from client.ymir.ending import run
from client.ymir.options import add_options, by_pointer, parameters_named, parameters_of
from client.ymir.reaching import add_common, project_of, target
from client.ymir.sending import asked, local_path
from client.ymir.waiting import followed
from schemas.refs import parse_ref

POSITIONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "merge": ("sources",),
    "fuse": ("sources",),
    "exclude": ("source", "exclude"),
    "relabel": ("source", "classes"),
    "copy": ("project", "ref"),
    "replay": ("version", "onto"),
    "train": ("training",),
    "import_model": ("source", "model"),
    "pull_executor": ("reference", "name"),
}
"""The fields that are given without an option; of other types it is the source."""


def add(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of the command for a type of task."""
    type_name = command.replace("-", "_")
    kind = parameters_named(type_name)
    default = ("source",) if "source" in kind.model_fields else ()
    parser.description = kind.__doc__
    implied = ("dataset",) if type_name == "revert" else ()
    add_options(parser, kind, positional=POSITIONAL.get(type_name, default), without=implied)
    parser.set_defaults(options=by_pointer(parser))
    add_waiting(parser)
    if type_name in {"import", "import_model"}:
        parser.add_argument("--on-server", action="store_true", help="SOURCE is a path on the machine of the service")
    if type_name == "export":
        parser.add_argument("--to", type=Path, metavar="FILE", help="fetch the archive into a file")
    add_common(parser)
    parser.set_defaults(run=partial(_run, type_name))


def add_waiting(parser: ArgumentParser) -> None:
    """Add the option not to wait for the end of a task."""
    parser.add_argument("--no-wait", action="store_true", help="only ask for the task, and say its id")


async def done(parameters: dict[str, Any], given: Namespace) -> int:
    """Ask for a task, and follow it; return the exit status."""
    where, path = target(given), local_path(parameters, given)
    async with reached(where, import_roots=() if path is None else (path,)) as found:
        project = await project_of(found.client, given)
        task = await asked(found, project, parameters, path, where)
        return await followed(found, task, given)


def _run(type_name: str, given: Namespace) -> int:
    parameters = {"type": type_name, **parameters_of(given)}
    if type_name == "revert":
        parameters["dataset"] = parse_ref(parameters["source"]).dataset
    return run(done(parameters, given), options=given.options)
