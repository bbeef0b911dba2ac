"""What is only kept for a while is forgotten."""

from datetime import datetime, timedelta
from pathlib import Path

from schemas.blobs import BlobRef
from schemas.events import EventType, Fact, LoggedEvent
from schemas.exchange_parameters import ImportParameters, ImportSource
from schemas.hosts import Host
from schemas.letters import DeadLetter, ForeignMessage
from schemas.live_logs import LiveLog
from schemas.outcomes import Outcome
from schemas.requests import RememberedRequest
from schemas.schema import Document, digest_of, new_id
from schemas.tasks import Task
from schemas.uploads import PartialUpload, Upload, UploadPart
from storage.event_log import EventLog
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT, a_task
from workers.housekeeping import Housekeeping
from workers.settings import WorkerSettings


async def test_old_events_requests_uploads_letters_and_machines_go_and_the_others_stay(tmp_path: Path) -> None:
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
            await database.documents(LiveLog).add(LiveLog(id=new_id(), epoch=1, text="", written_at=at))
            letter = DeadLetter.of(ForeignMessage("", new_id(), b""), body=BLOB, at=old)
            await database.documents(DeadLetter).add(letter.came_again(at=at))
            await database.documents(Host).add(Host(id=new_id(), name="host", seen_at=at))

        house = Housekeeping(database=database, event_log=event_log, clock=lambda: NOON, settings=settings)
        await house.tidy()

        kinds: tuple[type[Document], ...] = (LoggedEvent, RememberedRequest, Upload, LiveLog, DeadLetter, Host)
        assert [await database.documents(kind).count() for kind in kinds] == [2, 2, 2, 2, 2, 2]
        assert await event_log.oldest() == 2


BLOB = BlobRef(digest=digest_of(b""), size=0)


def a_fact_at(at: datetime) -> Fact:
    return Fact(id=new_id(), type=EventType.TASK_QUEUED, subject=new_id(), time=at)


async def test_an_upload_that_was_not_sent_in_time_goes_with_its_parts(tmp_path: Path) -> None:
    async with open_database(tmp_path / "ymir.db") as database:
        for expires_at in (NOON, NOON + timedelta(seconds=1)):
            upload = PartialUpload(
                id=new_id(), name="zip", owner=new_id(), created_by="me", created_at=NOON, expires_at=expires_at
            )
            await database.documents(PartialUpload).add(upload)
            await database.documents(UploadPart).add(UploadPart.after(None, BLOB, upload=upload))
        event_log, later = EventLog(database, "test"), NOON + timedelta(seconds=1)
        house = Housekeeping(database=database, event_log=event_log, clock=lambda: later, settings=WorkerSettings())

        await house.tidy()

        (kept,) = (await database.documents(PartialUpload).list()).items
        assert [part.upload for part in (await database.documents(UploadPart).list()).items] == [kept.id]
        assert kept.expires_at == later


async def test_an_upload_stays_while_a_task_that_has_not_ended_names_it(tmp_path: Path) -> None:
    old = NOON - timedelta(days=30)
    async with open_database(tmp_path / "ymir.db") as database:
        upload = Upload(id=new_id(), name="zip", blob=BLOB, created_by="somebody", created_at=old)
        await database.documents(Upload).add(upload)
        task = a_task(parameters=ImportParameters(dataset="all", source=ImportSource(upload=upload.id)))
        await database.documents(Task).add(task)
        event_log = EventLog(database, "test")
        house = Housekeeping(database=database, event_log=event_log, clock=lambda: NOON, settings=WorkerSettings())

        await house.tidy()
        kept = await database.documents(Upload).count()
        await database.documents(Task).replace(task.claimed(by="me", at=NOON).ended(Outcome(), at=NOON), was=task)
        await house.tidy()

        assert (kept, await database.documents(Upload).count()) == (1, 0)
