"""Marks: for each annotation of two layers whether it was met, as rows of a Parquet file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from workers.evaluation.arrow import fixed, same
from workers.evaluation.layers import ClassObjects
from workers.evaluation.matching import NOTHING, Floats, Ints, Matches

SCHEMA: Final = pa.schema(
    [
        pa.field("asset", pa.binary(32), nullable=False),
        pa.field("annotation", pa.binary(16), nullable=False),
        pa.field("class", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("layer", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("mark", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("match", pa.binary(16)),
        pa.field("iou", pa.float64()),
    ]
)

TABLES_AT_ONCE: Final = 512


class MarksFile:
    """Takes the marks of one class after the other."""

    def __init__(
        self, writer: pq.ParquetWriter, *, ground_truth: str, predictions: str, raw_ids: NDArray[np.uint8]
    ) -> None:
        self._writer = writer
        self._ground_truth = ground_truth
        self._predictions = predictions
        self._raw_ids = raw_ids
        self._later: list[pa.Table] = []

    def add(
        self, class_name: str, truths: ClassObjects, predicted: ClassObjects, matches: Matches, *, confidence: float
    ) -> None:
        """Write the marks of a class, at the last threshold of its matches.

        A prediction is ``tp`` or ``fp``, a ground truth ``mtp`` or ``fn``. Predictions below the confidence, those
        beyond the number that counts on an image, crowd regions and what lies in them have no mark.
        """
        sure = predicted.objects.score[matches.kept] >= confidence
        chosen, met, iou = matches.kept[sure], matches.met[-1][sure], matches.overlap[-1][sure]
        hit = met != NOTHING
        in_crowd = hit.copy()
        in_crowd[hit] = truths.objects.optional[met[hit]]
        chosen, met, iou, hit = chosen[~in_crowd], met[~in_crowd], iou[~in_crowd], hit[~in_crowd]
        back, overlap = np.full(len(truths.ids), NOTHING, np.int64), np.zeros(len(truths.ids))
        back[met[hit]], overlap[met[hit]] = chosen[hit], iou[hit]
        real = np.flatnonzero(~truths.objects.optional)
        self._write(class_name, self._predictions, ("fp", "tp"), predicted, truths.ids, chosen, met, iou)
        self._write(
            class_name, self._ground_truth, ("fn", "mtp"), truths, predicted.ids, real, back[real], overlap[real]
        )

    def asset(self, image: int) -> str:
        """Return the id of an asset by its number."""
        return bytes(self._raw_ids[image]).hex()

    def add_pixels(
        self, image: int, classes: Sequence[str], ids: NDArray[np.uint8], overlap: Floats, *, iou: float, is_truth: bool
    ) -> list[str]:
        """Write, and return, the marks of one image's annotations, given how far the pixels of their classes agree."""
        layer, marks = (self._ground_truth, ("fn", "mtp")) if is_truth else (self._predictions, ("fp", "tp"))
        hit = overlap >= iou
        columns = [
            fixed(np.repeat(self._raw_ids[image : image + 1], len(ids), axis=0)),
            fixed(ids),
            pa.array(classes, pa.string()).dictionary_encode(),
            same(layer, len(ids)),
            pa.DictionaryArray.from_arrays(pa.array(hit.astype(np.int32)), pa.array(marks)),
            pa.nulls(len(ids), pa.binary(16)),
            pa.array(overlap),
        ]
        self._later.append(pa.table(columns, schema=SCHEMA))
        if len(self._later) >= TABLES_AT_ONCE:
            self.flush()
        return [marks[one] for one in hit.astype(int)]

    def flush(self) -> None:
        """Write what was kept back."""
        if self._later:
            self._writer.write_table(pa.concat_tables(self._later).unify_dictionaries().combine_chunks())
        self._later = []

    def _write(
        self,
        class_name: str,
        layer: str,
        marks: tuple[str, str],
        own: ClassObjects,
        others: NDArray[np.uint8],
        rows: Ints,
        met: Ints,
        iou: Floats,
    ) -> None:
        if not len(rows):
            return
        hit = met != NOTHING
        partners = np.zeros((len(rows), 16), np.uint8)
        partners[hit] = others[met[hit]]
        columns = [
            fixed(self._raw_ids[own.objects.image[rows]]),
            fixed(own.ids[rows]),
            same(class_name, len(rows)),
            same(layer, len(rows)),
            pa.DictionaryArray.from_arrays(pa.array(hit.astype(np.int32)), pa.array(marks)),
            fixed(partners, known=hit),
            pa.array(iou, mask=~hit),
        ]
        self._writer.write_table(pa.table(columns, schema=SCHEMA))


@contextmanager
def marks_file(path: Path, *, ground_truth: str, predictions: str, raw_ids: NDArray[np.uint8]) -> Iterator[MarksFile]:
    """Open a file of marks; the asset ids are in the order of the numbers that objects have."""
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        file = MarksFile(writer, ground_truth=ground_truth, predictions=predictions, raw_ids=raw_ids)
        yield file
        file.flush()
