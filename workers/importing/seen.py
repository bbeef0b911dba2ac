"""The assets that an import has seen, in a file: however many there are, they need no more memory."""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from schemas.splits import Split

CACHE_KIB: Final = 8 << 10
_ASKED: Final = 500


class Seen(NamedTuple):
    """Under which name an asset came first, a digest of what was said of it (empty for nothing), and its split."""

    name: str
    said: bytes
    split: Split


class SeenAssets:
    """A table of them in a folder that goes away with the import; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "seen.sqlite", isolation_level=None, check_same_thread=False)
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            f"cache_size = -{CACHE_KIB}",
            "locking_mode = EXCLUSIVE",
        ):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.execute(
            "CREATE TABLE seen (asset BLOB PRIMARY KEY, name BLOB, said BLOB, split TEXT) WITHOUT ROWID"
        )

    def of(self, assets: Iterable[bytes]) -> dict[bytes, Seen]:
        """Return those of some assets that were seen."""
        wanted = list(assets)
        found: dict[bytes, Seen] = {}
        for start in range(0, len(wanted), _ASKED):
            some = wanted[start : start + _ASKED]
            places = ",".join("?" * len(some))
            rows = self._connection.execute(f"SELECT * FROM seen WHERE asset IN ({places})", some)  # noqa: S608 - marks
            found |= {asset: Seen(os.fsdecode(name), said, Split(split)) for asset, name, said, split in rows}
        return found

    def keep(self, seen: Mapping[bytes, Seen]) -> None:
        """Note assets, or what has changed of them."""
        rows = [(asset, os.fsencode(one.name), one.said, one.split) for asset, one in sorted(seen.items())]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
