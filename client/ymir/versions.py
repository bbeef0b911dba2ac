"""Commands about versions: their history, what they hold, what differs between two, and their tags."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from client.api import Client, at
from client.ymir.differing import lines_of
from client.ymir.ending import run
from client.ymir.reaching import add_common, changing, project_of, reading
from client.ymir.telling import counts_of, name_of, table, tell, tell_all
from schemas.counts import counted
from schemas.datasets import Tag, TagChange, Version
from schemas.diffs import AssetChanges, AssetDiff, ChangeKind, VersionDiff
from schemas.errors import Invalid
from schemas.refs import parse_ref
from schemas.statistics import LayerStatistics, VersionStatistics
from schemas.suggestions import Suggestions


def add_log(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir log``."""
    parser.add_argument("ref", metavar="REF", help="a version: name, name@tag or name@3")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="how many versions at most (100)")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_log(given)))


def add_show(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of ``ymir show`` and ``ymir stats``."""
    parser.add_argument("ref", metavar="REF", help="a version: name, name@tag or name@3")
    if command == "stats":
        parser.add_argument("--suggest", action="store_true", help="say what there is too little of to train on")
    add_common(parser)
    shown = _stats if command == "stats" else _show
    parser.set_defaults(run=lambda given: run(shown(given)))


def add_diff(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir diff``."""
    parser.add_argument("before", metavar="BEFORE", help="a version")
    parser.add_argument("after", metavar="AFTER", help="the version that it is compared with")
    parser.add_argument("--assets", action="store_true", help="list each asset that differs, with its annotations")
    told = "implies --assets: only changes of this layer; may be repeated"
    parser.add_argument("--layer", action="append", default=[], metavar="LAYER", help=told)
    kinds = [str(kind) for kind in ChangeKind]
    told = "implies --assets: only changes of this kind; may be repeated"
    parser.add_argument("--change", action="append", default=[], choices=kinds, metavar="|".join(kinds), help=told)
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_diff(given)))


def add_tag(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir tag``."""
    parser.add_argument("ref", metavar="REF", help="a version; with --remove, a dataset")
    parser.add_argument("tag", metavar="TAG", nargs="?", help="the tag; without it, the tags are listed")
    parser.add_argument("--remove", action="store_true", help="remove the tag; the version stays")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_tag(given)))


async def _log(given: Namespace) -> int:
    async with reading(given) as client:
        project = await project_of(client, given)
        newest = await client.version(project, given.ref)
        path = at("projects", project, "datasets", newest.dataset_name, "versions", newest.number, "history")
        found = list[Version]()
        async for version in client.items(Version, path):
            found.append(version)
            if len(found) >= given.limit:
                break
        tags = await _tags_of(client, project, {version.dataset_name for version in found})
    rows = [
        (
            name_of(version),
            f"{version.created_at:%Y-%m-%d %H:%M}",
            version.made_by,
            counted(version.counts.images, "image"),
            " ".join([*(f"[{tag}]" for tag in tags.get(version.id, ())), version.message, *version.keywords]),
        )
        for version in found
    ]
    tell_all(given, ("version", "made", "by", "images", "tags and message"), zip(found, rows, strict=True))
    return 0


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        project = await project_of(client, given)
        version = await client.version(project, given.ref)
        tags = await _tags_of(client, project, {version.dataset_name})
    if given.json:
        tell(version.model_dump_json())
        return 0
    tell(f"{name_of(version)}: {counts_of(version)}")
    told = {
        "tags": ", ".join(tags.get(version.id, ())),
        "message": version.message,
        "keywords": ", ".join(version.keywords),
        "made": f"{version.created_at:%Y-%m-%d %H:%M} UTC by {version.made_by}, task {version.task}",
        "digest": version.digest,
    }
    for name, value in told.items():
        if value:
            tell(f"  {name}: {value}")
    return 0


async def _stats(given: Namespace) -> int:
    async with reading(given) as client:
        project = await project_of(client, given)
        version = await client.version(project, given.ref)
        path = at("projects", project, "datasets", version.dataset_name, "versions", version.number)
        if given.suggest:
            return _tell_suggestions(await client.get(Suggestions, f"{path}/suggestions"), given)
        found = await client.get(VersionStatistics, f"{path}/stats")
    if given.json:
        tell(found.model_dump_json())
        return 0
    tell(f"{name_of(version)}: {counts_of(version)}")
    for name, layer in found.layers.items():
        tell(f"{name}: {layer.positive:,} positive, {layer.negative:,} negative, {layer.not_annotated:,} not annotated")
        table(("  class", "annotations", "images"), list(_class_rows(layer)))
    return 0


def _tell_suggestions(found: Suggestions, given: Namespace) -> int:
    if given.json:
        tell(found.model_dump_json())
    else:
        heads = ("too little", "of", "there are", "there should be")
        table(heads, [(str(one.lack), one.subject, f"{one.count:,}", f"{one.target:,}") for one in found.suggestions])
    return 0


async def _diff(given: Namespace) -> int:
    async with reading(given) as client:
        project = await project_of(client, given)
        before = await client.version(project, given.before)
        after = await client.version(project, given.after)
        path = at("projects", project, "datasets", after.dataset_name, "versions", after.number, "diff")
        if given.assets or given.layer or given.change:
            return await _differing(client, f"{path}/assets", name_of(before), given)
        found = await client.get(VersionDiff, path, against=name_of(before))
    if given.json:
        tell(found.model_dump_json())
        return 0
    for line in _changes(found):
        tell(line)
    return 0


async def _differing(client: Client, path: str, against: str, given: Namespace) -> int:
    query = {"against": against, "layer": given.layer, "change": given.change}
    async for diff in client.items(AssetDiff, path, **query):
        for line in [diff.model_dump_json()] if given.json else lines_of(diff):
            tell(line)
    return 0


async def _tag(given: Namespace) -> int:
    dataset = parse_ref(given.ref).dataset
    async with changing(given) as client:
        project = await project_of(client, given)
        path = at("projects", project, "datasets", dataset, "tags")
        if given.tag is None:
            return await _tell_tags(client, path, given)
        if given.remove:
            await client.delete(f"{path}/{at(given.tag).rpartition('/')[2]}")
            return 0
        version = await client.version(project, given.ref)
        change = TagChange(version=version.number)
        tag = await client.put(Tag, at("projects", project, "datasets", dataset, "tags", given.tag), change)
    tell(tag.model_dump_json() if given.json else f"{dataset}@{tag.name} is {name_of(version)}")
    return 0


async def _tell_tags(client: Client, path: str, given: Namespace) -> int:
    if given.remove:
        raise Invalid("Which tag is to be removed?", step="Name it after the dataset.")
    found = [tag async for tag in client.items(Tag, path)]
    tell_all(given, ("tag",), [(tag, (tag.name,)) for tag in found])
    return 0


async def _tags_of(client: Client, project: str, datasets: set[str]) -> dict[str, list[str]]:
    """Return the tags of the versions of some datasets, under the ids of the versions."""
    tags: dict[str, list[str]] = {}
    for dataset in sorted(datasets):
        async for tag in client.items(Tag, at("projects", project, "datasets", dataset, "tags")):
            tags.setdefault(tag.version, []).append(tag.name)
    return tags


def _class_rows(layer: LayerStatistics) -> Iterator[tuple[str, str, str]]:
    for found in sorted(layer.classes, key=lambda found: -found.annotations):
        yield f"  {found.class_name}", f"{found.annotations:,}", f"{found.assets:,}"


def _changes(diff: VersionDiff) -> Iterator[str]:
    yield from _images("+", "", diff.added)
    yield from _images("-", "", diff.removed)
    for move, count in diff.moves.items():
        before, _, after = move.partition("->")
        yield f"~ {counted(count, 'image')} from {before} to {after}"
    for name, layer in diff.layers.items():
        yield from _images("+", f" annotated in {name}", layer.annotated)
        yield from _images("-", f" annotated in {name}", layer.unannotated)
        yield from _images("~", f" with other annotations in {name}", layer.changed)


def _images(sign: str, what: str, changes: AssetChanges) -> Iterator[str]:
    if changes.count:
        yield f"{sign} {counted(changes.count, 'image')}{what}"
