"""Lists of the images of each split, one line for each."""

from collections.abc import Iterator, Mapping
from typing import Final

from schemas.splits import Split
from workers.formats.exporter import Order
from workers.formats.spool import Spool

SPLIT_NAMES: Final[Mapping[Split, str]] = {Split.TRAINING: "train", Split.VALIDATION: "val", Split.TEST: "test"}


class SplitLists:
    """Collects a line for each image that has a split."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._spools: dict[Split, Spool] = {}

    def add(self, split: Split, line: str) -> None:
        """Put a line on the list of a split; images without one are on none."""
        if split not in SPLIT_NAMES:
            return
        if split not in self._spools:
            self._spools[split] = self._order.spool(f"list-{split}")
        self._spools[split].write(f"{line}\n".encode())

    def lists(self) -> Iterator[tuple[str, Spool]]:
        """Yield the name of each split that has images, ``train``, ``val`` or ``test``, and its lines."""
        for split, name in SPLIT_NAMES.items():
            if split in self._spools:
                yield name, self._spools[split]
