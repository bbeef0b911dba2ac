"""``mir log``: what was done on a branch, the newest first."""

from argparse import Namespace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

from client.calls import Refused
from client.mir.repository import Entry, open_repository
from client.mir.revs import MASTER, Rev, parse_rev, tid_of
from client.mir.session import Session, looking
from client.mir.telling import show
from schemas.datasets import Dataset, Tag, Version


class _Line(NamedTuple):
    at: datetime
    identity: str
    rev: str
    told: tuple[str, ...]


async def log(given: Namespace) -> None:
    """Print each state of a branch and of those that it was made of, and the commands on it that made none."""
    repository = open_repository(given.root)
    rev = repository.meant(parse_rev(given.src_revs))
    lines = [_of_entry(entry) for entry in repository.history() if _is_alone(entry, rev)]
    if rev.branch != MASTER:
        async with looking(repository) as session:
            version = await session.version(rev)
            lines += [] if version is None else await _versions(session, version)
    for line in sorted(lines, key=lambda line: line.at, reverse=True):
        for text in _texts(line, oneline=given.oneline or given.dog):
            show(text)


def _is_alone(entry: Entry, rev: Rev) -> bool:
    """Return whether a command on a branch left no version of its own."""
    made = not entry.code and entry.type not in {"train", "import_model", "evaluate", "init", "branch"}
    return entry.branch == rev.branch and not made


def _of_entry(entry: Entry) -> _Line:
    told = [entry.type, entry.message] if not entry.code else [f"{entry.type} failed: {entry.code}", entry.message]
    name = str(Rev(entry.branch, entry.tid or None))
    texts = tuple(text for part in told if part for text in part.splitlines())
    return _Line(datetime.fromtimestamp(entry.at, UTC), entry.task or "-" * 12, name, texts)


async def _versions(session: Session, version: Version) -> list[_Line]:
    path = f"{session.path}/datasets/{version.dataset_name}/versions/{version.number}/history"
    versions = [one async for one in session.client.items(Version, path)]
    tags: dict[str, list[str]] = {}
    for dataset in {one.dataset_name for one in versions}:
        for tag in await _tags(session, dataset):
            tags.setdefault(tag.version, []).append(tid_of(tag.name))
    return [_of_version(one, tags.get(one.id, [])) for one in versions]


async def _tags(session: Session, dataset: str) -> list[Tag]:
    try:
        await session.client.get(Dataset, f"{session.path}/datasets/{dataset}")
        return [tag async for tag in session.client.items(Tag, f"{session.path}/datasets/{dataset}/tags")]
    except Refused as error:
        if error.problem.status != HTTPStatus.NOT_FOUND:
            raise
        return []  # a branch that was removed since


def _of_version(version: Version, tids: list[str]) -> _Line:
    names = [f"{version.dataset_name}@{tid}" for tid in tids] or [f"{version.dataset_name}@{version.number}"]
    told = (version.message or version.made_by, f"{version.counts.images} assets")
    return _Line(version.created_at, version.id, ", ".join(names), told)


def _texts(line: _Line, *, oneline: bool) -> list[str]:
    if oneline:
        return [f"{line.identity[:12]} ({line.rev}) {', '.join(line.told)}"]
    date = line.at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    return [f"commit {line.identity} ({line.rev})", f"Date:   {date}", "", *(f"    {text}" for text in line.told), ""]
