"""What a task made, in a line each."""

from pathlib import Path

from client.api import Client, at
from client.ymir.telling import counts_of, name_of, size
from schemas.counts import counted
from schemas.datasets import Version
from schemas.evaluations import EvaluationReport, Figures, Measure
from schemas.models import Model
from schemas.projects import Project
from schemas.tasks import Task


async def results(client: Client, task: Task, *, fetched_to: Path | None = None) -> list[str]:
    """Return lines about the version, model, evaluation and archive that a task made."""
    result, lines = task.result, list[str]()
    project = await project_name(client, task)
    if result.dataset is not None and result.number is not None:
        path = at("projects", project, "datasets", result.dataset, "versions", result.number)
        version = await client.get(Version, path)
        lines.append(f"{name_of(version)}: {counts_of(version)}")
    if result.model is not None:
        lines.append(model_line(await client.get(Model, at("projects", project, "models", result.model))))
    for evaluation in result.evaluations or [one for one in (result.evaluation,) if one is not None]:
        path = at("projects", project, "evaluations", evaluation)
        lines.append(evaluation_line(await client.get(EvaluationReport, path)))
    if result.archive is not None:
        where = f"`ymir task archive {task.id} --to FILE` fetches it" if fetched_to is None else f"in {fetched_to}"
        lines.append(f"archive of {size(result.archive.size)}: {where}")
    if result.predictions is not None:
        told = counted(result.predictions.pictures, "picture")
        lines.append(f"predictions on {told}: `ymir task predictions {task.id}` lists and draws them")
    if result.executor is not None:
        lines.append(f"executor {result.executor}")
    if result.labeling is not None:
        lines.append(f"labeling job {result.labeling}")
    return lines


async def project_name(client: Client, task: Task) -> str:
    """Return the name of the project of a task."""
    projects = client.items(Project, at("projects"))
    return "".join([project.name async for project in projects if project.id == task.project])


def model_line(model: Model) -> str:
    """Return a model's id and how good its recommended stage is."""
    stage = model.stage(None)
    measured = "" if stage is None else ", ".join(f"{name} {value:.3f}" for name, value in stage.metrics.items())
    return f"model {model.id}: {model.name}, stage {model.recommended_stage}" + (f", {measured}" if measured else "")


def evaluation_line(evaluation: EvaluationReport) -> str:
    """Return an evaluation's id and its figures over all classes."""
    overall = evaluation.overall
    shown = ("iou", "accuracy") if evaluation.measure is Measure.SEMANTIC else ("ap", "ap50", "ar")
    figures = [f"{name} {_figure(overall, name)}" for name in shown]
    measured = f"{evaluation.layer} by {evaluation.measure}"
    return f"evaluation {evaluation.id}: {measured}, {', '.join(figures)} on {counted(evaluation.images, 'image')}"


def _figure(figures: Figures, name: str) -> str:
    value: float | None = getattr(figures, name)
    return "-" if value is None else f"{value:.3f}"
