"""The names that images have in an archive: their own, unless two are the same."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.datasets.asset_ids import AssetIds
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import ImageRow
from workers.formats.listing import base_name, stem_of
from workers.images import SUFFIXES

BATCH: Final = 4_096


class ExportedNames:
    """Names for the images of a content, asked for in its order; only names that come twice are remembered."""

    def __init__(self, repeated: NDArray[np.int64]) -> None:
        self._repeated = frozenset(repeated.tolist())
        self._taken: set[str] = set()

    @classmethod
    async def of_content(cls, content: Content, library: Library) -> "ExportedNames":
        """Look at all names, in eight bytes each."""
        hashes = [np.fromiter(_hashes(images), np.int64) async for images in _images(content, library)]
        sorted_hashes = np.sort(np.concatenate([np.zeros(0, np.int64), *hashes]))
        again = sorted_hashes[1:][sorted_hashes[1:] == sorted_hashes[:-1]]
        return cls(np.unique(again))

    def of(self, image: ImageRow) -> str:
        """Return the name of an image; where two differ only in case or suffix, all but the first get their asset's."""
        name = _own(image)
        stem = _stem(name)
        # A name that comes once is nobody else's, nor one that anybody could be given.
        if hash(stem) not in self._repeated:
            return name
        if stem in self._taken:
            name = _longer(image, name)
        self._taken.add(_stem(name))
        return name


async def _images(content: Content, library: Library) -> AsyncIterator[list[ImageRow]]:
    masks = content.image_masks()
    for segment, reader in (await library.segments(masks)).items():
        ids: AssetIds = await reader.assets()
        rows = np.flatnonzero(masks[segment])
        names: Any = None
        if reader.document.described:
            names = (await reader.images(["file_name"])).column("file_name")
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            told = [""] * len(some) if names is None else names.take(some).to_pylist()
            yield [ImageRow(ids.raw(row), name) for row, name in zip(some.tolist(), told, strict=True)]


def _hashes(images: Iterable[ImageRow]) -> Iterable[int]:
    for image in images:
        name = _own(image)
        yield hash(_stem(name))
        # Somebody may have called another image so.
        yield hash(_stem(_longer(image, name)))


def _own(image: ImageRow) -> str:
    # Elsewhere a backslash parts folders, and could lead out of the one that an archive is unpacked in.
    return base_name(image.file_name).replace("\\", "_") or image.asset.hex() + SUFFIXES.get(image.media_type, "")


def _longer(image: ImageRow, name: str) -> str:
    return f"{image.asset[:8].hex()}-{name}"


def _stem(name: str) -> str:
    # Annotations are files under the same stem, and some file systems know no upper case.
    return stem_of(name).lower()
