"""Dispatching: every event of the log becomes a task for each webhook that wants it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from schemas.events import LoggedEvent
from schemas.service_parameters import DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import Webhook
from storage.paging import every
from storage.ports import Bus, Clock, Database

RING_TOGETHER: Final = 64


class Dispatcher:
    """Makes deliveries; one that is there already is the same delivery."""

    def __init__(self, *, database: Database, bus: Bus, clock: Clock) -> None:
        self._webhooks = database.documents(Webhook)
        self._tasks = database.documents(Task)
        self._bus = bus
        self._now = clock

    async def dispatch(self, events: Sequence[LoggedEvent]) -> None:
        """Keep a delivery for each webhook that wants an event, and ring for it. Raises Unavailable."""
        webhooks = [webhook async for webhook in every(self._webhooks)]
        deliveries = [
            self._delivery(webhook, logged) for logged in events for webhook in webhooks if webhook.wants(logged)
        ]
        conflicts = await self._tasks.add_many(deliveries) if deliveries else []
        new = [delivery for delivery, conflict in zip(deliveries, conflicts, strict=True) if conflict is None]
        for start in range(0, len(new), RING_TOGETHER):
            # A broker confirms what comes together at once.
            await asyncio.gather(*(self._bus.ring(one.doorbell()) for one in new[start : start + RING_TOGETHER]))

    def _delivery(self, webhook: Webhook, logged: LoggedEvent) -> Task:
        parameters = DeliverParameters(webhook=webhook.id, event=logged.event, position=logged.position)
        return webhook.delivered_by(parameters, task=parameters.delivery(), at=self._now())
