"""Where the embedded service is: its data folder, and the address at which it listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from schemas.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the service keeps its data, where it listens, and what imports may read."""

    data: Path
    host: str
    port: int
    import_roots: tuple[Path, ...] = ()

    @property
    def url(self) -> str:
        """The address of the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Address(NamedTuple):
    """A place whose port is bound."""

    place: Place
    socket: socket.socket


@contextmanager
def listening(place: Place) -> Iterator[Address]:
    """Bind the port of a place, any free one for 0; raise Unavailable if it is taken."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        bound = socket.create_server((place.host, place.port), family=family)
    except (OSError, OverflowError) as error:
        step = "Choose another with --port."
        raise Unavailable(f"The address {place.url} cannot be used: {error}.", step=step) from error
    with bound:
        yield Address(replace(place, port=bound.getsockname()[1]), bound)
