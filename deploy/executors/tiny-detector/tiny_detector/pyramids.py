"""The windows of a list of images, kept in memory as far as a budget goes and computed again beyond it."""

from __future__ import annotations

from collections.abc import Sequence

from tiny_detector.images import read_picture
from tiny_detector.windows import Pyramid, pyramid


class Pyramids:
    """A list of windows, one item for each path; items are made when asked for."""

    def __init__(self, paths: Sequence[str], *, image_size: int, sides: Sequence[float], cache_bytes: int = 0) -> None:
        self._paths, self._image_size, self._sides = paths, image_size, sides
        self._kept: dict[int, Pyramid] = {}
        self._bytes_left = cache_bytes

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Pyramid:
        """Return the windows of one image; raise ImageError if it cannot be read."""
        if index in self._kept:
            return self._kept[index]
        if index >= len(self):
            raise IndexError(index)
        windows = pyramid(read_picture(self._paths[index], longest=self._image_size), sides=self._sides)
        if windows.bytes <= self._bytes_left:
            self._kept[index] = windows
            self._bytes_left -= windows.bytes
        return windows
