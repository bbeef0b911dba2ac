"""Two writes that others may be at as well: of what may be there already, and of what may be another by now."""

from collections.abc import Awaitable, Callable
from typing import Final, Generic, NamedTuple

from schemas.errors import Conflict
from storage.ports import D, Documents

ATTEMPTS: Final = 100


class Changed(NamedTuple, Generic[D]):
    """A document before and after a change; the same if there was nothing to change."""

    was: D
    now: D


async def added(document: D, documents: Documents[D]) -> D:
    """Add a document and return it, or the one of its id that was there before.

    Raises Conflict if a document of another id has what must be unique.
    """
    while True:
        try:
            await documents.add(document)
        except Conflict as conflict:
            if known := await documents.get_many([document.id]):
                return known[0]
            if conflict.key != "id":
                raise
            continue  # it was removed just now
        return document


async def changed(documents: Documents[D], read: Callable[[], Awaitable[D]], change: Callable[[D], D]) -> Changed[D]:
    """Keep what a change makes of a document; if others change it meanwhile, of what they made of it.

    Raises what ``read`` and ``change`` raise, and Conflict: if a unique key is taken, or others do not stop.
    """
    for _ in range(ATTEMPTS):
        was = await read()
        now = change(was)
        if now == was:
            return Changed(was, was)
        try:
            await documents.replace(now, was=was)
        except Conflict as conflict:
            if conflict.key != "generation":
                raise
            continue
        return Changed(was, now)
    raise Conflict(type(was).KIND, was.id, key="generation", step="Try again.")
