"""Where the embedded service is: its data folder, and the address at which it listens."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the service keeps its data, where it listens, and what imports may read."""

    data: Path
    host: str
    port: int
    import_roots: tuple[Path, ...] = ()
    executor_roots: tuple[Path, ...] = ()
    """Under which folders executors may be registered."""

    @property
    def url(self) -> str:
        """The address of the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Address(NamedTuple):
    """A place whose port is bound."""

    place: Place
    socket: socket.socket
