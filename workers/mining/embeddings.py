"""embeddings.npy: a row of features for each candidate, in the order of the index, checked and mapped into memory."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Invalid
from workers.executors.layout import EMBEDDINGS
from workers.mining.pool import Floats

NEXT_STEP: Final = (
    "Have the executor write a row of finite 32-bit floats for each line of candidate-index.tsv, or no file."
)
DIMENSIONS_AT_MOST: Final = 16_384
ROWS: Final = 16_384


def read_embeddings(path: Path, *, images: int) -> Floats | None:
    """Return the rows, not yet in memory; None if there is no file. Raise Invalid naming the rule that is broken."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        rows: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _refused(f"it is no array in NumPy's format: {str(error)[:200]}") from error
    if rows.dtype.kind != "f" or rows.dtype.itemsize > np.dtype(np.float64).itemsize:
        raise _refused(f"its numbers must be floats of 16, 32 or 64 bits, not {rows.dtype}")
    if rows.ndim != 2 or rows.shape[0] != images or not 1 <= rows.shape[1] <= DIMENSIONS_AT_MOST:  # noqa: PLR2004 - a matrix
        wanted = f"{images} rows of 1 to {DIMENSIONS_AT_MOST} numbers"
        raise _refused(f"it must have {wanted}, not the shape {rows.shape}")
    for start in range(0, images, ROWS):
        finite = np.isfinite(rows[start : start + ROWS]).all(axis=1)
        if not finite.all():
            raise _refused(f"row {start + int(finite.argmin()) + 1} has a number that is not finite")
    return rows


def _refused(detail: str) -> Invalid:
    return Invalid(f"{EMBEDDINGS}: {detail}.", step=NEXT_STEP)
