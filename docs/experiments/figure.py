"""The figure of docs/mining.md: the mean curve of each strategy, with bands of one standard error."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.demo.chart import HEIGHT, WIDTH, curves
from client.demo.figures import Mean, mean
from docs.experiments.curves import Curve, of

FIGURE: Final = Path(__file__).parent.parent / "mining.svg"
START, PICKS = 60, 50
STYLE: Final = "<style>text{font:13px sans-serif;fill:#444}.grid{stroke:#ddd}</style>"


def drawn(measured: Sequence[Curve]) -> str:
    """Return the figure as SVG."""
    strategies = list(dict.fromkeys(curve.strategy for curve in measured))
    scores = {strategy: np.array([curve.scores for curve in of(measured, strategy)]) for strategy in strategies}
    images = [START + PICKS * number for number in range(len(measured[0].scores))]
    svg = curves(images, {strategy: _means(values) for strategy, values in scores.items()})
    size = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
    return svg.replace("<svg", size, 1).replace(">", f'>{STYLE}<rect width="100%" height="100%" fill="white"/>', 1)


def _means(scores: NDArray[np.float64]) -> list[Mean]:
    return [mean(column.tolist()) for column in scores.T]
