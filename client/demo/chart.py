"""A line chart as SVG: one curve for each arm, with bands of one standard error."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from client.demo.figures import Mean
from client.demo.loop import MINED, RANDOM

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 110, 20, 50
COLOURS: Final[Mapping[str, str]] = {MINED: "#0b6e4f", RANDOM: "#b8590b"}
OTHERS: Final = ("#0b6e4f", "#2456a6", "#7a3b8f")


class Frame(NamedTuple):
    """Which values the edges of the chart stand for."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return where a value of the horizontal axis is drawn."""
        span = (self.right - self.left) or 1.0
        return LEFT + (value - self.left) / span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return where a value of the vertical axis is drawn."""
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def curves(images: Sequence[int], arms: Mapping[str, Sequence[Mean]]) -> str:
    """Return the chart of mAP@0.5 over the number of training images."""
    values = [mean.value + sign * (mean.error or 0.0) for means in arms.values() for mean in means for sign in (-1, 1)]
    frame = Frame(min(images), max(images), max(0.0, min(values) - 0.02), min(1.0, max(values) + 0.02))
    drawn = "".join(
        _curve(frame, images, means, COLOURS.get(arm, OTHERS[place % len(OTHERS)]), arm)
        for place, (arm, means) in enumerate(arms.items())
    )
    title = "mAP at IoU 0.5 over the number of training images"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{_axes(frame, images)}{drawn}"
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">training images</text></svg>'
    )


def _axes(frame: Frame, images: Sequence[int]) -> str:
    steps = [frame.low + (frame.high - frame.low) * step / 5 for step in range(6)]
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{frame.y(at):.1f}" y2="{frame.y(at):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{frame.y(at) + 4:.1f}" text-anchor="end">{at:.2f}</text>'
        for at in steps
    ]
    ticks = [f'<text x="{frame.x(n):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{n}</text>' for n in images]
    return "".join(lines + ticks)


def _curve(frame: Frame, images: Sequence[int], means: Sequence[Mean], colour: str, name: str) -> str:
    line = [(frame.x(count), frame.y(mean.value)) for count, mean in zip(images, means, strict=True)]
    upper = [(frame.x(n), frame.y(mean.value + (mean.error or 0))) for n, mean in zip(images, means, strict=True)]
    lower = [(frame.x(n), frame.y(mean.value - (mean.error or 0))) for n, mean in zip(images, means, strict=True)]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in line)
    end_x, end_y = line[-1]
    return (
        f'<polygon points="{_points([*upper, *reversed(lower)])}" fill="{colour}" opacity="0.15"/>'
        f'<polyline points="{_points(line)}" fill="none" stroke="{colour}" stroke-width="2.5"/>{dots}'
        f'<text x="{end_x + 10:.1f}" y="{end_y + 4:.1f}" fill="{colour}">{name}</text>'
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
