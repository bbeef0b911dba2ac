"""Deliveries: an event comes signed, as often as it takes, and never where it may not go."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError
from typing_extensions import override
from yarl import URL

from schemas.events import CloudEvent, EventType
from schemas.outcomes import Outcome, Pause
from schemas.schema import new_id
from schemas.service_parameters import OF_THE_SERVICE, DeliverParameters
from schemas.tasks import Task
from schemas.webhooks import SigningSecret, Webhook, new_secret
from storage.clock import utc_now
from storage.ports import Database
from storage.public_addresses import may_be_reached
from storage.sqlite import open_database
from tests.factories import NOON, a_task
from tests.workers.delivery.endpoint import Endpoint, an_endpoint
from workers.delivery.sending import Sender, sender_of
from workers.handlers.deliver import PAUSES, deliver
from workers.settings import WorkerSettings
from workers.work import Work

HERE = WorkerSettings(webhook_networks=(ip_network("127.0.0.0/8"),), webhook_seconds=2.0)
PUBLIC = "93.184.215.14"
EVENT = CloudEvent(id=new_id(), source="urn:ymir:test", type=EventType.TASK_SUCCEEDED, subject="x", time=NOON)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "ymir.db") as database:
        yield database


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with an_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with sender_of(HERE) as sender:
        yield sender


async def a_webhook(database: Database, url: str, **changes: Any) -> Webhook:  # noqa: ANN401 - a change may be of any field
    secrets = (SigningSecret(text=new_secret()),)
    fields = {"id": new_id(), "url": url, "secrets": secrets, "created_by": "me", "created_at": NOON}
    webhook = Webhook.model_validate(fields | changes)
    await database.documents(Webhook).add(webhook)
    return webhook


def a_delivery(webhook: Webhook, *, tmp_path: Path, at: datetime | None = None) -> Work[DeliverParameters]:
    parameters = DeliverParameters(webhook=webhook.id, event=EVENT, position=1)
    task = a_task(project=OF_THE_SERVICE, parameters=parameters).claimed(by="w", at=NOON)
    return Work(task, parameters, scratch=tmp_path, now=utc_now if at is None else lambda: at)


def later(work: Work[DeliverParameters], pause: Pause) -> Work[DeliverParameters]:
    """Return the next attempt of a delivery, when its time has come."""
    until = pause.until
    assert until is not None
    waiting = work.task.paused(pause, at=NOON)
    task: Task = waiting.woken(at=until).claimed(by="w", at=until)
    return Work(task, work.parameters, scratch=work.scratch, now=lambda: until)


async def test_what_comes_is_the_event_and_is_signed(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    webhook = await a_webhook(database, endpoint.url)

    ended = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    [came] = endpoint.came
    assert isinstance(ended, Outcome)
    assert (ended.problem, ended.cancelled) == (None, False)
    assert ended.result.summary["attempts"][0]["status"] == 204  # type: ignore[index, call-overload]
    assert Signer(webhook.secrets[0].text).verify(came.body, dict(came.headers)) == json.loads(came.body)
    assert CloudEvent.model_validate_json(came.body) == EVENT
    assert came.headers["webhook-id"] == EVENT.id
    assert came.headers["Content-Type"].startswith("application/cloudevents+json")
    with pytest.raises(WebhookVerificationError):
        Signer(webhook.secrets[0].text).verify(came.body + b" ", dict(came.headers))


async def test_after_a_rotation_both_secrets_are_accepted_for_a_while(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    now = utc_now()
    webhook = await a_webhook(database, endpoint.url)
    rotated = webhook.rotated(new_secret(), ends_at=now + timedelta(hours=1))
    await database.documents(Webhook).replace(rotated, was=webhook)

    await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    [came] = endpoint.came
    for secret in (webhook.secrets[0].text, rotated.secrets[0].text):
        Signer(secret).verify(came.body, dict(came.headers))
    assert rotated.signing(at=now + timedelta(hours=2)) == (rotated.secrets[0].text,)


async def test_ten_attempts_over_three_days_then_it_is_given_up(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    endpoint.status = 500
    work, waited = a_delivery(await a_webhook(database, endpoint.url), tmp_path=tmp_path, at=NOON), []

    ended = await deliver(work, database=database, sender=sender)
    while isinstance(ended, Pause):
        assert ended.until is not None
        waited.append(ended.until - work.now())
        work = later(work, ended)
        ended = await deliver(work, database=database, sender=sender)

    assert len(endpoint.came) == 10
    assert {came.headers["webhook-id"] for came in endpoint.came} == {EVENT.id}
    assert all(pause <= wait <= pause * 1.1 for pause, wait in zip(PAUSES, waited, strict=True))
    assert sum(PAUSES, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert ended.problem is not None
    assert "10 attempts" in ended.problem.detail
    assert len(ended.result.summary["attempts"]) == 10  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["3600", "date"])
async def test_an_endpoint_that_asks_for_time_gets_it(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path, form: str
) -> None:
    endpoint.status = 429
    endpoint.headers["Retry-After"] = (
        form if form.isdigit() else format_datetime(NOON + timedelta(hours=1), usegmt=True)
    )
    work = a_delivery(await a_webhook(database, endpoint.url), tmp_path=tmp_path, at=NOON)

    pause = await deliver(work, database=database, sender=sender)

    assert isinstance(pause, Pause)
    assert pause.until == NOON + timedelta(hours=1)


async def test_an_endpoint_that_is_gone_is_not_asked_again(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    endpoint.status = 410
    webhook = await a_webhook(database, endpoint.url)

    ended = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)
    after = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    assert isinstance(ended, Outcome)
    assert ended.problem is not None
    assert (await database.documents(Webhook).get(webhook.id)).disabled_at is not None
    assert isinstance(after, Outcome)
    assert after.cancelled
    assert len(endpoint.came) == 1


async def test_a_redirect_is_not_followed(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    endpoint.status, endpoint.headers = 302, {"Location": endpoint.url + "/elsewhere"}
    work = a_delivery(await a_webhook(database, endpoint.url), tmp_path=tmp_path)

    pause = await deliver(work, database=database, sender=sender)

    assert isinstance(pause, Pause)
    assert "redirect" in pause.result.summary["attempts"][0]["error"]  # type: ignore[index, call-overload, operator]
    assert [came.path for came in endpoint.came] == ["/events"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "[::1]", "0", "2130706433", "[::ffff:7f00:1]"],
)
async def test_nothing_is_sent_to_an_address_that_is_not_public(
    database: Database, endpoint: Endpoint, tmp_path: Path, host: str
) -> None:
    port = endpoint.url.rpartition(":")[2].partition("/")[0]
    webhook = await a_webhook(database, f"http://{host}:{port}/events")

    async with sender_of(WorkerSettings(webhook_seconds=2.0)) as sender:
        pause = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    assert isinstance(pause, Pause)
    error = pause.result.summary["attempts"][0]["error"]  # type: ignore[index, call-overload]
    assert "not public" in error or "not a canonical" in error  # type: ignore[operator]
    assert not endpoint.came


class Rebinding(AbstractResolver):
    """A name that is public when it is looked at, and leads inside when it is connected to."""

    def __init__(self, *inside: str) -> None:
        self.addresses = [PUBLIC, *inside]

    @override
    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        address = self.addresses.pop(0)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    @override
    async def close(self) -> None:
        pass


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_inside_by_the_time_it_is_connected_to_gets_nothing(
    database: Database, endpoint: Endpoint, tmp_path: Path, inside: str
) -> None:
    port = URL(endpoint.url).port
    webhook = await a_webhook(database, f"http://rebinding.example:{port}/events")
    resolver = Rebinding(inside)
    assert may_be_reached((await resolver.resolve("rebinding.example"))[0]["host"])

    async with sender_of(WorkerSettings(webhook_seconds=2.0)) as sender:
        connector = sender._session.connector
        assert isinstance(connector, TCPConnector)
        connector._resolver = resolver
        pause = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    assert isinstance(pause, Pause)
    assert "not public" in pause.result.summary["attempts"][0]["error"]  # type: ignore[index, call-overload, operator]
    assert (resolver.addresses, endpoint.came) == ([], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_where_machines_keep_their_secrets_is_not_followed(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path, status: int
) -> None:
    endpoint.status, endpoint.headers = status, {"Location": endpoint.url.replace("/events", "/latest/meta-data/")}

    pause = await deliver(
        a_delivery(await a_webhook(database, endpoint.url), tmp_path=tmp_path), database=database, sender=sender
    )

    assert isinstance(pause, Pause)
    assert [came.path for came in endpoint.came] == ["/events"]


async def test_what_is_not_there_is_tried_again(database: Database, sender: Sender, tmp_path: Path) -> None:
    webhook = await a_webhook(database, "http://127.0.0.1:9/")

    pause = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    assert isinstance(pause, Pause)
    assert pause.result.summary["attempts"][0]["status"] is None  # type: ignore[index, call-overload]


async def test_who_finds_no_place_comes_again_ever_later_and_that_is_no_attempt(
    database: Database, endpoint: Endpoint, tmp_path: Path
) -> None:
    webhook, waited = await a_webhook(database, endpoint.url), []
    async with sender_of(HERE) as sender:
        await asyncio.gather(*(sender._places[webhook.id].taken() for _ in range(HERE.webhook_at_once)))
        work = a_delivery(webhook, tmp_path=tmp_path, at=NOON)
        for _ in range(8):
            pause = await deliver(work, database=database, sender=sender)
            assert isinstance(pause, Pause)
            assert pause.until is not None
            waited.append((pause.until - work.now()).total_seconds())
            work = later(work, pause)

    assert all(2 * 2**times <= wait <= 8 * 2**times for times, wait in enumerate(waited[:7]))
    assert waited[7] <= 8 * 2**6
    assert pause.result.summary["attempts"] == []
    assert not endpoint.came


async def test_a_webhook_that_is_removed_gets_nothing_more(
    database: Database, endpoint: Endpoint, sender: Sender, tmp_path: Path
) -> None:
    webhook = await a_webhook(database, endpoint.url)
    await database.documents(Webhook).remove(webhook.id)

    ended = await deliver(a_delivery(webhook, tmp_path=tmp_path), database=database, sender=sender)

    assert isinstance(ended, Outcome)
    assert ended.cancelled
    assert not endpoint.came
