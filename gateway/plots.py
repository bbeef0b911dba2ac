"""Plots of an evaluation, drawn by matplotlib: equal evaluations are equal pictures."""

import io
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from schemas.errors import Invalid
from schemas.evaluations import ClassCurves, Confusions, CurvesTable, EvaluationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Format = Literal["svg", "png"]
Name = Literal["pr_curve", "class_ap", "f1_confidence", "precision_confidence", "recall_confidence", "confusion_matrix"]

MEDIA_TYPES: Final[Mapping[Format, str]] = {"svg": "image/svg+xml", "png": "image/png"}
LINES_AT_MOST: Final = 10
BARS_AT_MOST: Final = 40
CLASSES_AT_MOST: Final = 30
NAME_LETTERS: Final = 24
DARK: Final = 0.5
GRID: Final = np.arange(101) / 100
DOTS_PER_INCH: Final = 120
ALONE: Final = threading.Lock()
FONT_SIZE: Final = 9


def plot(name: Name, report: EvaluationReport, curves: CurvesTable, *, format: Format) -> bytes:
    """Return a picture; raise Invalid if the evaluation has nothing to draw there. CPU-heavy: call it in a thread."""
    # matplotlib's settings, fonts and filters are of the whole process.
    with ALONE:
        # Loaded at the first plot: it takes half a second, and most services draw none.
        from matplotlib import rcParams  # noqa: PLC0415 - see above
        from matplotlib.figure import Figure  # noqa: PLC0415 - see above

        # Names inside a file are made of this: without it no two would be equal.
        rcParams["svg.hashsalt"] = "ymir"
        rcParams["font.size"] = FONT_SIZE
        # A dollar in the name of a class is no mathematics.
        rcParams["text.parse_math"] = False
        # The font has not every sign that a class may be called by; these are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(7, 5), layout="constrained")
        DRAWN[name](figure.add_subplot(), report, curves)
        file = io.BytesIO()
        figure.savefig(file, format=format, dpi=DOTS_PER_INCH, metadata={"Date": None} if format == "svg" else {})
        return file.getvalue()


def _pr_curve(axes: "Axes", _: EvaluationReport, curves: CurvesTable) -> None:
    measured = _measured(curves)
    for one in measured[:LINES_AT_MOST]:
        axes.plot(GRID, one.precision50, linewidth=1, label=_short(one.class_name))
    mean = np.mean([one.precision50 for one in measured], axis=0)
    axes.plot(GRID, mean, color="black", linewidth=2, label=f"mean of {len(measured)}")
    _framed(axes, "Precision by recall at IoU 0.5", "recall", "precision")


def _class_ap(axes: "Axes", report: EvaluationReport, _: CurvesTable) -> None:
    figure = "ap" if report.overall.ap is not None else "iou"
    found = {one.class_name: getattr(one, figure) for one in report.figures.classes}
    ranked = sorted(((value, name) for name, value in found.items() if value is not None), reverse=True)
    if not ranked:
        raise _nothing()
    shown = ranked[:BARS_AT_MOST]
    axes.barh([_short(name) for _, name in shown], [value for value, _ in shown], color="tab:blue")
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    title = "AP at IoU 0.5:0.95" if figure == "ap" else "IoU"
    axes.set_title(f"{title} by class" + _of(len(shown), len(ranked)))
    axes.tick_params(axis="y", labelsize=9 if len(shown) <= BARS_AT_MOST / 2 else 6)


def _f1_confidence(axes: "Axes", report: EvaluationReport, curves: CurvesTable) -> None:
    _by_confidence(axes, report, curves, "F1", lambda hits, misses, truths: 2 * hits / (hits + misses + truths))


def _precision_confidence(axes: "Axes", report: EvaluationReport, curves: CurvesTable) -> None:
    # Where nothing is predicted nothing is wrong.
    def precision(hits: "Numbers", misses: "Numbers", _: int) -> "Numbers":
        return np.divide(hits, hits + misses, out=np.ones(len(hits)), where=hits + misses > 0)

    _by_confidence(axes, report, curves, "precision", precision)


def _recall_confidence(axes: "Axes", report: EvaluationReport, curves: CurvesTable) -> None:
    _by_confidence(axes, report, curves, "recall", lambda hits, _, truths: hits / truths)


def _by_confidence(axes: "Axes", report: EvaluationReport, curves: CurvesTable, name: str, rate: "Rate") -> None:
    measured = _measured(curves)
    for one in measured[:LINES_AT_MOST]:
        values = rate(np.array(one.true_positives), np.array(one.false_positives), one.ground_truths)
        axes.plot(GRID, values, linewidth=1, label=_short(one.class_name))
    hits, misses = (
        np.sum([getattr(one, kind) for one in measured], axis=0) for kind in ("true_positives", "false_positives")
    )
    whole = rate(hits, misses, sum(one.ground_truths for one in measured))
    axes.plot(GRID, whole, color="black", linewidth=2, label=f"all {len(measured)} classes")
    axes.axvline(report.confidence, color="grey", linestyle=":", linewidth=1)
    _framed(axes, f"{name[:1].upper()}{name[1:]} by confidence at IoU {report.iou:g}", "confidence", name)


def _confusion_matrix(axes: "Axes", _: EvaluationReport, curves: CurvesTable) -> None:
    counts, names = _matrix(curves.confusions)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    for row, column in zip(*np.nonzero(counts), strict=True) if len(names) <= CLASSES_AT_MOST / 2 else ():
        colour = "white" if shares[row, column] > DARK else "black"
        axes.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labeled")
    axes.set_title("What was taken for what (share of each row)" + _of(len(names) - 1, len(curves.confusions.classes)))


def _matrix(confusions: Confusions) -> tuple["Numbers", list[str]]:
    """Return the counts of the most frequent classes and the background, which is the last."""
    background = len(confusions.classes)
    sums = np.zeros(background + 1)
    for row, column, count in confusions.cells:
        sums[[row, column]] += count
    if not confusions.cells:
        raise _nothing()
    chosen = sorted(np.argsort(-sums[:background], kind="stable")[:CLASSES_AT_MOST].tolist())
    places = {code: place for place, code in enumerate([*chosen, background])}
    counts = np.zeros((len(places), len(places)))
    for row, column, count in confusions.cells:
        if row in places and column in places:
            counts[places[row], places[column]] = count
    return counts, [*(_short(confusions.classes[code]) for code in chosen), "background"]


def _measured(curves: CurvesTable) -> Sequence[ClassCurves]:
    """Return the classes with ground truths, the most frequent first."""
    measured = sorted((one for one in curves.classes if one.ground_truths), key=lambda one: -one.ground_truths)
    if not measured:
        raise _nothing()
    return measured


def _framed(axes: "Axes", title: str, below: str, beside: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def _short(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"


def _of(shown: int, whole: int) -> str:
    return f", {shown} of {whole}" if shown < whole else ""


def _nothing() -> Invalid:
    return Invalid("The evaluation has nothing to draw there.", step="Draw another plot, or another evaluation.")


Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Rate = Callable[[Numbers, Numbers, int], Numbers]
DRAWN: Final[Mapping[Name, Callable[["Axes", EvaluationReport, CurvesTable], None]]] = {
    "pr_curve": _pr_curve,
    "class_ap": _class_ap,
    "f1_confidence": _f1_confidence,
    "precision_confidence": _precision_confidence,
    "recall_confidence": _recall_confidence,
    "confusion_matrix": _confusion_matrix,
}
