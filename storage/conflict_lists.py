"""Lists of conflicts: lines of JSON in one blob, found again by their number without reading the others."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from schemas.conflicts import Conflict, ConflictList
from schemas.errors import Invalid
from storage.ports import Blobs

LINES: Final = "application/x-ndjson"
PLACES: Final = "application/vnd.ymir.places"
PLACE: Final = np.dtype("<i8")


class ConflictFile:
    """A list that grows in a file of its own; not to be kept while something is being added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = [0]

    def __len__(self) -> int:
        return len(self._places) - 1

    async def add(self, conflicts: Sequence[Conflict]) -> None:
        """Append conflicts, which are numbered on."""
        await asyncio.to_thread(self._add, conflicts)

    async def keep(self, blobs: Blobs) -> ConflictList | None:
        """Keep all of them as blobs; None if there are none."""
        if not len(self):
            return None
        lines = await blobs.put_file(self._path, media_type=LINES)
        places = await blobs.put(np.array(self._places, PLACE).tobytes(), media_type=PLACES)
        return ConflictList(count=len(self), lines=lines, places=places)

    def _add(self, conflicts: Sequence[Conflict]) -> None:
        with self._path.open("ab") as file:
            for conflict in conflicts:
                line = conflict.model_dump_json(exclude_defaults=True).encode() + b"\n"
                file.write(line)
                self._places.append(self._places[-1] + len(line))


async def read_conflicts(kept: ConflictList, *, start: int, count: int, blobs: Blobs) -> list[Conflict]:
    """Return some conflicts by their numbers, as many as there are from the first on; raise as the blobs do."""
    count = min(count, kept.count - start)
    if count <= 0:
        return []
    places = await _part(blobs, kept.places.digest, start * PLACE.itemsize, (count + 1) * PLACE.itemsize)
    offsets = np.frombuffer(places, PLACE)
    data = await _part(blobs, kept.lines.digest, int(offsets[0]), int(offsets[-1] - offsets[0]))
    return await asyncio.to_thread(lambda: [Conflict.model_validate_json(line) for line in data.splitlines()])


async def _part(blobs: Blobs, digest: str, start: int, length: int) -> bytes:
    data = b"".join([piece async for piece in blobs.stream(digest, start=start, length=length)])
    if len(data) != length:
        raise Invalid(f"The blob {digest} is shorter than it has to be.", step="Restore the blob store from a back-up.")
    return data
