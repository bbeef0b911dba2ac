"""What the event log must do over every home for documents."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

import pytest

from schemas.events import EventType, Fact, LoggedEvent
from schemas.schema import new_id
from storage.event_log import EventLog
from storage.ports import Database
from tests.factories import NOON, PROJECT

OTHER_PROJECT = "1" * 32
SOURCE = "https://ymir.example"


def a_fact(event_type: EventType = EventType.TASK_QUEUED, *, time: datetime = NOON) -> Fact:
    return Fact(id=new_id(), type=event_type, subject=new_id(), time=time)


def of_project(facts: Iterable[Fact], project: str = PROJECT) -> list[tuple[Fact, str]]:
    return [(fact, project) for fact in facts]


async def everything(log: EventLog) -> list[LoggedEvent]:
    found: list[LoggedEvent] = []
    while True:
        page = await log.after(found[-1].position if found else 0, limit=50)
        found += page.items
        if page.next is None:
            return found
        assert int(page.next) == found[-1].position


@pytest.fixture
def log(database: Database) -> EventLog:
    return EventLog(database, SOURCE)


async def test_facts_become_events_at_the_next_positions(log: EventLog) -> None:
    facts = [a_fact(), a_fact(EventType.TASK_STARTED), a_fact()]

    events = await log.append(of_project(facts))

    assert events == [fact.announced_by(SOURCE) for fact in facts]
    assert [(logged.position, logged.event, logged.project) for logged in await everything(log)] == [
        (number, event, PROJECT) for number, event in enumerate(events, 1)
    ]


async def test_a_fact_is_announced_once(log: EventLog, database: Database) -> None:
    facts = [a_fact() for _ in range(5)]
    await log.append(of_project(facts[1:3]))

    again = await log.append(of_project(facts))
    elsewhere = await EventLog(database, SOURCE).append(of_project(facts))

    assert [event.id for event in again] == [facts[0].id, facts[3].id, facts[4].id]
    assert elsewhere == []
    assert [logged.position for logged in await everything(log)] == [1, 2, 3, 4, 5]


async def test_a_fact_that_is_given_twice_is_announced_once(log: EventLog) -> None:
    fact = a_fact()

    events = await log.append(of_project([fact, fact]))

    assert {event.id for event in events} == {fact.id}
    assert len(await everything(log)) == 1


async def test_appending_nothing_is_no_error(log: EventLog) -> None:
    assert await log.append([]) == []
    assert (await log.oldest(), await log.last()) == (None, 0)


async def test_twenty_appenders_leave_no_gap_and_repeat_nothing(database: Database) -> None:
    logs = [EventLog(database, SOURCE) for _ in range(20)]
    facts = [a_fact() for _ in range(200)]

    async def append(number: int) -> None:
        # Each appends ten facts of its own and five that its neighbour appends too.
        for start in range(number * 10, number * 10 + 10, 5):
            await logs[number].append(of_project(facts[start : start + 10]))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(append(number))

    found = await everything(logs[0])
    assert [logged.position for logged in found] == list(range(1, 201))
    assert {logged.event.id for logged in found} == {fact.id for fact in facts}


async def test_a_hundred_callers_of_one_log_learn_each_what_was_new(log: EventLog) -> None:
    facts = [a_fact() for _ in range(100)]

    answers = await asyncio.gather(*(log.append(of_project([fact])) for fact in facts + facts))

    announced = [event.id for events in answers for event in events]
    assert sorted(announced) == sorted(fact.id for fact in facts)
    assert len(await everything(log)) == 100


async def test_a_reader_that_follows_sees_every_event_once_while_others_append(database: Database) -> None:
    facts = [a_fact() for _ in range(60)]
    seen: list[str] = []
    log = EventLog(database, SOURCE)

    async def follow() -> None:
        position = 0
        while len(seen) < len(facts):
            for logged in (await log.after(position, limit=7)).items:
                assert logged.position == position + 1
                position = logged.position
                seen.append(logged.event.id)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow())
        for number in range(3):
            appender = EventLog(database, SOURCE)
            for start in range(number * 20, number * 20 + 20, 4):
                group.create_task(appender.append(of_project(facts[start : start + 4])))

    assert sorted(seen) == sorted(fact.id for fact in facts)


async def test_of_twenty_who_write_readers_that_begin_anywhere_miss_nothing(database: Database) -> None:
    facts, chance = [a_fact() for _ in range(200)], Random(0)
    heard: list[list[tuple[int, str]]] = [[] for _ in range(3)]

    async def write(number: int) -> None:
        log = EventLog(database, SOURCE)
        for start in range(number * 10, number * 10 + 10, 2):
            # Each says again what it said before: it may not know whether that was kept.
            await log.append(of_project(facts[max(start - 2, number * 10) : start + 2]))

    async def read(came: list[tuple[int, str]]) -> None:
        while len(came) < len(facts):
            log = EventLog(database, SOURCE)  # one that went away, and comes back with its cursor
            for _ in range(chance.randrange(1, 5)):
                page = await log.after(came[-1][0] if came else 0, limit=chance.randrange(1, 30))
                came += [(logged.position, logged.event.id) for logged in page.items]

    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        for came in heard:
            group.create_task(read(came))
        for number in range(20):
            group.create_task(write(number))

    assert [position for position, _ in heard[0]] == list(range(1, len(facts) + 1))
    assert sorted(identity for _, identity in heard[0]) == sorted(fact.id for fact in facts)
    assert heard[1:] == heard[:1] * 2


async def test_an_appender_that_is_given_up_leaves_the_log_whole(log: EventLog) -> None:
    facts = [a_fact() for _ in range(30)]
    calls = [asyncio.ensure_future(log.append(of_project([fact]))) for fact in facts]
    await asyncio.wait(calls[:1])
    for call in calls[::3]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    await log.append(of_project(facts))

    found = await everything(log)
    assert [logged.position for logged in found] == list(range(1, 31))
    assert {logged.event.id for logged in found} == {fact.id for fact in facts}


async def test_events_are_read_by_type_and_project(log: EventLog) -> None:
    queued, started, elsewhere = a_fact(), a_fact(EventType.TASK_STARTED), a_fact(EventType.MODEL_CREATED)
    await log.append([(queued, PROJECT), (started, PROJECT), (elsewhere, OTHER_PROJECT)])

    async def read(**asked: object) -> list[int]:
        page = await log.after(0, **asked)  # type: ignore[arg-type]  # the arguments of each example are right
        return [logged.position for logged in page.items]

    assert await read() == [1, 2, 3]
    assert await read(types=[EventType.TASK_STARTED]) == [2]
    assert await read(types=[EventType.TASK_STARTED, EventType.MODEL_CREATED]) == [2, 3]
    assert await read(projects=[OTHER_PROJECT]) == [3]
    assert await read(projects=[]) == []
    assert await read(projects=[PROJECT], types=[EventType.MODEL_CREATED]) == []


async def test_a_page_names_where_to_go_on(log: EventLog) -> None:
    await log.append(of_project(a_fact() for _ in range(5)))

    first = await log.after(1, limit=3)
    rest = await log.after(int(first.next or 0), limit=3)

    assert [logged.position for logged in first.items] == [2, 3, 4]
    assert ([logged.position for logged in rest.items], rest.next) == ([5], None)
    assert (await log.after(5)).items == ()
    assert (await log.after(99)).items == ()


async def test_what_is_old_is_trimmed_from_the_beginning(log: EventLog) -> None:
    hours = [NOON + timedelta(hours=hour) for hour in range(250)]
    await log.append(of_project(a_fact(time=hour) for hour in hours))

    removed = await log.trim(hours[230])

    assert removed == 230
    assert await log.oldest() == 231
    assert [logged.position for logged in await everything(log)] == list(range(231, 251))


async def test_trimming_stops_at_the_first_event_that_stays(log: EventLog) -> None:
    late = NOON + timedelta(days=1)
    await log.append(of_project([a_fact(), a_fact(time=late), a_fact(), a_fact()]))

    await log.trim(late)

    assert [logged.position for logged in await everything(log)] == [2, 3, 4]


async def test_positions_go_on_after_everything_was_trimmed(log: EventLog, database: Database) -> None:
    await log.append(of_project(a_fact() for _ in range(3)))

    await log.trim(NOON + timedelta(days=365))
    await EventLog(database, SOURCE).append(of_project([a_fact()]))

    assert [logged.position for logged in await everything(log)] == [3, 4]


async def test_an_empty_log_can_be_trimmed(log: EventLog) -> None:
    assert await log.trim(NOON) == 0
