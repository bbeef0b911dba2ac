"""Readiness: which of the stores that a process works with answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import structlog

from schemas.errors import Fault, NotFound, Unavailable, YmirError
from schemas.schema import digest_of
from schemas.tasks import Task
from storage.ports import Blobs, Bus, Database

Check = Callable[[], Awaitable[object]]

CHECK_SECONDS: Final = 2.0
"""How long a store may take to answer."""
FRESH_SECONDS: Final = 1.0
"""For how long an answer holds: whoever asks more often asks the stores no more."""
DOCUMENTS: Final = "documents"
BLOBS: Final = "blobs"
BUS: Final = "bus"
VITAL: Final = frozenset({DOCUMENTS, BLOBS})
"""Without these a gateway accepts nothing."""
NAMES: Final[Mapping[str, str]] = {DOCUMENTS: "store of documents", BLOBS: "store of blobs", BUS: "bus"}

log = structlog.get_logger(__name__)


class Readiness:
    """Asks the stores how they are. What is wrong in detail is in the log only: anybody may read the answer."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        bus: Bus,
        *,
        vital: Collection[str],
        has_begun: Callable[[], bool] = lambda: True,
    ) -> None:
        """Parts that are not ``vital`` must have answered once; while they are away later, the process is ready."""
        self._has_begun = has_begun
        self._checks: Mapping[str, Check] = {
            DOCUMENTS: lambda: database.documents(Task).get_many(["0" * 32]),
            BLOBS: lambda: _answers(blobs),
            BUS: bus.check,
        }
        self._vital = frozenset(vital)
        self._came: set[str] = set()
        self._missing: dict[str, str] = {}
        self._checked_at = -FRESH_SECONDS
        self._lock = asyncio.Lock()

    async def missing(self) -> Mapping[str, str]:
        """Return what is wrong with each part that is away."""
        async with self._lock:
            if time.monotonic() - self._checked_at >= FRESH_SECONDS:
                told = await asyncio.gather(*map(self._check, self._checks))
                self._missing = {part: wrong for part, wrong in zip(self._checks, told, strict=True) if wrong}
                self._checked_at = time.monotonic()
            return self._missing

    async def check(self) -> Mapping[str, str]:
        """Return what is away although the process is ready; raise Unavailable if it is not."""
        missing = await self.missing()
        if missing.keys() & self._vital or missing.keys() - self._came:
            faults = [Fault(wrong, f"/{part}") for part, wrong in missing.items()]
            raise Unavailable(" ".join(missing.values()), step="See the log, and look at what is away.", faults=faults)
        if not self._has_begun():
            raise Unavailable("The process has not begun yet.", step="Wait; the log tells for what it waits.")
        return missing

    async def _check(self, part: str) -> str:
        """Return what is wrong with a part, nothing if it answers."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._checks[part]()
        except TimeoutError:
            return _told(part, "does not answer in time", "it took too long")
        except Unavailable as error:
            return _told(part, "does not answer", error.detail)
        except YmirError as error:
            return _told(part, "refuses us", error.detail)
        self._came.add(part)
        return ""


def _told(part: str, wrong: str, detail: str) -> str:
    log.warning("a part is missing", part=part, error=detail)
    return f"The {NAMES[part]} {wrong}."


async def _answers(blobs: Blobs) -> None:
    try:
        await blobs.size(digest_of(b""))
    except NotFound:
        return
