"""The numbers of annotations: finite, and no box of negative size."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import Invalid
from storage.datasets.columns import BOX
from storage.datasets.rows import ImageRow

SCALARS: Final = (*BOX, "rotation", "area", "confidence", "quality")
LISTS: Final = ("polygons", "keypoints")
NOT_NEGATIVE: Final = frozenset({"width", "height"})


def check_numbers(annotations: pa.Table, images: Sequence[ImageRow]) -> None:
    """Raise Invalid, naming the asset, for a number that is not finite and for a box of negative size."""
    for name in SCALARS:
        column = annotations.column(name)
        if column.null_count < len(column):
            _check(name, column, np.arange(len(column)), annotations, images)
    for name in LISTS:
        _check(name, *_flat(annotations.column(name).combine_chunks()), annotations, images)


def _flat(column: Any) -> tuple[Any, Any]:  # noqa: ANN401 - pyarrow has no types
    """Return all numbers of a column of lists, and the row of each."""
    rows = np.arange(len(column))
    while pa.types.is_list(column.type):
        rows = rows[pc.list_parent_indices(column).to_numpy()]
        column = column.flatten()
    return column, rows


def _check(name: str, numbers: Any, rows: Any, annotations: pa.Table, images: Sequence[ImageRow]) -> None:  # noqa: ANN401 - pyarrow has no types
    good = pc.is_finite(numbers)
    if name in NOT_NEGATIVE:
        good = pc.and_(good, pc.greater_equal(numbers, 0.0))
    bad = pc.indices_nonzero(pc.invert(good))
    if len(bad):
        place = bad[0].as_py()
        image = images[annotations.column("image")[rows[place]].as_py()]
        raise Invalid(
            f"An annotation of the asset {image.asset.hex()} ({image.file_name or 'without a name'}) has the"
            f" {name} {numbers[place].as_py()}.",
            step="Correct or remove that annotation.",
        )
