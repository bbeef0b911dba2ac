"""What lies on the shelves of a bucket, listed when many blobs of a shelf are asked for; for threads."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from minio.datatypes import Object

# So often a shelf is asked for one by one before it is listed, if it is no longer than that.
ONE_BY_ONE: Final = 2
LISTED: Final = 500
# Well below the day for which collection leaves a blob alone that was found to be younger than a day.
SECONDS: Final = 60.0


class Lying(NamedTuple):
    """What is known of an object."""

    size: int
    at: datetime


@dataclass
class _Shelf:
    until: float
    asked: int = 0
    lying: dict[str, Lying] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shelves:
    """The shelves that were asked for within the last minute."""

    def __init__(
        self, listing: Callable[[str], Iterable[Object]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask ``listing`` for the objects whose names begin with a prefix."""
        self._listing = listing
        self._monotonic = monotonic
        self._shelves: dict[str, _Shelf] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> Lying | None:
        """Return what lies under a name, None if nothing does; raise LookupError if the server has to be asked."""
        shelf = self._shelf(name)
        with shelf.lock:
            shelf.asked += 1
            if shelf.asked == ONE_BY_ONE + 1:
                shelf.lying = self._listed(name)
            if shelf.lying is None:
                raise LookupError(name)
            return shelf.lying.get(name)

    def put(self, name: str, lying: Lying) -> None:
        """Note what was just sent."""
        shelf = self._shelf(name)
        with shelf.lock:
            if shelf.lying is not None:
                shelf.lying[name] = lying

    def forget(self, name: str) -> None:
        """Know nothing any more of the shelf of a name."""
        with self._lock:
            self._shelves.pop(_place(name), None)

    def _shelf(self, name: str) -> _Shelf:
        with self._lock:
            now = self._monotonic()
            shelf = self._shelves.get(_place(name))
            if shelf is None or now >= shelf.until:
                shelf = self._shelves[_place(name)] = _Shelf(until=now + SECONDS)
            return shelf

    def _listed(self, name: str) -> dict[str, Lying] | None:
        found = list(islice(self._listing(f"{_place(name)}/"), LISTED + 1))
        if len(found) > LISTED:
            return None
        return {
            one.object_name: Lying(one.size or 0, one.last_modified)
            for one in found
            if one.object_name and one.last_modified
        }


def _place(name: str) -> str:
    return PurePosixPath(name).parent.as_posix()
