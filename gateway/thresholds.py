"""Figures at another confidence than the evaluation's, out of its curves."""

from typing import Final

from schemas.errors import Fault, Invalid
from schemas.evaluations import ClassCurves, ClassFigures, CurvesTable, EvaluationReport, Measure, rates

STEPS: Final = 100
CLOSE: Final = 1e-9


def at_confidence(report: EvaluationReport, curves: CurvesTable, confidence: float) -> EvaluationReport:
    """Return an evaluation whose counts, and what follows from them, are those at a confidence.

    Raise Invalid if it has more than two decimals: the curves have 101 places.
    """
    place = round(confidence * STEPS)
    if abs(place - confidence * STEPS) > CLOSE:
        fault = Fault("A confidence has two decimals at most here.", "?confidence")
        raise Invalid(
            "There are no figures at this confidence.", step="Ask for 0.35, or evaluate again.", faults=[fault]
        )
    if report.measure is Measure.SEMANTIC:
        raise Invalid("Pixels have no confidence.", step="Evaluate again with another confidence.")
    by_class = {one.class_name: one for one in curves.classes}
    figures = tuple(_changed(one, by_class[one.class_name], place) for one in report.figures.classes)
    counts = {name: sum(getattr(one, name) for one in figures) for name in ("true_positives", "false_positives")}
    return report.model_copy(
        update={
            "confidence": place / STEPS,
            "overall": report.overall.model_copy(update=_counts(**counts, truths=report.overall.ground_truths)),
            # What is by values has no curves.
            "figures": report.figures.model_copy(update={"classes": figures, "by_value": {}, "recall_by_value": {}}),
        }
    )


def _changed(figures: ClassFigures, curves: ClassCurves, place: int) -> ClassFigures:
    hits, misses = curves.true_positives[place], curves.false_positives[place]
    return figures.model_copy(update=_counts(hits, misses, truths=curves.ground_truths))


def _counts(true_positives: int, false_positives: int, *, truths: int) -> dict[str, float | None]:
    return {
        "true_positives": true_positives,
        "false_positives": false_positives,
        "false_negatives": truths - true_positives,
        **rates(true_positives, false_positives, truths),
    }
