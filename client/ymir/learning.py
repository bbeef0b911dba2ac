"""The command ``ymir learning-curve``: whether another round of labels is worth it."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Final

from client.api import at
from client.ymir.ending import run
from client.ymir.reaching import add_common, project_of, reading
from client.ymir.telling import table, tell
from schemas.learning import Advice, Estimate, LearningCurve

ADVICE: Final = {
    Advice.LABEL_MORE: "label more: another round is worth it",
    Advice.UNCLEAR: "unclear: it may be worth it, or not",
    Advice.STOP: "stop: another round is not worth it",
}


def add_curve(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir learning-curve``."""
    parser.add_argument("name", metavar="MODEL", help="the name of a line of models, three of them at least")
    parser.add_argument("--metric", default="mAP", metavar="NAME", help="the figure, as the executor named it (mAP)")
    parser.add_argument(
        "--next", type=int, default=100, metavar="N", help="how many more images would be labeled (100)"
    )
    parser.add_argument("--least", type=float, default=0.01, metavar="GAIN", help="what makes a round worth it (0.01)")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_show(given)))


async def _show(given: Namespace) -> int:
    query = {name: str(getattr(given, name)) for name in ("name", "metric", "next", "least")}
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "learning-curve")
        curve = await client.get(LearningCurve, path, **query)
    if given.json:
        tell(curve.model_dump_json())
        return 0
    heads = ("images", curve.metric, "model", "stage")
    table(heads, [(f"{one.images:,}", f"{one.value:.3f}", one.model, one.stage) for one in curve.points])
    for line in _lines(curve):
        tell(line)
    return 0


def _lines(curve: LearningCurve) -> Iterator[str]:
    yield f"with {curve.images:,} images: {_told(curve.now)}"
    yield f"with {curve.next:,} more: {_told(curve.after)}, a gain of {_told(curve.gain)}"
    yield f"with any number: {_told(curve.limit)}"
    yield ADVICE[curve.advice]


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
