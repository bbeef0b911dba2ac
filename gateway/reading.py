"""Reading requests: JSON and query parameters become checked values, or a problem that points at each fault."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar, get_origin

from aiohttp import web
from pydantic import JsonValue, PositiveInt, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.problems import Refused
from gateway.services import SERVICES
from schemas.errors import Fault, Invalid
from schemas.refs import REF_PATTERN
from schemas.schema import ID_PATTERN, NAME_PATTERN, Schema

T = TypeVar("T")
S = TypeVar("S", bound=Schema)

# Above this many bytes a body is read in a thread: parsing it would hold up other requests.
LARGE_BYTES: Final = 64 * 1024
OFFSET_DIGITS: Final = 9

# What people are told in place of a pattern.
FORMS: Final[Mapping[str, str]] = {
    NAME_PATTERN: "A name has at most 100 letters, digits, dots, dashes and underscores, and no sign first.",
    ID_PATTERN: "This is no id: one has 32 of the digits 0-9 and a-f.",
    REF_PATTERN: "This names no version: write name, name@tag or name@3.",
}


class PageQuery(Schema):
    """Which page of a list is meant."""

    limit: PositiveInt | None = None
    """How many items; the service has a greatest number."""
    cursor: str | None = None
    """``next`` of the page before."""


async def read(request: web.Request, form: type[T] | TypeAdapter[T]) -> T:
    """Return the checked JSON body of a request.

    Raises Invalid with a JSON pointer for each fault, unknown fields among them; Refused for what is no JSON.
    """
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        detail = f"The body is {request.content_type}, and has to be JSON."
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, step="Send Content-Type: application/json.")
    body = await request.read()
    adapter = form if isinstance(form, TypeAdapter) else TypeAdapter(form)
    if len(body) > LARGE_BYTES:
        return await asyncio.to_thread(parse, body, adapter)
    return parse(body, adapter)


def parse(body: bytes, adapter: TypeAdapter[T]) -> T:
    """Return a JSON text as a checked value; raise as ``read`` does."""
    given = _json(body)
    try:
        return adapter.validate_json(body, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults = [Fault(message_of(detail), _pointer(detail, given)) for detail in details]
    raise Invalid("The request does not have the form it needs.", step="Correct what is named.", faults=faults)


def read_query(request: web.Request, form: type[S]) -> S:
    """Return the checked parameters in a request's address; raise Invalid naming each fault."""
    many = {field.alias or name for name, field in form.model_fields.items() if get_origin(field.annotation) is tuple}
    given: dict[str, str | list[str]] = {}
    faults: list[Fault] = []
    for name in dict.fromkeys(request.query):
        values = request.query.getall(name)
        given[name] = values if name in many else values[0]
        if len(values) > 1 and name not in many:
            faults.append(Fault("This parameter can be given once only.", f"?{name}"))
    try:
        if not faults:
            return form.model_validate(given, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults = [Fault(message_of(detail), f"?{'/'.join(map(str, detail['loc']))}") for detail in details]
    known = ", ".join(field.alias or name for name, field in form.model_fields.items())
    step = f"These parameters are known here: {known}." if known else "No parameters are known here."
    raise Invalid("The parameters in the address are not right.", step=step, faults=faults)


def page_size(request: web.Request, query: PageQuery) -> int:
    """Return how many items the page asked for may have; raise Invalid if it would be too large."""
    settings = request.app[SERVICES].settings
    if query.limit is None:
        return settings.page_items
    if query.limit > settings.page_items_at_most:
        fault = Fault(f"A page has at most {settings.page_items_at_most} items.", "?limit")
        raise Invalid("The page is too large.", step="Ask for less, and follow `next`.", faults=[fault])
    return query.limit


def offset_of(query: PageQuery) -> int:
    """Return how many items come before a page whose cursors are just that; raise Invalid for any other."""
    if query.cursor is None:
        return 0
    if not (query.cursor.isascii() and query.cursor.isdigit() and len(query.cursor) <= OFFSET_DIGITS):
        raise Invalid("The cursor is not one of this list.", step="Follow `next` of the page before.")
    return int(query.cursor)


def message_of(detail: ErrorDetails) -> str:
    """Return what is wrong with a value, as people are told."""
    if detail["type"] == "extra_forbidden":
        return "This field is not known here."
    if detail["type"] == "union_tag_not_found":
        return "This field is required: it says which kind is meant."
    if detail["type"] == "string_pattern_mismatch":
        return FORMS.get(detail["ctx"]["pattern"], detail["msg"])
    return detail["msg"].removeprefix("Value error, ")


def _json(body: bytes) -> JsonValue:
    try:
        given: JsonValue = json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        detail = f"The body is no JSON{where}: {error if where else 'it cannot be read'}."
        raise Refused(HTTPStatus.BAD_REQUEST, detail, step="Send one JSON object in UTF-8.") from error
    return given


def _without_repeats(pairs: Sequence[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1}) if len(names) < LARGE_BYTES else ["…"]
        faults = [Fault("This field is given more than once.", name) for name in repeated]
        raise Invalid("An object has a field twice.", step="Give each field once.", faults=faults)
    return fields


def _pointer(detail: ErrorDetails, given: Any) -> str:  # noqa: ANN401 - it descends into any JSON
    """Return a JSON pointer (RFC 6901); what names a member of a union only is no part of it."""
    parts: list[str] = []
    last = len(detail["loc"]) - 1
    for position, step in enumerate(detail["loc"]):
        inside = isinstance(given, dict) and step in given
        inside = inside or (isinstance(given, list) and isinstance(step, int) and step < len(given))
        if inside:
            given = given[step]
        elif position < last or detail["type"] != "missing":
            continue
        parts.append(str(step).replace("~", "~0").replace("/", "~1"))
    if detail["type"] == "union_tag_not_found":
        parts.append("type")
    return "".join(f"/{part}" for part in parts)
