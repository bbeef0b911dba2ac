"""The OpenAPI 3.1 document: what the routes tell of themselves, and the schemas."""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from openapi_pydantic import OpenAPI
from pydantic import BaseModel, JsonValue, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gateway.asyncapi import CLOUD_EVENT
from gateway.event_schemas import event_schemas, named, sentence
from gateway.operations import JSON, Header, Operation
from gateway.problems import MEDIA_TYPE
from schemas.events import EventType
from schemas.problems import Problem

REF: Final = "#/components/schemas/{model}"
SECURITY: Final = "key"
PROBLEM: Final = "problem"
LOCATION: Final = Header("Location", "Where it is.")
PATH_PARAMETER: Final = re.compile(r"{(\w+)}")

Json = dict[str, Any]
Form = tuple[str, JsonSchemaMode]


def document(operations: Sequence[Operation], *, version: str) -> OpenAPI:
    """Return the description of all operations, checked."""
    forms, definitions = _schemas(operations)
    events, shared = event_schemas(ref=REF)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, forms)
    return OpenAPI.model_validate(
        {
            "openapi": "3.1.1",
            "info": {
                "title": "YMIR",
                "version": version,
                "description": "Versioned image datasets, and the tasks that make, label and learn from them.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "webhooks": {kind: {"post": _webhook(kind)} for kind in events},
            "security": [{SECURITY: []}],
            "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
            "components": {
                "schemas": {**definitions, **shared, **{named(kind): schema for kind, schema in events.items()}},
                "responses": {PROBLEM: _problem()},
                "securitySchemes": {SECURITY: {"type": "http", "scheme": "bearer", "description": "An API key."}},
            },
        }
    )


def _webhook(kind: EventType) -> Json:
    """Return what is sent to a webhook: one event, signed by Standard Webhooks 1.0."""
    text = {"type": "string"}
    signed = ("webhook-id", "webhook-timestamp", "webhook-signature")
    content = {CLOUD_EVENT: {"schema": {"$ref": REF.format(model=named(kind))}}}
    return {
        "operationId": f"webhook_{kind}",
        "tags": ["webhooks"],
        "summary": sentence(kind).rstrip("."),
        "parameters": [{"name": name, "in": "header", "required": True, "schema": text} for name in signed],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "2XX": {"description": "The event was taken."},
            "410": {"description": "Nothing more is wanted: the webhook is disabled."},
            "default": {"description": "The event is sent again later, as Retry-After may say."},
        },
        "security": [],
    }


def _schemas(operations: Sequence[Operation]) -> tuple[dict[Form, Json], Json]:
    """Return the schema of each form that is read or answered, and the definitions that they share."""
    wanted: dict[Form, TypeAdapter[Any]] = {(repr(Problem), "serialization"): TypeAdapter(Problem)}
    for operation in operations:
        if operation.body is not None:
            wanted[repr(operation.body), "validation"] = _adapter(operation.body)
        if operation.answer is not None:
            wanted[repr(operation.answer), "serialization"] = _adapter(operation.answer)
    inputs = [(name, mode, adapter) for (name, mode), adapter in wanted.items()]
    schemas, shared = TypeAdapter.json_schemas(inputs, ref_template=REF)
    return {(str(name), mode): schema for (name, mode), schema in schemas.items()}, shared.get("$defs", {})


def _adapter(form: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a model, a page of one, or an adapter
    return form if isinstance(form, TypeAdapter) else TypeAdapter(form)


def _operation(operation: Operation, forms: dict[Form, Json]) -> Json:
    told = inspect.getdoc(operation.handler) or ""
    described: Json = {
        "operationId": getattr(operation.handler, "__name__", operation.path),
        "tags": [operation.tag],
        "summary": told.splitlines()[0].rstrip(".") if told else operation.path,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_headers(operation)],
        "responses": _responses(operation, forms),
    }
    if operation.public:
        described["security"] = []
    if operation.body is not None:
        schema = forms[repr(operation.body), "validation"]
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    elif operation.consumes != JSON:
        binary = {"type": "string", "format": "binary"}
        described["requestBody"] = {"required": True, "content": {operation.consumes: {"schema": binary}}}
    return described


def _path_parameters(operation: Operation) -> Iterator[Json]:
    for name in PATH_PARAMETER.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(operation: Operation) -> Iterator[Json]:
    if operation.query is None:
        return
    schema = _inlined(operation.query)
    for name, field in schema.get("properties", {}).items():
        told = field.pop("description", "")
        required = name in schema.get("required", [])
        given: Json = {"name": name, "in": "query", "required": required, "schema": field}
        yield {**given, "description": told} if told else given


def _inlined(model: type[BaseModel]) -> Json:
    """Return the schema of query parameters with its enumerations in place."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(value: Any) -> Any:  # noqa: ANN401 - it descends into any JSON
        if isinstance(value, dict):
            if "$ref" in value:
                return definitions[value["$ref"].rpartition("/")[2]]
            return {key: inlined(inner) for key, inner in value.items()}
        return [inlined(inner) for inner in value] if isinstance(value, list) else value

    result: Json = inlined(schema)
    return result


def _headers(operation: Operation) -> Iterable[Json]:
    text = {"type": "string"}
    if operation.method == "POST" and not operation.public:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same key and body have the same answer, and no second effect.",
            "schema": {**text, "minLength": 1, "maxLength": 255},
        }
    for name, told, required in operation.headers:
        yield {"name": name, "in": "header", "description": told, "required": required, "schema": text}
    if operation.method == "PATCH" and operation.consumes == JSON:
        told = "The ETag of what was read: refused with 412 if it was changed since."
        yield {"name": "If-Match", "in": "header", "description": told, "schema": text}


def _responses(operation: Operation, forms: dict[Form, Json]) -> Json:
    answer: Json = {"description": "What was asked for."}
    if operation.answer is not None:
        answer["content"] = {JSON: {"schema": forms[repr(operation.answer), "serialization"]}}
    elif operation.status != HTTPStatus.NO_CONTENT and operation.method != "HEAD":
        answer["content"] = {operation.media_type: {}}
    told = (*((LOCATION,) if operation.created else ()), *operation.tells)
    if told:
        text = {"type": "string"}
        answer["headers"] = {header.name: {"description": header.told, "schema": text} for header in told}
    return {str(operation.status): answer, "default": {"$ref": f"#/components/responses/{PROBLEM}"}}


def _problem() -> dict[str, JsonValue]:
    return {
        "description": "Anything else is a problem (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model=Problem.__name__)}}},
    }
