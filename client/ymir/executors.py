"""``ymir executor``: register, list, show, remove and verify what trains, mines and infers."""

import json
import re
from argparse import ArgumentParser, Namespace
from typing import Any, Final

from client.api import at
from client.executor_folders import folder_named
from client.reach import reached
from client.ymir.ending import run, say
from client.ymir.reaching import add_common, changing, reading, target
from client.ymir.telling import tell, tell_all
from client.ymir.values import pair
from schemas.executors import Executor, Protocol, Runtime

_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9._-]+")

REFERENCE: Final = "the image, such as registry/detector:1, or a folder with img-man/ and start.sh"


def add_register(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir executor register``."""
    parser.add_argument("reference", metavar="IMAGE_OR_FOLDER", help=REFERENCE)
    parser.add_argument("--name", metavar="NAME", help="how tasks will name it; else made of the reference")
    parser.add_argument("--description", default="", help="what it is")
    protocols = [str(protocol) for protocol in Protocol]
    parser.add_argument("--protocol", choices=protocols, help="the layout that it is run by; else as its manifest asks")
    told = "what a run may use, such as seconds=3600 or memory_bytes=8e9; may be repeated"
    parser.add_argument("--limit", type=pair, action="append", default=[], metavar="KEY=VALUE", help=told)
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_register(given)))


def add_list(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir executor list``."""
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_show(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir executor show``."""
    parser.add_argument("name", metavar="NAME", help="the executor")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_show(given)))


def add_remove(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir executor remove``."""
    parser.add_argument("name", metavar="NAME", help="the executor")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_remove(given)))


async def _register(given: Namespace) -> int:
    folder = folder_named(given.reference)
    submission: dict[str, Any] = {
        "name": given.name or name_of(given.reference),
        "runtime": str(Runtime.DOCKER if folder is None else Runtime.PROCESS),
        "reference": given.reference if folder is None else str(folder),
        "description": given.description,
        "limits": {key: value for one in given.limit for key, value in one.items()},
    }
    if given.protocol:
        submission["protocol"] = given.protocol
    async with reached(target(given), executor_roots=() if folder is None else (folder,)) as found:
        executor = await found.client.post(Executor, at("executors"), submission)
    _tell(executor, given)
    return 0


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        found = [executor async for executor in client.items(Executor, at("executors"))]
    rows = [
        (one.name, ", ".join(one.templates), ", ".join(one.object_types), str(one.runtime), one.reference)
        for one in found
    ]
    tell_all(given, ("executor", "does", "object types", "runtime", "reference"), zip(found, rows, strict=True))
    return 0


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        executor = await client.get(Executor, at("executors", given.name))
    _tell(executor, given)
    return 0


async def _remove(given: Namespace) -> int:
    async with changing(given) as client:
        await client.delete(at("executors", given.name))
    say(f"{given.name} is not registered any more; what is made with it stays")
    return 0


def name_of(reference: str) -> str:
    """Return a name for an executor: that of the folder, or of the image without its registry, with its tag."""
    last = reference.rstrip("/").rpartition("/")[2].partition("@")[0]
    return _UNNAMEABLE.sub("-", last).strip("-._")[:100]


def _tell(executor: Executor, given: Namespace) -> None:
    if given.json:
        tell(executor.model_dump_json())
        return
    tell(f"{executor.name}: {executor.runtime} {executor.reference}")
    tell(f"digest: {executor.digest}")
    tell(f"object types: {', '.join(executor.object_types)}")
    tell(f"protocol: {executor.protocol or '1.1.0, and the paths of older ones'}")
    limits = executor.limits.model_dump(exclude_none=True, exclude_defaults=True)
    tell(f"limits: {', '.join(f'{key} {value}' for key, value in limits.items()) or 'those of the deployment'}")
    for heading, templates in (("", executor.templates), *executor.type_templates.items()):
        for purpose, values in templates.items():
            tell(f"{heading + ' ' if heading else ''}{purpose}:")
            for key, value in values.items():
                tell(f"  {key}: {json.dumps(value, ensure_ascii=False)}")
