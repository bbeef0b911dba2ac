"""Ancestry: the versions that a version was made of, and theirs."""

from typing import Final

from gateway.views import History
from schemas.datasets import Version
from schemas.schema import Id
from storage.ports import Documents

# Versions never change their parents, so a page can be found again by walking there anew.
WALKED_AT_MOST: Final = 10_000


async def ancestors_of(version: Version, versions: Documents[Version], *, start: int, limit: int) -> History:
    """Return a page of a version and its ancestors by distance, the newest first within one.

    It ends after 10,000 versions, and says so.
    """
    found: list[Version] = [version]
    seen: set[Id] = {version.id}
    generation = [version]
    while generation and len(found) <= min(start + limit, WALKED_AT_MOST):
        parents = [parent for child in generation for parent in child.parents if parent not in seen]
        seen.update(parents)
        generation = await versions.get_many(list(dict.fromkeys(parents))) if parents else []
        generation.sort(key=lambda parent: (parent.created_at, parent.id), reverse=True)
        found += generation
    is_cut = len(found) > WALKED_AT_MOST
    found = found[:WALKED_AT_MOST]
    stop = start + limit
    following = str(stop) if stop < len(found) else None
    return History(items=tuple(found[start:stop]), next=following, is_cut=is_cut and following is None)
