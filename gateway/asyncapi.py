"""The AsyncAPI 3 document: every event, and the ways it comes by."""

from typing import Any, Final

from gateway.event_schemas import event_schemas, named, sentence
from schemas.event_data import DATA
from schemas.events import EventType

REF: Final = "#/components/schemas/{model}"
EXCHANGE: Final = "ymir.events"
BINDING: Final = "0.3.0"
CLOUD_EVENT: Final = "application/cloudevents+json"

Json = dict[str, Any]


def asyncapi(*, version: str) -> Json:
    """Return the description of all events, by AsyncAPI 3.0 with the AMQP bindings 0.3.0."""
    events, shared = event_schemas(ref=REF)
    kinds = [kind for kind in DATA if kind is not EventType.WEBHOOK_TESTED]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "YMIR events",
            "version": version,
            "description": "What happened, as CloudEvents 1.0.2 in structured JSON. A consumer takes equal "
            "(source, id) for the same event: it may come more than once, and over RabbitMQ in any order.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CLOUD_EVENT,
        "channels": {str(kind): _channel(kind) for kind in kinds},
        "operations": {f"send.{kind}": _operation(kind) for kind in kinds},
        "components": {
            "messages": {named(kind): _message(kind) for kind in kinds},
            "schemas": {**{named(kind): schema for kind, schema in events.items()}, **shared},
        },
    }


def _channel(kind: EventType) -> Json:
    exchange = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False}
    amqp = {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}
    return {
        "address": kind,
        "summary": sentence(kind),
        "messages": {named(kind): {"$ref": f"#/components/messages/{named(kind)}"}},
        "bindings": {"amqp": amqp},
    }


def _operation(kind: EventType) -> Json:
    channel = f"#/channels/{kind}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": sentence(kind),
        "messages": [{"$ref": f"{channel}/messages/{named(kind)}"}],
        "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": BINDING}},
    }


def _message(kind: EventType) -> Json:
    return {
        "name": kind,
        "title": named(kind),
        "summary": sentence(kind),
        "contentType": CLOUD_EVENT,
        "payload": {"$ref": REF.format(model=named(kind))},
    }
