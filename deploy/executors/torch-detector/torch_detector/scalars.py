"""What is drawn over time: event files for TensorBoard, where its package is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Scalars:
    """Numbers by epoch."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - the package may be absent
        except ImportError:
            print("the package tensorboard is not installed: nothing is written for it", flush=True)
            self._writer = None
        else:
            self._writer = SummaryWriter(str(folder))

    def add(self, values: Mapping[str, float], *, epoch: int) -> None:
        """Write some numbers of an epoch."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, epoch)
            self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
