"""Preprocessing: images made upright and smaller before an executor sees them, in files of the attempt alone."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.model_parameters import Preprocess
from storage.datasets.rows import AssetRow, ImageRow
from workers.executors.resizing import Resize, resize_all
from workers.executors.runs import PREPARED
from workers.executors.scaling import as_seen, scaled_all
from workers.image_pool import ImagePool
from workers.work import P_co, Work

AT_ONCE: Final = 8
"""Images that a process makes at a time."""
FAULTS_TOLD: Final = 1_000


class Preprocessor:
    """Makes images and their annotations as an executor is to see them."""

    def __init__(
        self,
        preprocess: Preprocess | None,
        *,
        pool: ImagePool,
        total: int,
        progress: Callable[[float], None],
        own: dict[bytes, ImageRow] | None = None,
    ) -> None:
        """Make so many images, telling of progress; ``own`` is told those that get another size, as they are now."""
        self._preprocess = preprocess
        self._own = own
        self._pool = pool
        self._total = total
        self._progress = progress
        self._seen = 0
        self.resized = 0
        """How many assets the executor sees in another size."""

    def row(self, row: AssetRow) -> AssetRow:
        """Return an asset as the executor sees it: the same if it is left alone."""
        image = as_seen(row.image, self._preprocess)
        if image is row.image:
            return row
        if (image.width, image.height) != (row.image.width, row.image.height):
            self.resized += 1
            if self._own is not None:
                self._own[row.image.asset] = row.image
        layers = {name: scaled_all(rows, was=row.image, now=image) for name, rows in row.layers.items()}
        return row._replace(image=image, layers=layers)

    async def make(self, images: Sequence[tuple[AssetRow, Path, Path]]) -> None:
        """Write the files of images that are not left alone, each from one file into another.

        Raise Invalid naming those that cannot be decoded.
        """
        orders = [self._order(row.image, source, target) for row, source, target in images]
        some = [orders[start : start + AT_ONCE] for start in range(0, len(orders), AT_ONCE)]
        told = await asyncio.gather(*(self._pool.call(resize_all, part) for part in some))
        reasons = [reason for part in told for reason in part]
        faults = [Fault(reason, row.asset) for (row, *_), reason in zip(images, reasons, strict=True) if reason]
        if faults:
            count, first = counted(len(faults), "image"), faults[0]
            raise Invalid(
                f"{count} cannot be turned or resized, as {first.pointer}: {first.detail}.",
                step="Exclude them.",
                faults=faults[:FAULTS_TOLD],
            )

    def saw(self, count: int) -> None:
        """Be told that so many more images are done, whether they were left alone or not."""
        self._seen += count
        self._progress(min(1.0, self._seen / max(1, self._total)))

    def _order(self, image: ImageRow, source: Path, target: Path) -> Resize:
        now = as_seen(image, self._preprocess)
        return Resize(source, target, now.width, now.height, image.orientation, image.media_type)


def preprocessor_of(
    preprocess: Preprocess | None,
    *,
    work: Work[P_co],
    total: int,
    pool: ImagePool,
    own: dict[bytes, ImageRow] | None = None,
) -> Preprocessor:
    """Return what makes so many images of a task upright, and as small as is asked, telling the task's progress."""
    phase = "preparing" if preprocess is None else "preprocessing"
    return Preprocessor(
        preprocess,
        pool=pool,
        total=total,
        progress=lambda fraction: work.progress(PREPARED * fraction, phase),
        own=own,
    )
