"""Marks: for each annotation of two layers whether it was met, as rows of a Parquet file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from storage.datasets.space import Space
from workers.evaluation.layers import ClassObjects
from workers.evaluation.matching import NOTHING, Bools, Floats, Ints, Matches

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


class MarksFile:
    """Takes the marks of one class after the other."""

    def __init__(
        self, writer: pq.ParquetWriter, *, ground_truth: str, predictions: str, raw_ids: NDArray[np.uint8]
    ) -> None:
        self._writer = writer
        self._ground_truth = ground_truth
        self._predictions = predictions
        self._raw_ids = raw_ids

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
        in_crowd[hit] = truths.objects.crowd[met[hit]]
        chosen, met, iou, hit = chosen[~in_crowd], met[~in_crowd], iou[~in_crowd], hit[~in_crowd]
        back, overlap = np.full(len(truths.ids), NOTHING, np.int64), np.zeros(len(truths.ids))
        back[met[hit]], overlap[met[hit]] = chosen[hit], iou[hit]
        real = np.flatnonzero(~truths.objects.crowd)
        self._write(class_name, self._predictions, ("fp", "tp"), predicted, truths.ids, chosen, met, iou)
        self._write(
            class_name, self._ground_truth, ("fn", "mtp"), truths, predicted.ids, real, back[real], overlap[real]
        )

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
            _fixed(self._raw_ids[own.objects.image[rows]]),
            _fixed(own.ids[rows]),
            _same(class_name, len(rows)),
            _same(layer, len(rows)),
            pa.DictionaryArray.from_arrays(pa.array(hit.astype(np.int32)), pa.array(marks)),
            _fixed(partners, known=hit),
            pa.array(iou, mask=~hit),
        ]
        self._writer.write_table(pa.table(columns, schema=SCHEMA))


@contextmanager
def marks_file(path: Path, *, ground_truth: str, predictions: str, space: Space) -> Iterator[MarksFile]:
    """Open a file of marks; the space is the one in which the objects' assets have their numbers."""
    rows = space.row_of(np.ones(space.rows, np.bool_))[:-1]
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        yield MarksFile(writer, ground_truth=ground_truth, predictions=predictions, raw_ids=space.raw_ids(rows))


def _fixed(matrix: NDArray[np.uint8], *, known: Bools | None = None) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(matrix).tobytes())
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(matrix.shape[1]), len(matrix), [validity, data])


def _same(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))
