"""Following the event log: acting on every event once, in its order, whichever worker is the first to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

from schemas.errors import Conflict, Invalid, Unavailable
from schemas.events import LoggedEvent
from schemas.following import Bookmark
from storage.contested import added
from storage.event_log import EventLog
from storage.ports import Database
from storage.signs import Signs, comes

Act = Callable[[Sequence[LoggedEvent]], Awaitable[None]]
"""Acts on some events of the log; what it does twice has to be as if it were done once."""

TOGETHER: Final = 200
# An event on the bus is a sign to look at the log; looked at it is all the same, should the bus lose it.
LOOK_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Follower:
    """Acts on the events of the log; all workers follow it, and the first to have acted moves the bookmark on."""

    def __init__(self, name: str, act: Act, *, database: Database, event_log: EventLog, signs: Signs) -> None:
        self._name = name
        self._act = act
        self._bookmarks = database.documents(Bookmark)
        self._event_log = event_log
        self._signs = signs

    async def run(self) -> None:
        """Follow until cancelled; an outage delays, and loses nothing."""
        while True:
            sign = self._signs.sign()
            try:
                while await self.follow():
                    pass
            except (Invalid, Unavailable) as error:
                log.warning("events wait to be acted on", follower=self._name, error=error.detail)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:
                log.exception("events could not be acted on", follower=self._name)
                await asyncio.sleep(AGAIN_SECONDS)
            await comes(sign, within=LOOK_SECONDS)

    async def follow(self) -> bool:
        """Act on what comes next; return whether there may be more. Raises Unavailable."""
        bookmark = await self._bookmark()
        page = await self._event_log.after(bookmark.position, limit=TOGETHER)
        if not page.items:
            return False
        # The log has no gap but the one at its beginning.
        if forgotten := page.items[0].position - bookmark.position - 1:
            log.warning("events were forgotten before they were acted on", follower=self._name, count=forgotten)
        await self._act(page.items)
        with suppress(Conflict):  # another worker was faster
            await self._bookmarks.replace(bookmark.successor(position=page.items[-1].position), was=bookmark)
        return page.next is not None

    async def _bookmark(self) -> Bookmark:
        """Return the bookmark; the first time, one at the end of the log: what happened before is nobody's."""
        if found := await self._bookmarks.get_many([self._name]):
            return found[0]
        first = Bookmark(id=self._name, position=await self._event_log.last())
        return await added(first, self._bookmarks)
