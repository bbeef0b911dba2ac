"""Asking the service what a state of a branch holds."""

from client.mir.repository import Repository
from client.mir.revs import Rev, tag_of
from client.mir.session import Session, looking
from client.mir.states import State, keep_state, state_of
from schemas.datasets import Tag, Version
from schemas.projects import ClassList
from schemas.statistics import VersionStatistics


async def looked_state(repository: Repository, rev: Rev) -> State | None:
    """Return what a rev holds, None if it is empty; raise MirError if there is no such."""
    async with looking(repository) as session:
        version = await session.version(rev)
        return None if version is None else await counted_state(session, version, tid=rev.tid)


async def counted_state(session: Session, version: Version, *, tid: str | None) -> State:
    """Return what a version holds, counted if need be, and keep that for the next time."""
    path = f"{session.path}/datasets/{version.dataset_name}"
    statistics = await session.client.get(VersionStatistics, f"{path}/versions/{version.number}/stats")
    classes = await session.client.get(ClassList, f"{session.path}/classes")
    tag = await _tag(session, version, tid=tid)
    state = state_of(version, statistics, classes, tid=tag)
    keep_state(session.repository, version.id, state)
    return state


async def _tag(session: Session, version: Version, *, tid: str | None) -> str | None:
    """Return the tag under which a version is asked for, else one that it has."""
    path = f"{session.path}/datasets/{version.dataset_name}/tags"
    names = [tag.name async for tag in session.client.items(Tag, path) if tag.version == version.id]
    if tid is not None and tag_of(tid) in names:
        return tag_of(tid)
    return names[0] if names else None
