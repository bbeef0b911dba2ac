"""What every bus must do with events; that it may lose, repeat and reorder is for those who listen to bear."""

import asyncio

import pytest

from schemas.events import EventType
from storage.ports import Bus
from tests.contract.reading_bus import SECONDS, an_event, is_quiet, take


async def test_an_event_comes_to_all_who_listen_as_it_was_published(bus: Bus) -> None:
    event = an_event().model_copy(update={"data": {"text": "ü", "number": 1.5, "list": [None, True]}})
    async with bus.events() as here, bus.events() as there:
        await bus.publish([event])

        assert await take(here, 1) == await take(there, 1) == [event]


async def test_events_are_heard_from_the_beginning_of_listening(bus: Bus) -> None:
    early, late = an_event(), an_event()
    await bus.publish([early])

    async with bus.events() as events:
        await bus.publish([late])

        assert await take(events, 1) == [late]


@pytest.mark.parametrize(
    ("pattern", "types"),
    [
        ("#", {*EventType}),
        ("ymir.task.*", {kind for kind in EventType if kind.startswith("ymir.task.")}),
        ("ymir.task.#", {kind for kind in EventType if kind.startswith("ymir.task.")}),
        ("*.*.created", {EventType.MODEL_CREATED}),
        ("#.created", {EventType.MODEL_CREATED, EventType.VERSION_CREATED}),
        ("ymir.#.created", {EventType.MODEL_CREATED, EventType.VERSION_CREATED}),
        ("ymir.task.succeeded", {EventType.TASK_SUCCEEDED}),
        ("ymir.task.succeeded.#", {EventType.TASK_SUCCEEDED}),
        ("#.task.#", {kind for kind in EventType if ".task." in kind}),
        ("ymir.*", set()),
        ("ymir.task", set()),
        ("ymir.t*", set()),
        ("", set()),
    ],
)
async def test_a_pattern_means_types_as_amqp_topics_do(bus: Bus, pattern: str, types: set[EventType]) -> None:
    async with bus.events(pattern) as events:
        await bus.publish([an_event(event_type) for event_type in EventType])

        heard = {event.type for event in await take(events, len(types))}
        assert heard == types
        assert await is_quiet(events)


async def test_who_does_not_listen_holds_up_nobody(bus: Bus) -> None:
    async with bus.events(), bus.events() as attentive:
        given = [an_event() for _ in range(500)]
        async with asyncio.timeout(SECONDS):
            for event in given:
                await bus.publish([event])

        heard = await take(attentive, 500)

    assert {event.id for event in heard} == {event.id for event in given}


async def test_publishing_to_nobody_or_nothing_is_no_error(bus: Bus) -> None:
    await bus.publish([an_event()])
    await bus.publish([])


async def test_a_wait_for_events_that_was_given_up_loses_nothing(bus: Bus) -> None:
    event = an_event()
    async with bus.events() as events:
        assert await is_quiet(events)
        await bus.publish([event])

        assert await take(events, 1) == [event]
