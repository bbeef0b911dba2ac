"""A client for tests: every answer it gets has to be what its route declares."""

import json
import re
from fnmatch import fnmatch
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from pydantic import TypeAdapter

from gateway.app import operations
from gateway.operations import Operation
from gateway.services import SERVICES, Services
from schemas.problems import Problem

ADMIN = "an-administrators-key"
MEMBER = "a-members-key"
VIEWER = "a-viewers-key"
JSON = dict[str, Any]


class Api:
    """Calls the gateway with a key, and checks each answer against the model that its route declares."""

    def __init__(self, client: TestClient[Request, Application], secret: str = ADMIN) -> None:
        self.client = client
        self.secret = secret

    @property
    def services(self) -> Services:
        return self.client.app[SERVICES]

    def bearing(self, secret: str) -> "Api":
        return Api(self.client, secret)

    async def get(self, path: str, *, expect: int = 200, **given: Any) -> JSON:  # noqa: ANN401 - aiohttp's own arguments
        return await self.call("GET", path, expect=expect, **given)

    async def post(self, path: str, json: object = None, *, expect: int = 200, **given: Any) -> JSON:  # noqa: ANN401 - as above
        return await self.call("POST", path, expect=expect, json=json, **given)

    async def patch(self, path: str, json: object, *, expect: int = 200, **given: Any) -> JSON:  # noqa: ANN401 - as above
        return await self.call("PATCH", path, expect=expect, json=json, **given)

    async def delete(self, path: str, *, expect: int = 204) -> JSON:
        return await self.call("DELETE", path, expect=expect)

    async def call(self, method: str, path: str, *, expect: int, **given: Any) -> JSON:  # noqa: ANN401 - as above
        response = await self.raw(method, path, **given)
        body = await response.read()
        assert response.status == expect, body.decode()
        answer: JSON = json.loads(body) if body else {}
        return answer

    async def raw(self, method: str, path: str, **given: Any) -> ClientResponse:  # noqa: ANN401 - as above
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        headers |= given.pop("headers", {})
        response = await self.client.request(method, path, headers=headers, **given)
        check(method, path, response, await response.read())
        return response


def check(method: str, path: str, response: ClientResponse, body: bytes) -> None:
    """Assert that an answer is what its route declares, or a problem."""
    if response.status >= 400:
        assert response.content_type == "application/problem+json", body
        if method == "HEAD":
            return
        problem = Problem.model_validate_json(body)
        assert (problem.status, bool(problem.detail)) == (response.status, True)
        return
    operation = declared(method, path)
    if response.status in {206, 304}:
        return
    assert response.status == operation.status
    if operation.created:
        assert response.headers["Location"].startswith("/v1/")
    if operation.answer is not None:
        TypeAdapter(operation.answer).validate_json(body)
    elif operation.status == 204:
        assert body == b""
    else:
        assert fnmatch(response.content_type, operation.media_type)


def declared(method: str, path: str) -> Operation:
    """Return the operation of a path."""
    plain = path.partition("?")[0]
    matching = [
        operation
        for operation in operations()
        if operation.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", operation.path), plain)
    ]
    return min(matching, key=lambda operation: operation.path.count("{"))
