"""K-means (Lloyd), the same for the same input and seed, in blocks that bound its memory."""

from typing import Final

import numpy as np

from workers.mining.nearest import nearest_squares
from workers.mining.pool import Floats

ROUNDS: Final = 6


def clustered(features: Floats, firsts: Floats) -> Floats:
    """Return the centers that come of some first centers; one that loses all its members stays where it was."""
    centers = firsts.copy()
    of = nearest_squares(features, centers)[1]
    for _ in range(ROUNDS):
        order = np.argsort(of, kind="stable")
        there, starts = np.unique(of[order], return_index=True)
        sizes = np.diff(np.append(starts, len(of)))
        centers[there] = np.add.reduceat(features[order], starts, axis=0) / sizes[:, None].astype(np.float32)
        before, of = of, nearest_squares(features, centers)[1]
        if np.array_equal(before, of):
            break
    return centers
