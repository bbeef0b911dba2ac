"""Numbers in what an executor wrote."""

import math


def number(value: object) -> float | None:
    """Return a finite number as a float; None if it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
