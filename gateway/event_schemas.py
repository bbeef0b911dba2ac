"""The events of the service as JSON Schema: each a CloudEvent with the data of its type."""

from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from schemas.event_data import DATA
from schemas.events import CloudEvent, EventType

Json = dict[str, Any]
MODE: Final[JsonSchemaMode] = "serialization"


def event_schemas(*, ref: str) -> tuple[dict[EventType, Json], Json]:
    """Return the schema of each type of event, and the definitions that they share under references like ``ref``."""
    adapters = [(kind, MODE, TypeAdapter(form)) for kind, form in DATA.items()]
    forms, shared = TypeAdapter.json_schemas(adapters, ref_template=ref)
    envelope = CloudEvent.model_json_schema(mode=MODE)
    envelope.pop("$defs", None)
    return {kind: _event(kind, envelope, forms[kind, MODE]) for kind in DATA}, shared.get("$defs", {})


def named(kind: EventType) -> str:
    """Return what an event's schema is called: ``TaskSucceededEvent``."""
    return f"{DATA[kind].__name__}Event"


def sentence(kind: EventType) -> str:
    """Return in a sentence what has happened."""
    return (DATA[kind].__doc__ or "").split("\n")[0]


def _event(kind: EventType, envelope: Json, data: Json) -> Json:
    properties = {**envelope["properties"], "type": {"const": kind, "type": "string"}, "data": data}
    return {**envelope, "title": named(kind), "description": sentence(kind), "properties": properties}
