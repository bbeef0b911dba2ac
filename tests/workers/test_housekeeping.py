"""What is only kept for a while is forgotten."""

from datetime import datetime, timedelta
from pathlib import Path

from schemas.blobs import BlobRef
from schemas.events import EventType, Fact, LoggedEvent
from schemas.requests import RememberedRequest
from schemas.schema import digest_of, new_id
from schemas.uploads import Upload
from storage.event_log import EventLog
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT
from workers.housekeeping import Housekeeping
from workers.settings import WorkerSettings


async def test_old_events_requests_and_uploads_go_and_the_others_stay(tmp_path: Path) -> None:
    settings = WorkerSettings()
    old = NOON - timedelta(days=settings.event_days, seconds=1)
    async with open_database(tmp_path / "ymir.db") as database:
        event_log = EventLog(database, "test")
        for at in (old, NOON, NOON):
            await event_log.append([(a_fact_at(at), PROJECT)])
            await database.documents(RememberedRequest).add(
                RememberedRequest(id=new_id(), fingerprint="", created_at=at)
            )
            await database.documents(Upload).add(
                Upload(id=new_id(), name="zip", blob=BLOB, created_by="somebody", created_at=at)
            )

        house = Housekeeping(database=database, event_log=event_log, clock=lambda: NOON, settings=settings)
        await house.tidy()

        assert [await database.documents(kind).count() for kind in (LoggedEvent, RememberedRequest, Upload)] == [
            2,
            2,
            2,
        ]
        assert await event_log.oldest() == 2


BLOB = BlobRef(digest=digest_of(b""), size=0)


def a_fact_at(at: datetime) -> Fact:
    return Fact(id=new_id(), type=EventType.TASK_QUEUED, subject=new_id(), time=at)
