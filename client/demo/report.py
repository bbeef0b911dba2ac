"""The demo's report: one HTML page that needs nothing else."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from client.demo.chart import curves
from client.demo.figures import Mean, ap, ap50, curve, verdict
from client.demo.loop import ARMS, MINED, RANDOM, Run
from schemas.evaluations import ClassFigures

PAGE: Final = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Picture:
    """A drawn image and what stands under it."""

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Galleries:
    """The pictures of the report."""

    validation: Sequence[Picture]
    picked: Sequence[Picture]


def page(runs: Sequence[Run], galleries: Galleries, *, seconds: float) -> str:
    """Return the report as one self-contained HTML page."""
    means = {arm: curve(runs, arm, ap50) for arm in ARMS}
    images = [measured.training_images for measured in runs[0].of(MINED)]
    return PAGE.substitute(
        verdict=escape(verdict(runs)),
        seeds=", ".join(str(run.seed) for run in runs),
        seconds=f"{seconds:.0f}",
        chart=curves(images, means),
        rounds=_rounds(runs),
        classes=_classes(runs),
        validation=_gallery(galleries.validation),
        picked=_gallery(galleries.picked),
    )


def _rounds(runs: Sequence[Run]) -> str:
    rows = []
    for arm in ARMS:
        measured = zip(runs[0].of(arm), curve(runs, arm, ap50), curve(runs, arm, ap), strict=True)
        for first, at_half, over_all in measured:
            boxes = _mean_boxes(runs, arm, first.number)
            rows.append((arm, str(first.number), str(first.training_images), boxes, str(at_half), str(over_all)))
    return "".join(_row(cells) for cells in rows)


def _mean_boxes(runs: Sequence[Run], arm: str, number: int) -> str:
    return f"{sum(run.of(arm)[number].boxes_labeled for run in runs) / len(runs):.0f}"


def _classes(runs: Sequence[Run]) -> str:
    names = [row.class_name for row in runs[0].rounds[0].evaluation.figures.classes]
    return "".join(_row((name, *(str(_class_mean(runs, arm, name)) for arm in (RANDOM, MINED)))) for name in names)


def _class_mean(runs: Sequence[Run], arm: str, name: str) -> Mean:
    found = [_figures_of(run.of(arm)[-1].evaluation.figures.classes, name).ap50 or 0.0 for run in runs]
    return Mean(sum(found) / len(found), None)


def _figures_of(classes: Sequence[ClassFigures], name: str) -> ClassFigures:
    return next((row for row in classes if row.class_name == name), ClassFigures(class_name=name))


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"


def _gallery(pictures: Sequence[Picture]) -> str:
    return "\n".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{b64encode(picture.jpeg).decode()}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for picture in pictures
    )
