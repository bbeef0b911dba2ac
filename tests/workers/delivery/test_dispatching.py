"""Following the log: every event is acted on, in order, whatever happens to those who follow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.errors import Unavailable
from schemas.events import EventType, Fact, LoggedEvent
from schemas.schema import new_id
from schemas.tasks import Task
from schemas.webhooks import SigningSecret, Webhook, new_secret
from storage.event_log import EventLog
from storage.following import Follower
from storage.local_bus import LocalBus
from storage.ports import Database
from storage.signs import Signs
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT
from workers.delivery.dispatching import Dispatcher


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield database


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database, "urn:ymir:test")


def a_fact(number: int = 0, kind: EventType = EventType.TASK_SUCCEEDED) -> Fact:
    return Fact(id=new_id(), type=kind, subject=str(number), time=NOON + timedelta(minutes=number))


async def append(log: EventLog, *facts: Fact, project: str = PROJECT) -> None:
    await log.append([(fact, project) for fact in facts])


class Diary:
    """Keeps what it is to act on."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def act(self, events: Sequence[LoggedEvent]) -> None:
        self.subjects += [logged.event.subject for logged in events]


def following(diary: Diary, database: Database, log: EventLog) -> Follower:
    return Follower("diary", diary.act, database=database, event_log=log, signs=Signs(LocalBus()))


async def test_what_happened_before_anybody_followed_is_nobodys(database: Database, log: EventLog) -> None:
    diary = Diary()
    follower = following(diary, database, log)
    await append(log, a_fact(1))

    await follower.follow()
    await append(log, a_fact(2), a_fact(3))
    await follower.follow()
    await follower.follow()

    assert diary.subjects == ["2", "3"]


async def test_what_could_not_be_acted_on_comes_again(database: Database, log: EventLog) -> None:
    diary = Diary()
    await following(diary, database, log).follow()
    await append(log, a_fact(1), a_fact(2))

    async def fails(_: Sequence[LoggedEvent]) -> None:
        raise Unavailable("It is away.")

    with pytest.raises(Unavailable):
        await Follower("diary", fails, database=database, event_log=log, signs=Signs(LocalBus())).follow()
    await following(diary, database, log).follow()

    assert diary.subjects == ["1", "2"]


async def test_those_who_follow_together_leave_nothing_out(database: Database, log: EventLog) -> None:
    diaries = [Diary() for _ in range(4)]
    followers = [following(diary, database, log) for diary in diaries]
    await followers[0].follow()

    for number in range(30):
        await append(log, a_fact(number))
        await asyncio.gather(*(follower.follow() for follower in followers))

    seen = {subject for diary in diaries for subject in diary.subjects}
    assert seen == {str(number) for number in range(30)}
    assert all(diary.subjects == sorted(diary.subjects, key=int) for diary in diaries)


async def test_after_events_were_forgotten_it_goes_on_with_the_oldest(database: Database, log: EventLog) -> None:
    diary = Diary()
    follower = following(diary, database, log)
    await follower.follow()
    await append(log, *(a_fact(number) for number in range(5)))
    await log.trim(NOON + timedelta(minutes=3))

    await follower.follow()

    assert diary.subjects == ["3", "4"]


async def test_an_event_becomes_one_delivery_for_each_webhook_that_wants_it(database: Database, log: EventLog) -> None:
    other = new_id()
    fields = {"url": "https://example.org/", "created_by": "me", "created_at": NOON}
    secrets = (SigningSecret(text=new_secret()),)
    everything, some = new_id(), new_id()
    webhooks = database.documents(Webhook)
    await webhooks.add(Webhook.model_validate({**fields, "id": everything, "secrets": secrets}))
    chosen = {"projects": [other], "types": [EventType.TASK_FAILED]}
    await webhooks.add(Webhook.model_validate({**fields, "id": some, "secrets": secrets, **chosen}))
    dispatcher = Dispatcher(database=database, bus=LocalBus(), clock=lambda: NOON)
    follower = Follower("webhooks", dispatcher.dispatch, database=database, event_log=log, signs=Signs(LocalBus()))
    await follower.follow()
    await append(log, a_fact(1, EventType.TASK_PROGRESSED), a_fact(2), a_fact(3, EventType.TASK_FAILED))
    await append(log, a_fact(4, EventType.TASK_FAILED), a_fact(5), project=other)
    page = await log.after(0)

    await follower.follow()
    await dispatcher.dispatch(page.items)

    tasks = (await database.documents(Task).list()).items
    subjects = sorted((task.parameters.webhook == some, task.parameters.event.subject) for task in tasks)  # type: ignore[union-attr]
    assert subjects == [(False, "2"), (False, "3"), (False, "4"), (False, "5"), (True, "4")]
    assert not any(task.facts for task in tasks)
