"""Ancestry: the versions that a version was made of, and theirs."""

from typing import Final

from gateway.views import History
from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.schema import Id
from storage.ports import Documents

# Versions never change their parents, so a page can be found again by walking there anew.
WALKED_AT_MOST: Final = 10_000


async def ancestors_of(version: Version, versions: Documents[Version], *, limit: int, cursor: str | None) -> History:
    """Return a page of a version and its ancestors by distance, the newest first within one; raise Invalid.

    It ends after 10,000 versions, and says so.
    """
    start = _position(cursor)
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


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(WALKED_AT_MOST))):
        raise Invalid("The cursor is not one of this list.", step="Follow `next` of the page before.")
    return int(cursor)
