"""Replies: checked values become answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel

from gateway.problems import Refused
from schemas.schema import Document
from storage import contested
from storage.ports import Documents

D = TypeVar("D", bound=Document)


class Hiding(Protocol):
    """A change that may hide what it changes, or show it again."""

    @property
    def removed(self) -> bool | None:
        """Whether it is hidden from now on; None leaves that as it is."""


def reply(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer of JSON; that of a document has its generation as ETag."""
    told = dict(headers or {})
    if isinstance(model, Document):
        told.setdefault("ETag", etag_of(model))
    body = model.model_dump_json().encode()
    return web.Response(body=body, status=status, content_type="application/json", headers=told)


async def reply_made(make: Callable[[], BaseModel]) -> web.Response:
    """Return an answer of JSON that takes a while to make: in a thread, so that others are answered meanwhile."""
    return await asyncio.to_thread(lambda: reply(make()))


def nothing() -> web.Response:
    """Return the answer to what was removed."""
    return web.Response(status=HTTPStatus.NO_CONTENT)


def etag_of(document: Document) -> str:
    """Return the ETag of a document."""
    return f'"{document.generation}"'


async def changed(
    request: web.Request, documents: Documents[D], read: Callable[[], Awaitable[D]], change: Callable[[D], D]
) -> D:
    """Keep the successor of a document and return it; a change in between is met by reading again.

    Raises Refused (412) if the request has an ``If-Match`` that is not the document's ETag.
    """

    async def matching() -> D:
        was = await read()
        _check_match(request, was)
        return was

    return (await contested.changed(documents, matching, change)).now


def changed_fields(document: D, change: Hiding, *names: str, at: datetime) -> D:
    """Return a document with the fields of a change that are given, hidden or shown as that says; the same if so."""
    changes: dict[str, Any] = {name: value for name in names if (value := getattr(change, name)) is not None}
    if change.removed is not None:
        changes["removed_at"] = (getattr(document, "removed_at", None) or at) if change.removed else None
    same = all(getattr(document, name) == value for name, value in changes.items())
    return document if same else document.successor(**changes)


def _check_match(request: web.Request, document: Document) -> None:
    wanted = request.if_match
    if wanted is None or any(etag.value == "*" or f'"{etag.value}"' == etag_of(document) for etag in wanted):
        return
    detail = f"The {document.KIND} was changed since you read it: its ETag is {etag_of(document)}."
    raise Refused(HTTPStatus.PRECONDITION_FAILED, detail, step="Read it again, then decide.")
