"""The figure of how rows grow, as SVG: seconds over images, both in powers of ten, one panel for each operation."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.bench.growth import Growing, Points

WIDTH, HEIGHT = 330, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 30, 36
COLUMNS: Final = 3
COLOURS: Final = ("#0b6e4f", "#8a8a8a", "#b8590b", "#3b5b92", "#8e3b76")
LEAST, MOST = 1e-3, 1e3
STYLE: Final = (
    "text{font:11px sans-serif;fill:#444}.t{font-weight:bold;fill:#222}"
    ".g{stroke:#ddd}polyline{fill:none;stroke-width:2}rect{fill:#fff}"
)


def figure(measured: Sequence[tuple[Growing, Points, Points]]) -> str:
    """Return the figure; ours is the first curve of each panel, the columnar limit the second, dashed."""
    most = max(count for _, ours, _ in measured for count, _ in ours)
    rows = -(-len(measured) // COLUMNS)
    panels = "".join(
        f'<g transform="translate({WIDTH * (number % COLUMNS)},{HEIGHT * (number // COLUMNS)})">'
        f"{_panel(growing, ours, limit, most)}</g>"
        for number, (growing, ours, limit) in enumerate(measured)
    )
    size = f'viewBox="0 0 {WIDTH * COLUMNS} {HEIGHT * rows}"'
    label = "seconds over the number of images, each operation in a panel"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}"><style>{STYLE}</style>'
        f'<rect width="100%" height="100%"/>{panels}</svg>\n'
    )


def _panel(growing: Growing, ours: Points, limit: Points, most: int) -> str:
    named = [("YMIR", ours), ("columnar limit", limit), *growing.peers]
    curves = "".join(
        _curve(name, points, most, number) for number, (name, points) in enumerate(named) if len(points) > 0
    )
    title = f'<text class="t" x="{LEFT}" y="16">{escape(growing.title)}</text>'
    return title + _grid(most) + curves


def _grid(most: int) -> str:
    across = [
        f'<text x="{_x(count, most):.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(count)}</text>'
        for count in (10**power for power in range(3, round(math.log10(most)) + 1))
    ]
    down = [
        f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(10.0**power):.0f}" y2="{_y(10.0**power):.0f}"/>'
        f'<text x="{LEFT - 4}" y="{_y(10.0**power) + 4:.0f}" text-anchor="end">{10.0**power:g} s</text>'
        for power in range(round(math.log10(LEAST)), round(math.log10(MOST)) + 1)
    ]
    return "".join([*down, *across])


def _curve(name: str, points: Points, most: int, number: int) -> str:
    colour, dashes = COLOURS[number % len(COLOURS)], ' stroke-dasharray="4 3"' if number == 1 else ""
    places = [(_x(count, most), _y(seconds)) for count, seconds in points if count <= most]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places)
    key = TOP + 10 + 13 * number
    return (
        f'<polyline points="{line}" stroke="{colour}"{dashes}/>{dots}'
        f'<text x="{LEFT + 6}" y="{key}" style="fill:{colour}">{escape(name)}</text>'
    )


def _x(count: float, most: int) -> float:
    share = (math.log10(count) - 3) / max(math.log10(most) - 3, 1)
    return LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16)


def _y(seconds: float) -> float:
    share = (math.log10(min(max(seconds, LEAST), MOST)) - math.log10(LEAST)) / math.log10(MOST / LEAST)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1_000}k"
