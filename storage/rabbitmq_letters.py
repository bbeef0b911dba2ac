"""Dead letters as messages of AMQP: where they were sent first, and what to send again."""

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage
from aiormq.abc import FieldValue

from schemas.letters import ForeignMessage

HEADERS_BYTES: Final = 8192
QUEUE: Final = "ymir-queue"
EXCHANGE: Final = "ymir-exchange"
KEY: Final = "ymir-routing-key"
REASON: Final = "ymir-reason"
OURS: Final = frozenset({QUEUE, EXCHANGE, KEY, REASON})
# What the broker says of a message's way: it would say it again of one that is sent again.
BROKERS: Final = frozenset({"x-death", "x-delivery-count", "x-acquired-count", "x-opt-deaths"})
BROKERS_PREFIXES: Final = ("x-first-death-", "x-last-death-")


def refused(message: AbstractIncomingMessage, *, queue: str, reason: str) -> Message:
    """Return the dead letter that a message is which we refuse by ourselves, with where it was sent."""
    headers: dict[str, FieldValue] = {
        **message.headers,
        QUEUE: queue,
        EXCHANGE: message.exchange or "",
        KEY: message.routing_key or "",
        REASON: reason,
    }
    return _message(message.body, message.content_type, headers)


def read_letter(message: AbstractIncomingMessage) -> ForeignMessage:
    """Return what a message in the queue of dead letters was; what it does not say itself is of its last way."""
    death = _first_death(message.headers)
    keys = death.get("routing-keys")
    first_key = keys[0] if isinstance(keys, list) and keys else message.routing_key
    headers, left_out = _bounded(message.headers)
    return ForeignMessage(
        exchange=_text(message.headers.get(EXCHANGE, death.get("exchange", message.exchange))),
        routing_key=_text(message.headers.get(KEY, first_key)),
        body=message.body,
        content_type=message.content_type or "",
        headers=headers,
        headers_left_out=left_out,
        queue=_text(message.headers.get(QUEUE, death.get("queue"))),
        reason=_text(message.headers.get(REASON, death.get("reason", "sent to the dead letters"))),
    )


def sent_again(message: ForeignMessage) -> Message:
    """Return what is sent for a foreign message that is to be tried again."""
    # The driver sends a number with a fraction shorter than it was, or not at all.
    headers = json.loads(message.headers, parse_float=str)
    return _message(message.body, message.content_type or None, headers)


def _message(body: bytes, content_type: str | None, headers: dict[str, FieldValue]) -> Message:
    return Message(body, content_type=content_type, headers=headers, delivery_mode=DeliveryMode.PERSISTENT)


def _first_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the oldest of the deaths that the broker tells of, the newest first; whoever sends can make them up."""
    deaths = headers.get("x-death")
    first = deaths[-1] if isinstance(deaths, list) and deaths else {}
    return first if isinstance(first, dict) else {}


def _bounded(headers: Mapping[str, Any]) -> tuple[str, int]:
    """Return the sender's own headers as JSON, as many as there is place for, and how many there is none for."""
    kept: dict[str, Any] = {}
    size = left_out = 0
    for name, value in headers.items():
        if name in BROKERS | OURS or name.startswith(BROKERS_PREFIXES):
            continue
        told = _json(value)
        if told is None or (needed := len(name.encode()) + len(told)) > HEADERS_BYTES - size:
            left_out += 1
        else:
            size += needed
            kept[name] = orjson.Fragment(told)
    return orjson.dumps(kept).decode(), left_out


def _json(value: object) -> bytes | None:
    try:
        return orjson.dumps(value, default=_text)
    except TypeError:  # nested deeper than JSON is written
        return None


def _text(value: object) -> str:
    """Return a value of a header as text, cut where it is no address any more."""
    if value is None:
        return ""
    text = bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
    return text[:HEADERS_BYTES]
