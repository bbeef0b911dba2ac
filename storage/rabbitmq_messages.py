"""Doorbells and events as messages of AMQP, and back."""

from typing import Final, TypeVar

import orjson
from aio_pika import DeliveryMode, Message
from aio_pika.abc import HeadersType
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from schemas.errors import Invalid
from schemas.events import CloudEvent
from schemas.parameters import Slot
from schemas.schema import Id
from schemas.tasks import Doorbell

M = TypeVar("M", bound=BaseModel)

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"


class _Bell(BaseModel):
    model_config = ConfigDict(strict=False)

    task_id: Id
    type: str
    slot: Slot


_BELL: Final = TypeAdapter(_Bell)


def bell_key(doorbell: Doorbell) -> str:
    """Return the routing key of a doorbell: ``task.<type>.<slot>``."""
    return f"task.{doorbell.type}.{doorbell.slot}"


def bell_message(doorbell: Doorbell) -> Message:
    """Return a doorbell as a message that outlives the broker."""
    body = orjson.dumps({"task_id": doorbell.task, "type": doorbell.type, "slot": doorbell.slot})
    return Message(body, content_type=JSON, delivery_mode=DeliveryMode.PERSISTENT)


def read_bell(body: bytes) -> Doorbell:
    """Return the doorbell that a message is; raise Invalid if it is none."""
    try:
        bell = _BELL.validate_json(body)
    except ValidationError as error:
        raise _foreign("doorbell", error) from error
    return Doorbell(bell.task_id, bell.type, bell.slot)


def event_message(event: CloudEvent) -> Message:
    """Return an event as a message: structured JSON, its attributes in the headers too.

    By the AMQP binding of CloudEvents 1.0.2, with the prefix that brokers and clients of JMS bear.
    """
    attributes = event.model_dump(mode="json", exclude={"data", "datacontenttype"})
    headers: HeadersType = {f"cloudEvents_{name}": value for name, value in attributes.items()}
    return Message(
        event.model_dump_json().encode(),
        content_type=CLOUD_EVENT,
        headers=headers,
        message_id=event.id,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def read_event(body: bytes) -> CloudEvent:
    """Return the event that a message is; raise Invalid if it is none of ours."""
    try:
        return CloudEvent.model_validate_json(body)
    except ValidationError as error:
        raise _foreign("event", error) from error


def _foreign(what: str, error: ValidationError) -> Invalid:
    first = error.errors(include_input=False, include_url=False)[0]
    place = "/".join(str(part) for part in first["loc"])
    return Invalid(f"A message is no {what} of ours: {place}: {first['msg']}", step="see what sends to this exchange")
