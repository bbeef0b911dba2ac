"""Commands about evaluations: which there are, their figures class by class, their plots."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from client.api import at
from client.ymir.ending import run
from client.ymir.progress import bytes_shown, displayed
from client.ymir.reaching import add_common, project_of, reading
from client.ymir.results import evaluation_line
from client.ymir.telling import table, tell, tell_all
from schemas.evaluations import Evaluation, EvaluationReport, Figures

FORMATS: Final = ("svg", "png")
HEADS: Final = ("AP", "AP50", "AP75", "AR", "ground truths", "predictions", "TP", "FP", "FN")


def add_evaluations(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir evaluations``."""
    parser.add_argument("--of", metavar="REF", help="only those of a version: name, name@tag or name@3")
    parser.add_argument("--layer", metavar="LAYER", help="only those of a layer of predictions")
    parser.add_argument("--task", metavar="TASK", help="only those that a task made")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_list(given)))


def add_evaluation(parser: ArgumentParser, command: str) -> None:
    """Add the arguments of a command about one evaluation."""
    parser.add_argument("evaluation", metavar="EVALUATION", help="its id; `ymir evaluations` lists them")
    if command == "plot":
        parser.add_argument("name", metavar="NAME", help="which plot, such as pr_curve")
        parser.add_argument(
            "--to", type=Path, required=True, metavar="FILE", help="where it goes: FILE.svg or FILE.png"
        )
    if command == "label-errors":
        parser.add_argument("--kind", action="append", default=[], metavar="KIND", help="only these; may be repeated")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="how many, the likeliest first (50)")
    add_common(parser)
    work = {"show": _show, "plot": _plot, "label-errors": _label_errors}[command]
    parser.set_defaults(run=lambda given: run(work(given)))


def add_compare(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir evaluation compare``."""
    parser.add_argument("evaluations", nargs="+", metavar="EVALUATION", help="two or more; the first is the measure")
    add_common(parser)
    parser.set_defaults(run=lambda given: run(_compare(given)))


async def _list(given: Namespace) -> int:
    async with reading(given) as client:
        project = await project_of(client, given)
        query = {name: value for name in ("layer", "task") if (value := getattr(given, name)) is not None}
        if given.of is not None:
            query["version"] = (await client.version(project, given.of)).id
        found = [one async for one in client.items(Evaluation, at("projects", project, "evaluations"), **query)]
    rows = [
        (one.id, one.layer, one.ground_truth, *_figures(one.overall)[:2], f"{one.created_at:%Y-%m-%d %H:%M}")
        for one in found
    ]
    tell_all(given, ("id", "layer", "ground truth", "AP", "AP50", "made"), zip(found, rows, strict=True))
    return 0


async def _show(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "evaluations", given.evaluation)
        report = await client.get(EvaluationReport, path)
    if given.json:
        tell(report.model_dump_json())
        return 0
    tell(evaluation_line(report))
    marked = f"marked from IoU {report.iou:g}, confidence {report.confidence:g}"
    tell(f"  {report.layer} against {report.ground_truth}, {marked}")
    rows = [("all classes", *_figures(report.overall))]
    rows += [(one.class_name, *_figures(one)) for one in report.figures.classes]
    rows += [(f"where it is {value}", *_figures(one)) for value, one in report.figures.by_value.items()]
    _told(("", *HEADS), rows)
    return 0


async def _compare(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "evaluations", "compare")
        answer = await client.read(path, evaluation=given.evaluations)
    if given.json:
        tell(answer.decode())
        return 0
    found = json.loads(answer)
    rows = [
        (one["id"], one["layer"], _share(one["overall"].get("ap")), _gain(gain["ap"]), *_certainty(gain))
        for one, gain in zip(found["evaluations"], found["gains"], strict=True)
    ]
    _told(("", "layer", "AP", "gain", "F1 gain", "95 % of it"), rows)
    rows = [(one["class_name"], *map(_share, one["ap"]), *map(_gain, one["ap_gain"])) for one in found["classes"]]
    count = range(1, len(found["evaluations"]) + 1)
    _told(("class", *(f"AP {number}" for number in count), *(f"gain {number}" for number in count)), rows)
    return 0


async def _label_errors(given: Namespace) -> int:
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "evaluations", given.evaluation, "label-errors")
        answer = await client.read(path, kind=given.kind, limit=given.limit)
    found = json.loads(answer)["items"]
    if given.json:
        for one in found:
            tell(json.dumps(one))
        return 0
    heads = ("likely", "kind", "labeled", "predicted", "asset")
    rows = [
        (f"{one['score']:.2f}", one["kind"], one["class_name"] or "-", one["predicted_class"] or "-", one["asset"])
        for one in found
    ]
    _told(heads, rows)
    return 0


def _told(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Say rows under their heads, also where nobody watches: figures alone say nothing."""
    table(heads, rows if sys.stdout.isatty() else [heads, *rows])


def _certainty(gain: dict[str, Any]) -> tuple[str, str]:
    interval = gain.get("f1_interval")
    return _gain(gain.get("f1")), "" if interval is None else f"{interval[0]:+.3f}..{interval[1]:+.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _gain(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


async def _plot(given: Namespace) -> int:
    written_as = given.to.suffix.removeprefix(".").lower()
    async with reading(given) as client:
        path = at("projects", await project_of(client, given), "evaluations", given.evaluation, "plots", given.name)
        query = f"?format={written_as}" if written_as in FORMATS else ""
        with displayed() as display:
            await client.save(f"{path}{query}", given.to, seen=partial(bytes_shown, display, given.to.name))
    tell(str(given.to))
    return 0


def _figures(figures: Figures) -> tuple[str, ...]:
    shown = [figures.ap, figures.ap50, figures.ap75, figures.ar]
    counts = [
        figures.ground_truths,
        figures.predictions,
        figures.true_positives,
        figures.false_positives,
        figures.false_negatives,
    ]
    return (*map(_share, shown), *(f"{count:,}" for count in counts))
