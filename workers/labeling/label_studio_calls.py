"""Calls of Label Studio's API, and their authorization."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import ClientResponse, ClientSession

from schemas.errors import NotFound, Unavailable
from storage.labeling.settings import ToolSettings
from workers.labeling.tool_errors import Reached, check_status, tool_errors


class Answered:
    """What the tool answered: JSON, and when it did by its own clock, as HTTP writes that."""

    def __init__(self, value: Any, date: str) -> None:  # noqa: ANN401 - JSON of the tool
        self.value = value
        self.date = date


class Calls:
    """One Label Studio, used as one of its users. Every call raises Unavailable, Invalid, and NotFound for 404."""

    def __init__(self, settings: ToolSettings, session: ClientSession) -> None:
        self._url = settings.url.rstrip("/")
        self._tool = Reached("Label Studio", self._url, "docs/labeling.md")
        self._token = settings.token
        self._session = session
        # A personal access token is exchanged for one that holds some minutes.
        self._is_personal = _is_web_token(settings.token.get_secret_value())
        self._access = ""

    @property
    def url(self) -> str:
        """Where the tool is."""
        return self._url

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answered:
        """Return what is at a path."""
        return await self._call("GET", path, query=query)

    async def send(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON of the tool
        """Send JSON, and return what the tool made of it."""
        return (await self._call(method, path, body=body)).value

    async def delete(self, path: str) -> None:
        """Remove what is at a path; what is not there is no error."""
        try:
            await self._call("DELETE", path)
        except NotFound:
            return

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> Answered:
        for is_last in (False, True):
            async with self._response(method, path, query, body, await self._headers()) as response:
                if response.status == HTTPStatus.UNAUTHORIZED and self._is_personal and not is_last:
                    self._access = ""
                    continue
                return await self._answered(response)
        raise AssertionError

    async def _headers(self) -> dict[str, str]:
        token = self._token.get_secret_value()
        if not self._is_personal:
            return {"Authorization": f"Token {token}"}
        if not self._access:
            async with self._response("POST", "/api/token/refresh", None, {"refresh": token}, {}) as response:
                self._access = (await self._answered(response)).value["access"]
        return {"Authorization": f"Bearer {self._access}"}

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object, headers: Mapping[str, str]
    ) -> AsyncIterator[ClientResponse]:
        data = None if body is None else orjson.dumps(body)
        sent = {**headers, "Accept": "application/json"} | (
            {} if data is None else {"Content-Type": "application/json"}
        )
        with tool_errors(self._tool):
            async with self._session.request(
                method, f"{self._url}{path}", params=query, data=data, headers=sent, allow_redirects=False
            ) as response:
                yield response

    async def _answered(self, response: ClientResponse) -> Answered:
        text = await response.read()
        check_status(response, text, tool=self._tool)
        try:
            value = orjson.loads(text) if text else None
        except ValueError as error:
            raise Unavailable(f"{self._tool} answers something else than JSON.") from error
        return Answered(value, response.headers.get("Date", ""))


def _is_web_token(token: str) -> bool:
    """Tell whether a token is a JSON Web Token: those that Label Studio calls personal access tokens are."""
    head, *others = token.split(".")
    try:
        return len(others) == 2 and b'"alg"' in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))  # noqa: PLR2004 - head, claims, signature
    except (binascii.Error, ValueError):
        return False
