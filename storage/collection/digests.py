"""A set of digests that is kept on disk, a 256th of it in memory at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.schema import Digest
from storage.ports import StoredBlob

DIGEST_BYTES: Final = 32
SHARDS: Final = 256
WAITING_BYTES: Final = 16 << 20


class Digests:
    """Digests by their last byte, as places of blobs are: 32 bytes of disk each; its methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting = [bytearray() for _ in range(SHARDS)]
        self._waiting_bytes = 0
        self._known: tuple[int, frozenset[bytes]] | None = None

    def add(self, digest: Digest) -> None:
        """Add one digest."""
        raw = _raw(digest)
        self._waiting[raw[-1]] += raw
        self._count(DIGEST_BYTES)

    def add_all(self, ids: NDArray[np.uint8]) -> None:
        """Add digests as rows, of shape (n, 32)."""
        order = np.argsort(ids[:, -1], kind="stable")
        ids = ids[order]
        ends = np.searchsorted(ids[:, -1], np.arange(SHARDS), side="right")
        start = 0
        for shard, end in enumerate(ends):
            self._waiting[shard] += ids[start:end].tobytes()
            start = end
        self._count(ids.nbytes)

    def missing(self, blobs: Sequence[StoredBlob]) -> list[StoredBlob]:
        """Return the blobs that were not added; quickest if they come in the order of their places."""
        raw = sorted((_raw(blob.digest)[::-1], number) for number, blob in enumerate(blobs))
        return [blobs[number] for name, number in raw if name[::-1] not in self._shard(name[0])]

    def _count(self, added: int) -> None:
        self._known = None
        self._waiting_bytes += added
        if self._waiting_bytes >= WAITING_BYTES:
            self._flush()

    def _flush(self) -> None:
        for shard, waiting in enumerate(self._waiting):
            if waiting:
                with self._file(shard).open("ab") as file:
                    file.write(waiting)
                waiting.clear()
        self._waiting_bytes = 0

    def _shard(self, shard: int) -> frozenset[bytes]:
        if self._known is None or self._known[0] != shard:
            self._flush()
            path = self._file(shard)
            data = path.read_bytes() if path.exists() else b""
            self._known = shard, frozenset(data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES))
        return self._known[1]

    def _file(self, shard: int) -> Path:
        return self._folder / f"{shard:02x}"


def _raw(digest: Digest) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))
