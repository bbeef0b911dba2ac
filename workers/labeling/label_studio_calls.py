"""Calls of Label Studio's API: their authorization, and what their errors mean."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession

from schemas.errors import Invalid, NotFound, Unavailable
from storage.labeling.settings import ToolSettings

SETTING: Final = "YMIR_LABELING_TOOLS"
SAID_LETTERS: Final = 500
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_DENIED: Final = frozenset({401, 403})


class Answered:
    """What the tool answered: JSON, and when it did by its own clock, as HTTP writes that."""

    def __init__(self, value: Any, date: str) -> None:  # noqa: ANN401 - JSON of the tool
        self.value = value
        self.date = date


class Calls:
    """One Label Studio, used as one of its users. Every call raises Unavailable, Invalid, and NotFound for 404."""

    def __init__(self, settings: ToolSettings, session: ClientSession) -> None:
        self._url = settings.url.rstrip("/")
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
        try:
            async with self._session.request(
                method, f"{self._url}{path}", params=query, data=data, headers=sent, allow_redirects=False
            ) as response:
                yield response
        except TimeoutError as error:
            raise Unavailable(f"Label Studio at {self._url} does not answer in time.") from error
        except (ClientError, OSError) as error:
            raise Unavailable(f"Label Studio at {self._url} does not answer: {error}.") from error

    async def _answered(self, response: ClientResponse) -> Answered:
        text = await response.read()
        self._check(response, text)
        try:
            value = orjson.loads(text) if text else None
        except ValueError as error:
            raise Unavailable(f"Label Studio at {self._url} answers something else than JSON.") from error
        return Answered(value, response.headers.get("Date", ""))

    def _check(self, response: ClientResponse, text: bytes) -> None:
        status = response.status
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = text[:SAID_LETTERS].decode(errors="replace")
        call = f"{response.method} {response.url.path}"
        if status in _DENIED:
            step = f"Put the token of a user who may make projects into {SETTING}, and start the service again."
            raise Invalid(f"Label Studio at {self._url} does not take the token ({status}).", step=step)
        if status in _LATER:
            raise Unavailable(f"Label Studio at {self._url} cannot answer {call} now ({status}).")
        if status == HTTPStatus.NOT_FOUND:
            raise NotFound(f"thing in Label Studio at {self._url} at", response.url.path)
        if status < HTTPStatus.BAD_REQUEST:
            target = response.headers.get("Location", "elsewhere")
            step = f"Have the url in {SETTING} be the one that it is reached at."
            raise Invalid(f"Label Studio at {self._url} sends {call} to {target}.", step=step)
        step = "See whether the labeling tool's release is one that is supported: docs/labeling.md."
        raise Invalid(f"Label Studio at {self._url} refuses {call} ({status}): {said}", step=step)


def _is_web_token(token: str) -> bool:
    """Tell whether a token is a JSON Web Token: those that Label Studio calls personal access tokens are."""
    head, *others = token.split(".")
    try:
        return len(others) == 2 and b'"alg"' in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))  # noqa: PLR2004 - head, claims, signature
    except (binascii.Error, ValueError):
        return False
