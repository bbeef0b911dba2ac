"""Arrays as columns of Arrow tables."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from workers.evaluation.matching import Bools


def fixed(matrix: NDArray[np.uint8], *, known: Bools | None = None) -> pa.Array:
    """Return a matrix as a column of as many bytes each; null where it is not known."""
    data = pa.py_buffer(np.ascontiguousarray(matrix).tobytes())
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(matrix.shape[1]), len(matrix), [validity, data])


def same(text: str, count: int) -> pa.Array:
    """Return a column that has one text everywhere."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))
