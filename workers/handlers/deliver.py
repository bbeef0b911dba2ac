"""Deliver: send an event to a webhook, as often as it takes, or as it makes sense."""

from contextlib import suppress
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from random import Random
from typing import Final

import structlog
from pydantic import TypeAdapter

from schemas.errors import Invalid, NotFound
from schemas.outcomes import Outcome, Pause, TaskResult
from schemas.problems import Problem
from schemas.service_parameters import DeliverParameters
from schemas.webhooks import Attempt, Webhook, attempts_of, summary_of
from storage.contested import changed
from storage.ports import Database
from workers.delivery.sending import Sender, Sent
from workers.failures import STATUS, instance_of
from workers.work import Work

# Standard Webhooks 1.0: ten attempts over 75 h 35 min 5 s.
PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
JITTER: Final = 0.1
# Deliveries that find no place come again after a while, not all at once; each time after twice as long, so that a
# long line before an endpoint that hangs is no work for the service.
NO_PLACE_SECONDS: Final = (2.0, 8.0)
NO_PLACE_DOUBLINGS: Final = 6
TURNED_AWAY: Final = "turned_away"
TIMES: Final = TypeAdapter(int)

_random = Random()  # noqa: S311 - jitter is no secret
log = structlog.get_logger(__name__)


async def deliver(work: Work[DeliverParameters], *, database: Database, sender: Sender) -> Outcome | Pause:
    """Send the event once; wait for the next attempt, or end: taken, given up, or wanted by nobody any more."""
    parameters, attempts = work.parameters, attempts_of(work.task.result)
    webhooks = database.documents(Webhook)
    found = await webhooks.get_many([parameters.webhook])
    if not found or found[0].disabled_at is not None:
        return Outcome(cancelled=True, result=_result(attempts))
    webhook = found[0]
    sent = await sender.send(webhook, parameters.event, at=work.now())
    if sent is None:
        return _no_place(work, attempts)
    attempts = (*attempts, sent.attempt)
    log.info(
        "event sent", webhook=webhook.id, sent=parameters.event.id, attempt=len(attempts), status=sent.attempt.status
    )
    if sent.is_success:
        return Outcome(result=_result(attempts))
    if sent.is_gone:
        await _disable(work, webhook, database)
    if sent.is_gone or len(attempts) > len(PAUSES):
        return Outcome(result=_result(attempts), problem=_given_up(work, attempts))
    return _pause(work, attempts, _wait(sent, len(attempts)))


def _wait(sent: Sent, made: int) -> timedelta:
    """Return how long to wait: the pause of the schedule and a little more, or what the endpoint asks for."""
    pause = PAUSES[made - 1] * _random.uniform(1, 1 + JITTER)
    return max(pause, sent.retry_after or timedelta())


def _no_place(work: Work[DeliverParameters], attempts: tuple[Attempt, ...]) -> Pause:
    """Return a pause that remembers how often there was no place since the last attempt."""
    times = TIMES.validate_python(work.task.result.summary.get(TURNED_AWAY, 0))
    wait = timedelta(seconds=_random.uniform(*NO_PLACE_SECONDS) * 2 ** min(times, NO_PLACE_DOUBLINGS))
    summary = {**_result(attempts).summary, TURNED_AWAY: times + 1}
    pause = _pause(work, attempts, wait)
    return pause.model_copy(update={"result": TaskResult(summary=summary), "waiting_for": "a place at the endpoint"})


def _pause(work: Work[DeliverParameters], attempts: tuple[Attempt, ...], wait: timedelta) -> Pause:
    until = work.now() + wait
    return Pause(step="send", waiting_for="the next attempt", until=until, result=_result(attempts))


def _result(attempts: tuple[Attempt, ...]) -> TaskResult:
    return TaskResult(summary=summary_of(attempts))


async def _disable(work: Work[DeliverParameters], webhook: Webhook, database: Database) -> None:
    webhooks = database.documents(Webhook)
    because, at = f"It answered {HTTPStatus.GONE}: it is there no longer.", work.now()

    def disabled(webhook: Webhook) -> Webhook:
        return webhook if webhook.disabled_at is not None else webhook.disabled(because, at=at)

    with suppress(NotFound):  # it was removed meanwhile
        await changed(webhooks, partial(webhooks.get, webhook.id), disabled)


def _given_up(work: Work[DeliverParameters], attempts: tuple[Attempt, ...]) -> Problem:
    last = attempts[-1]
    detail = f"The event was not taken in {len(attempts)} attempts. The last one: {last.error}"
    error = Invalid(detail, step="Mend the endpoint, then have it redelivered.")
    return Problem.of(error, status=STATUS[Invalid], instance=instance_of(work.task))
