"""How a command reaches what it works on: a running service, or a data folder that it owns meanwhile."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from client.api import Client, connected
from client.data_folder import Owner, owned, owner_of
from client.loading import uncollected
from client.secret_files import ADMIN_KEY
from client.terminal import write
from schemas.errors import Invalid, Unavailable

URL: Final = "YMIR_URL"
KEY: Final = "YMIR_KEY"
KEY_FILE: Final = "YMIR_KEY_FILE"
LOOK_SECONDS: Final = 0.1
KEY_SECONDS: Final = 30.0

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a command works on: the service at an address if there is one, else a data folder."""

    data: Path
    url: str | None = None
    key: str = field(default="", repr=False)


class Reached(NamedTuple):
    """A client of what was reached."""

    client: Client
    is_own: bool
    """Whether the service is this process, so that its tasks end with it."""


def tell_on_stderr(line: str) -> None:
    """Say what a command waits for."""
    write(line, sys.stderr)


def target_of(data: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """Return the service that ``YMIR_URL`` and a key name; without it the folder. Raise Invalid if there is no key."""
    url = environment.get(URL)
    if not url:
        return Target(data=data)
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{URL} is {url!r}, which is no address.", step="Set it to something like http://host:8080.")
    return Target(data=data, url=url, key=environment.get(KEY) or _key_in_file(environment.get(KEY_FILE)))


@asynccontextmanager
async def reached(
    target: Target,
    *,
    import_roots: tuple[Path, ...] = (),
    executor_roots: tuple[Path, ...] = (),
    tell: Tell = tell_on_stderr,
) -> AsyncIterator[Reached]:
    """Open a client for work: of the service, that of the folder's owner, or one in this process that then owns it.

    While another command owns the folder this waits, and tells once for whom. ``import_roots``: from where imports
    by path may read if the service is this process; ``executor_roots``: where executors may then lie.
    """
    async with AsyncExitStack() as stack:
        if (found := await _found(target)) is None:
            found = await _owned(target.data, stack, tell=tell)
        if found is not None:
            yield Reached(await stack.enter_async_context(connected(*found)), is_own=False)
            return
        with uncollected():
            from client.embedded import in_process  # noqa: PLC0415 - gateway and workers: only where they are needed

        url = await stack.enter_async_context(
            in_process(target.data, import_roots=import_roots, executor_roots=executor_roots)
        )
        key = await _key_of(target.data)
        yield Reached(await stack.enter_async_context(connected(url, key)), is_own=True)


@asynccontextmanager
async def readable(target: Target) -> AsyncIterator[Client]:
    """Open a client that only reads: of the service, that of the folder's owner, or of the folder itself.

    This needs no lock. Raise Invalid if there is nothing in the folder.
    """
    async with AsyncExitStack() as stack:
        if (found := await _found(target)) is not None:
            yield await stack.enter_async_context(connected(*found))
            return
        with uncollected():
            from client.folder_reading import reading  # noqa: PLC0415 - stores: only where they are needed

        calls = await stack.enter_async_context(reading(target.data, key=partial(_key_of, target.data)))
        yield Client(calls)


async def is_unattended(target: Target) -> bool:
    """Return whether a target is a data folder that nobody owns now, so that no task in it goes on."""
    return target.url is None and await asyncio.to_thread(owner_of, target.data) is None


async def _found(target: Target) -> tuple[str, str] | None:
    """Return the address and key of the service that a target has, if it has one."""
    if target.url is not None:
        return target.url, target.key
    owner = await asyncio.to_thread(owner_of, target.data)
    return None if owner is None or owner.url is None else (owner.url, await _key_of(target.data))


async def _owned(data: Path, stack: AsyncExitStack, *, tell: Tell) -> tuple[str, str] | None:
    """Own a folder, or return the address and key of an owner that serves."""
    told: Owner | None = None
    while True:
        try:
            stack.enter_context(owned(data))
        except Unavailable:
            owner = await asyncio.to_thread(owner_of, data)
        else:
            return None
        if owner is not None and owner.url is not None:
            return owner.url, await _key_of(data)
        if owner is not None and told is None:
            told = owner
            tell(f"waiting for {owner}, which works on {data}")
        await asyncio.sleep(LOOK_SECONDS)


async def _key_of(data: Path) -> str:
    """Return the key of a folder's administrator, which its owner makes at its first start."""
    path = data / ADMIN_KEY
    try:
        async with asyncio.timeout(KEY_SECONDS):
            while True:
                if key := await asyncio.to_thread(_text, path):
                    return key
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise Unavailable(f"There is no key in {path}.", step="Look at the log of the folder's owner.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as error:
        message = f"The key in {path} cannot be read: {error}."
        raise Invalid(message, step="Ask the folder's owner for access, or for a key.") from error


def _key_in_file(path: str | None) -> str:
    if not path:
        message = f"{URL} names a service, and there is no key for it."
        raise Invalid(message, step=f"Set {KEY}, or {KEY_FILE} to a file with the key.")
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeError) as error:
        raise Invalid(f"The key in {path} cannot be read: {error}.", step=f"Correct {KEY_FILE}.") from error
