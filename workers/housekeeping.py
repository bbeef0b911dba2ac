"""Housekeeping: forgets what is only kept for a while."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import structlog

from schemas.errors import Invalid, Unavailable
from schemas.hosts import Host
from schemas.letters import DeadLetter
from schemas.live_logs import LiveLog
from schemas.requests import RememberedRequest
from schemas.rules import RuleRun
from schemas.schema import Document, Id, to_text
from schemas.service_parameters import OF_THE_SERVICE
from schemas.task_states import FINAL
from schemas.tasks import Task
from schemas.uploads import PartialUpload, Upload, UploadPart
from storage.collection.unfinished import unfinished
from storage.event_log import EventLog
from storage.paging import every
from storage.ports import Clock, Database, Query, Scalar
from workers.settings import WorkerSettings

PAUSE_SECONDS: Final = 3600.0
NOTHING: Final[Mapping[str, Scalar | Sequence[Scalar]]] = MappingProxyType({})
# What the service asked of itself and is done with.
DELIVERED: Final = MappingProxyType({"project": OF_THE_SERVICE, "state": tuple(FINAL)})
# A machine that has started anew is another by then; one that lives says so every hour.
HOST_DAYS: Final = 2

log = structlog.get_logger(__name__)


class Housekeeping:
    """Removes old events, remembered requests, uploads, dead letters and machines that are gone, once an hour."""

    def __init__(self, *, database: Database, event_log: EventLog, clock: Clock, settings: WorkerSettings) -> None:
        self._database = database
        self._event_log = event_log
        self._now = clock
        self._settings = settings

    async def run(self) -> None:
        """Keep house until cancelled."""
        while True:
            try:
                await self.tidy()
            except (Invalid, Unavailable) as error:
                log.warning("housekeeping waits for the store", error=error.detail, step=error.step)
            except Exception:
                log.exception("housekeeping failed")
            await asyncio.sleep(PAUSE_SECONDS)

    async def tidy(self) -> None:
        """Remove everything that is too old by now. Raises Unavailable."""
        now, settings = self._now(), self._settings
        await self._event_log.trim(now - timedelta(days=settings.event_days))
        await self._forget(RememberedRequest, before=now - timedelta(hours=settings.request_hours))
        await self._forget(Task, DELIVERED, before=now - timedelta(days=settings.event_days))
        await self._forget(RuleRun, before=now - timedelta(days=settings.event_days), since="at")
        in_use = (await unfinished(self._database.documents(Task))).ids
        await self._forget(Upload, before=now - timedelta(days=settings.upload_days), but=in_use)
        await self._forget(LiveLog, before=now - timedelta(hours=1), but=in_use, since="written_at")
        await self._forget(PartialUpload, before=now, since="expires_at")
        await self._forget(UploadPart, before=now, since="expires_at")
        await self._forget(Host, before=now - timedelta(days=HOST_DAYS), since="seen_at")
        await self._forget(DeadLetter, before=now - timedelta(days=settings.letter_days), since="came_at")

    async def _forget(
        self,
        kind: type[Document],
        equal: Mapping[str, Scalar | Sequence[Scalar]] = NOTHING,
        *,
        before: datetime,
        since: str = "created_at",
        but: frozenset[Id] = frozenset(),
    ) -> None:
        documents = self._database.documents(kind)
        async for document in every(documents, Query(equal=equal, below={since: to_text(before)})):
            if document.id not in but:
                await documents.remove(document.id)
