"""Commands about webhooks: where events are sent to, and what came of it."""

from argparse import ArgumentParser, Namespace

from client.api import at
from client.ymir.ending import run
from client.ymir.reaching import add_common, changing, reading
from client.ymir.telling import tell, tell_all
from schemas.counts import counted
from schemas.events import EventType
from schemas.webhooks import (
    NewWebhook,
    Redeliveries,
    RedeliverySubmission,
    Rotation,
    WebhookDelivery,
    WebhookSubmission,
    WebhookView,
)

WEBHOOKS = at("webhooks")


def add_list(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir webhooks list``."""
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_new(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir webhooks add``."""
    types = [str(kind) for kind in EventType]
    parser.add_argument("url", metavar="URL", help="where events are sent to")
    told = "what is sent (everything but progress); may be repeated"
    parser.add_argument("--type", dest="types", action="append", default=[], choices=types, metavar="TYPE", help=told)
    told = "of which project (of all); may be repeated"
    parser.add_argument("--of", dest="projects", action="append", default=[], metavar="PROJECT", help=told)
    parser.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(_add(given)))


def add_one(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of a command about one webhook."""
    parser.add_argument("id", metavar="ID", help="as ymir webhooks list says it")
    add_common(parser, project=False)
    parser.set_defaults(run=lambda given: run(ONE[name](given)))


def add_deliveries(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of ``ymir webhooks deliveries``."""
    parser.add_argument("--failed", action="store_true", help="only those that were given up")
    add_one(parser, name)


def add_redeliver(parser: ArgumentParser, name: str) -> None:
    """Add the arguments of ``ymir webhooks redeliver``."""
    parser.add_argument("delivery", nargs="?", metavar="DELIVERY", help="one; all that failed if none is named")
    add_one(parser, name)


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        found = [webhook async for webhook in client.items(WebhookView, WEBHOOKS)]
    rows = [(one.id, one.url, ", ".join(one.types), ", ".join(one.projects), one.disabled_because) for one in found]
    tell_all(given, ("id", "url", "types", "projects", "disabled"), zip(found, rows, strict=True))
    return 0


async def _add(given: Namespace) -> int:
    submission = WebhookSubmission.model_construct(
        url=given.url,
        description=given.description,
        types=tuple(map(EventType, given.types)),
        projects=tuple(given.projects),
    )
    async with changing(given) as client:
        made = await client.post(NewWebhook, WEBHOOKS, submission)
    # The secret alone on standard output: a script takes it from there, and it is told this once.
    tell(made.model_dump_json() if given.json else made.secret)
    return 0


async def _remove(given: Namespace) -> int:
    async with changing(given) as client:
        await client.delete(at("webhooks", given.id))
    return 0


async def _rotate(given: Namespace) -> int:
    async with changing(given) as client:
        made = await client.post(NewWebhook, at("webhooks", given.id, "rotate"), Rotation())
    tell(made.model_dump_json() if given.json else made.secret)
    return 0


async def _test(given: Namespace) -> int:
    async with changing(given) as client:
        sent = await client.post(WebhookDelivery, at("webhooks", given.id, "test"), {})
    tell(sent.model_dump_json() if given.json else f"delivery {sent.id}")
    return 0


async def _deliveries(given: Namespace) -> int:
    query = {"state": "failed"} if given.failed else {}
    async with reading(given) as client:
        path = at("webhooks", given.id, "deliveries")
        found = [one async for one in client.items(WebhookDelivery, path, **query)]
    rows = [(one.id, str(one.type), str(one.state), counted(len(one.attempts), "attempt"), _last(one)) for one in found]
    tell_all(given, ("id", "event", "state", "tried", "the last answer"), zip(found, rows, strict=True))
    return 0


async def _redeliver(given: Namespace) -> int:
    async with changing(given) as client:
        if given.delivery is not None:
            path = at("webhooks", given.id, "deliveries", given.delivery, "redeliver")
            sent = await client.post(WebhookDelivery, path, {})
            tell(sent.model_dump_json() if given.json else f"delivery {sent.id}")
            return 0
        again = await client.post(Redeliveries, at("webhooks", given.id, "redeliver"), RedeliverySubmission())
    tell(again.model_dump_json() if given.json else f"{counted(again.count, 'event')} sent again")
    return 0


def _last(delivery: WebhookDelivery) -> str:
    if not delivery.attempts:
        return ""
    last = delivery.attempts[-1]
    return last.error or f"{last.status} after {last.milliseconds} ms"


ONE = {
    "remove": _remove,
    "rotate": _rotate,
    "test": _test,
    "deliveries": _deliveries,
    "redeliver": _redeliver,
}
