"""Operations: what each route reads and answers, told once for the router and for the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypedDict

from aiohttp import web
from pydantic import TypeAdapter
from typing_extensions import Unpack

from gateway.problems import Handler
from schemas.schema import Schema

JSON = "application/json"


class Told(TypedDict, total=False):
    """What a route says of itself."""

    body: type[Schema] | TypeAdapter[Any]
    query: type[Schema]
    answer: Any
    status: int
    media_type: str
    consumes: str
    public: bool
    accepts_key: bool
    created: bool


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    tag: str
    body: type[Schema] | TypeAdapter[Any] | None = None
    """The form of the request's JSON."""
    query: type[Schema] | None = None
    """The form of the parameters in the address."""
    answer: Any = None
    """The form of the answer's JSON: a model, or a page of one. None: the answer has no JSON."""
    status: int = 200
    media_type: str = JSON
    consumes: str = JSON
    """The media type of the request's body; other than JSON it is a file."""
    public: bool = False
    """Whether no key is needed."""
    accepts_key: bool = False
    """Whether the handler itself makes an ``Idempotency-Key`` the identity of what it makes."""
    created: bool = False
    """Whether the answer has a ``Location``."""


@dataclass(frozen=True)
class Routes:
    """The operations on one kind of resource."""

    tag: str
    operations: list[Operation] = field(default_factory=list)

    def get(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what reads something."""
        return self._declare("GET", path, told)

    def post(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what adds or does something."""
        return self._declare("POST", path, told)

    def put(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what sets something under a name."""
        return self._declare("PUT", path, told)

    def patch(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what changes something."""
        return self._declare("PATCH", path, told)

    def delete(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what hides or forgets something; it answers without a body."""
        return self._declare("DELETE", path, {"status": 204, **told})

    def _declare(self, method: str, path: str, told: Told) -> Callable[[Handler], Handler]:
        def declared(handler: Handler) -> Handler:
            self.operations.append(Operation(method=method, path=path, handler=handler, tag=self.tag, **told))
            return handler

        return declared


def operation_of(request: web.Request) -> Operation | None:
    """Return the operation that a request is for; None where no route matched."""
    return request.app[OPERATIONS].get((_method(request), _path(request)))


def _method(request: web.Request) -> str:
    return "GET" if request.method == "HEAD" else request.method


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


OPERATIONS = web.AppKey("operations", dict[tuple[str, str], Operation])
