"""Operations: what each route reads and answers, told once for the router and for the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from aiohttp import web
from pydantic import TypeAdapter
from typing_extensions import Unpack

from gateway.problems import Handler
from schemas.schema import Schema

JSON = "application/json"
BINARY = "application/octet-stream"


class Header(NamedTuple):
    """A header that a request may bear, for the OpenAPI document."""

    name: str
    told: str
    required: bool = False


class Told(TypedDict, total=False):
    """What a route says of itself."""

    body: type[Schema] | TypeAdapter[Any]
    query: type[Schema]
    answer: Any
    status: int
    media_type: str
    consumes: str
    headers: tuple[Header, ...]
    tells: tuple[Header, ...]
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
    headers: tuple[Header, ...] = ()
    """Headers of the request that mean something here, and here alone."""
    tells: tuple[Header, ...] = ()
    """Headers of the answer that mean something here, and here alone."""
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

    def head(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what tells of something in headers alone; without it, HEAD is GET without the body."""
        return self._declare("HEAD", path, {"media_type": BINARY, **told})

    def options(self, path: str, **told: Unpack[Told]) -> Callable[[Handler], Handler]:
        """Declare what tells what can be done; it answers without a body."""
        return self._declare("OPTIONS", path, {"status": 204, **told})

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
    operations, path = request.app[OPERATIONS], _path(request)
    found = operations.get((request.method, path))
    return operations.get(("GET", path)) if found is None and request.method == "HEAD" else found


def _path(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


OPERATIONS = web.AppKey("operations", dict[tuple[str, str], Operation])
