"""Commands to find versions again, and to say what they are found by."""

from argparse import ArgumentParser, Namespace
from typing import Any

from client.api import at
from client.ymir.ending import run
from client.ymir.reaching import add_common, changing, project_of, reading
from client.ymir.telling import name_of, tell, tell_all
from client.ymir.values import listed
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Invalid


def add_search(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir search``."""
    told = {
        "keyword": "a part of one of its keywords",
        "tag": "how a tag of it begins",
        "class": "a class that is in it; aliases are taken for their class",
        "name": "how the name of its dataset begins",
    }
    for name, what in told.items():
        several: dict[str, Any] = {} if name == "name" else {"action": "append", "default": []}
        parser.add_argument(f"--{name}", dest=f"by_{name}", metavar=name.upper(), help=what, **several)
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="how many, the newest first (100)")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_search(given)))


def add_describe(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir describe``."""
    parser.add_argument("ref", metavar="REF", help="a version: name, name@tag or name@3")
    parser.add_argument("--message", help="what was done and why")
    parser.add_argument("--keywords", type=listed(str), metavar="KEYWORDS", help="instead of those it has, with commas")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_describe(given)))


async def _search(given: Namespace) -> int:
    words = {name: getattr(given, f"by_{name}") for name in ("keyword", "tag", "class", "name")}
    query = {name: value for name, value in words.items() if value}
    found = list[Version]()
    async with reading(given) as client:
        project = await project_of(client, given)
        async for version in client.items(Version, at("projects", project, "versions"), **query):
            found.append(version)
            if len(found) >= given.limit:
                break
    rows = [
        (name_of(one), f"{one.created_at:%Y-%m-%d %H:%M}", counted(one.counts.images, "image"), ", ".join(one.keywords))
        for one in found
    ]
    tell_all(given, ("version", "made", "images", "keywords"), zip(found, rows, strict=True))
    return 0


async def _describe(given: Namespace) -> int:
    words = {"message": given.message, "keywords": given.keywords}
    change = {name: value for name, value in words.items() if value is not None}
    if not change:
        raise Invalid("What is to be said of the version?", step="Give --message or --keywords.")
    async with changing(given) as client:
        project = await project_of(client, given)
        version = await client.version(project, given.ref)
        path = at("projects", project, "datasets", version.dataset_name, "versions", version.number)
        version = await client.patch(Version, path, change)
    tell(
        version.model_dump_json()
        if given.json
        else f"{name_of(version)}: {', '.join(filter(None, (version.message, *version.keywords)))}"
    )
    return 0
