"""The files that the system takes home of mining and inference, written while candidates are looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from torch_detector.boxes import Floats
from torch_detector.detect import Found


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield where to write; what is there in the end takes its place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    yield beside
    beside.replace(path)


def write_ranking(path: Path, ranking: Sequence[tuple[str, float]]) -> None:
    """Write result.tsv: all candidates, the most wanted first, with scores that never rise."""
    with written(path) as beside:
        beside.write_text("".join(f"{image}\t{score:.6f}\n" for image, score in ranking), encoding="utf-8")


class EmbeddingsFile:
    """embeddings.npy, a row for each candidate in index order, on disk from the first row on."""

    def __init__(self, path: Path, *, count: int) -> None:
        self._path, self._count, self._at = path, count, 0
        self._rows: np.memmap[tuple[int, ...], np.dtype[np.float32]] | None = None

    def add(self, rows: Floats) -> None:
        """Write the rows of the next candidates."""
        if self._rows is None:
            shape = self._count, rows.shape[1]
            self._rows = np.lib.format.open_memmap(self._path, mode="w+", dtype=np.float32, shape=shape)
        self._rows[self._at : self._at + len(rows)] = rows
        self._at += len(rows)

    def close(self) -> None:
        """Bring all rows to the file."""
        if self._rows is not None:
            self._rows.flush()


class DetectionsFile:
    """infer-result.json: every image by its base name, with an empty list if nothing was found on it."""

    def __init__(self, file: TextIO, class_names: Sequence[str]) -> None:
        self._file, self._names, self._between = file, class_names, ""
        file.write('{"detection": {')

    def add(self, image: str, found: Found) -> None:
        """Write what was found on an image; where a box is listed first, with the score of every class."""
        boxes = [self._box(*one) for one in zip(found.boxes, found.classes, found.scores, strict=True)]
        for row in np.sort(np.unique(found.boxes, axis=0, return_index=True)[1]):
            boxes[row]["class_scores"] = [round(float(share), 4) for share in found.shares[row]]
        told = json.dumps({"boxes": boxes}, ensure_ascii=False)
        self._file.write(f"{self._between}\n{json.dumps(Path(image).name, ensure_ascii=False)}: {told}")
        self._between = ","

    def close(self) -> None:
        """Write the end."""
        self._file.write("\n}}\n")

    def _box(self, corners: Floats, index: int, score: float) -> dict[str, object]:
        left, top, right, bottom = (float(value) for value in corners)
        box = {"x": left, "y": top, "w": right - left, "h": bottom - top}
        return {
            "box": {key: round(value, 2) for key, value in box.items()},
            "class_name": self._names[index],
            "score": round(float(score), 6),
        }
