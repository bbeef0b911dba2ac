"""``mir evaluate``: predictions are measured against a ground truth."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

from client.mir.codes import Code, MirError
from client.mir.commands.algebra import GROUND_TRUTH, ref_of
from client.mir.commands.keywords import ATTRIBUTES
from client.mir.revs import Rev, parse_rev, parse_revs
from client.mir.running import Run, running, target
from client.mir.telling import show
from schemas.datasets import Version
from schemas.evaluations import EvaluationReport, Figures, Measure

OBJECTS: Final = {"ap": "AP@0.5:0.95", "ap50": "AP@0.5", "ar": "AR"}
PIXELS: Final = {"iou": "IoU", "accuracy": "Acc", "pixel_accuracy": "aAcc"}
OVERALL: Final = frozenset({"ar", "pixel_accuracy"})
"""What is told of all classes together."""


async def evaluate(given: Namespace) -> None:
    """Print the figures of each layer of predictions in the sources."""
    sources, iou = parse_revs(given.src_revs), _least_overlap(given.iou_thrs)
    truth = None if given.gt_rev is None else parse_rev(given.gt_rev)
    async with running(given, "evaluate") as run:
        for rev in sources:
            version = await _united(run, rev, truth)
            layers = sorted(set(version.counts.layers) - {GROUND_TRUTH, ATTRIBUTES})
            if not layers:
                step = "Have a model predict first: mir mining --add-prediction, or import with --pred-dir."
                raise MirError(Code.NO_ANNOTATIONS, f"{rev} has no predictions", step=step)
            for layer in layers:
                asked = {"source": ref_of(version), "layer": layer, "iou": iou, "confidence": given.conf_thr}
                task = await run.task({"type": "evaluate", **asked})
                path = f"{run.session.path}/evaluations/{task.result.evaluation}"
                for line in _lines(rev, await run.session.client.get(EvaluationReport, path)):
                    show(line)
                run.done(task)


async def _united(run: Run, rev: Rev, truth: Rev | None) -> Version:
    """Return a version with the predictions of one rev and the ground truth of another."""
    version = await run.session.given(rev)
    if truth is None:
        return version
    other = await run.session.given(truth)
    if other.id == version.id:
        return version
    sources = [{"ref": ref_of(other)}, {"ref": ref_of(version)}]
    parameters: dict[str, Any] = {**target(run, f"evaluate: {rev} against {truth}"), "sources": sources}
    task = await run.task({"type": "merge", **parameters, "strategy": "host"})
    await run.made_version(task)
    path = f"{run.session.path}/datasets/{task.result.dataset}/versions/{task.result.number}"
    return await run.session.client.get(Version, path)


def _least_overlap(text: str) -> float:
    """Return where a range of overlaps begins; raise MirError if it is none."""
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in {1, 3} or not all(0 < number <= 1 for number in numbers) or numbers[0] == 1:
        step = "Write from:to:step, such as 0.5:1.0:0.05, or one number below 1."
        raise MirError(Code.INVALID_ARGS, f"invalid arg: --iou-thrs {text}", step=step)
    return numbers[0]


def _lines(rev: Rev, report: EvaluationReport) -> list[str]:
    whole, shown = report.overall, PIXELS if report.measure is Measure.SEMANTIC else OBJECTS
    counts = f"tp {whole.true_positives}, fp {whole.false_positives}, fn {whole.false_negatives}"
    at = f"at IoU {report.iou:g}, confidence {report.confidence:g}: {counts}"
    lines = [f"{rev} {report.layer}: {_figures(whole, shown)}; {at}"]
    lines += [f"  {one.class_name}: {_figures(one, shown, left_out=OVERALL)}" for one in report.figures.classes]
    return lines


def _figures(figures: Figures, shown: Mapping[str, str], *, left_out: frozenset[str] = frozenset()) -> str:
    return ", ".join(f"{told} {_shown(getattr(figures, name))}" for name, told in shown.items() if name not in left_out)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
