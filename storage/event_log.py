"""The event log: every event once, at the next position, so that nothing appears behind a reader's cursor."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from random import Random
from typing import Final, NamedTuple

from schemas.events import CloudEvent, EventType, Fact, LoggedEvent
from schemas.pages import Page
from schemas.schema import Id
from storage.ports import Database, Query, Scalar

# Processes that append at the same time each wait a while, by chance, before they look for the end again; what
# their callers bring meanwhile goes with it.
FIRST_PAUSE_SECONDS: Final = 0.005
MOST_PAUSE_SECONDS: Final = 0.1

_random = Random()  # noqa: S311 - who goes first is no secret


class _Entry(NamedTuple):
    event: CloudEvent
    project: Id


class _Append:
    """One call of ``append``: its entries and, once they are in the log, which of them were new."""

    def __init__(self, entries: list[_Entry]) -> None:
        self.entries = entries
        self.appended: list[CloudEvent] | None = None


class EventLog:
    """The log of a deployment, as one process appends to it and reads it."""

    def __init__(self, database: Database, source: str) -> None:
        """``source`` is the deployment's name as the origin of its events."""
        self.source = source
        self._log = database.documents(LoggedEvent)
        self._lock = asyncio.Lock()
        self._waiting: list[_Append] = []
        self._last: int | None = None

    async def append(self, facts: Sequence[tuple[Fact, Id]]) -> list[CloudEvent]:
        """Append facts, each with its project, and return those events that were not in the log before.

        A fact may be appended any number of times, by any process: it is announced once. What several
        callers append while the log is busy goes into it together.
        """
        call = _Append([_Entry(fact.announced_by(self.source), project) for fact, project in facts])
        self._waiting.append(call)
        try:
            async with self._lock:
                if call.appended is None:
                    await self._append_all()
        finally:
            self._waiting.remove(call)
        return call.appended or []

    async def after(
        self,
        position: int,
        *,
        types: Collection[EventType] = (),
        projects: Collection[Id] | None = None,
        limit: int = 100,
    ) -> Page[LoggedEvent]:
        """Return events after a position, in order; of some types, if any are named; of some projects, unless None.

        The cursor of the next page is a position as text.
        """
        equal: dict[str, Scalar | Sequence[Scalar]] = {}
        if types:
            equal["event.type"] = list(types)
        if projects is not None:
            equal["project"] = list(projects)
        query = Query(equal=equal, at_least={"position": position + 1})
        page = await self._log.list(query, order="position", limit=limit)
        return Page(items=page.items, next=str(page.items[-1].position) if page.next else None)

    async def newest(self, *, projects: Collection[Id] | None = None) -> Page[LoggedEvent]:
        """Return a page of the last event alone; of some projects, unless None."""
        query = Query(equal={} if projects is None else {"project": list(projects)})
        page = await self._log.list(query, order="-position", limit=1)
        return Page(items=page.items)

    async def oldest(self) -> int | None:
        """Return the first position that is still kept, None of an empty log."""
        return await self._position("position")

    async def last(self) -> int:
        """Return the last position, 0 of an empty log."""
        return await self._position("-position") or 0

    async def trim(self, before: datetime) -> int:
        """Remove the events that happened before an instant, up to the first that did not; return how many.

        The last event always stays: the next position follows from it.
        """
        last, removed = await self.last(), 0
        while True:
            page = await self._log.list(Query(below={"position": last}), order="position")
            for logged in page.items:
                if logged.event.time >= before:
                    return removed
                # One by one: however this ends, what is left has no gap.
                await self._log.remove(logged.id)
                removed += 1
            if page.next is None:
                return removed

    async def _append_all(self) -> None:
        calls, pause = list(self._waiting), FIRST_PAUSE_SECONDS
        done: set[str] = set()
        new: set[str] = set()
        while remaining := _entries_of(calls, but=done):
            count = await self._append_some(remaining, new)
            done.update(entry.event.id for entry in remaining[:count])
            if self._last is None:
                await asyncio.sleep(_random.uniform(0, pause))
                calls, pause = list(self._waiting), min(2 * pause, MOST_PAUSE_SECONDS)
        for call in calls:
            call.appended = [event for event, _ in call.entries if event.id in new]
            new.difference_update(event.id for event in call.appended)

    async def _append_some(self, entries: Sequence[_Entry], new: set[str]) -> int:
        """Append entries up to the first conflict, and return how many of them need not be tried again."""
        first = (await self.last() if self._last is None else self._last) + 1
        logged = [LoggedEvent.at(position, *entry) for position, entry in enumerate(entries, first)]
        self._last = None
        answers = await self._log.add_many(logged, until_conflict=True)
        conflict = answers[-1]
        kept = len(answers) - (conflict is not None)
        new.update(event.id for event, _ in entries[:kept])
        if conflict is not None and conflict.key == "id":
            # Another process took the position: the last one is read again.
            return kept
        self._last = first + kept - 1
        return kept + (conflict is not None)

    async def _position(self, order: str) -> int | None:
        page = await self._log.list(order=order, limit=1)
        return page.items[0].position if page.items else None


def _entries_of(calls: Sequence[_Append], *, but: Collection[str]) -> list[_Entry]:
    entries = {entry.event.id: entry for call in calls for entry in call.entries}
    return [entry for identity, entry in entries.items() if identity not in but]
