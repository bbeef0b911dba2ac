"""Learning curves: whether another round of labels is worth it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, PositiveInt

from gateway.finding import project_of
from gateway.learning_curve import Point, fitted
from gateway.operations import Routes
from gateway.reading import read_query
from gateway.replies import reply
from gateway.services import SERVICES
from schemas.datasets import Version
from schemas.errors import NotFound
from schemas.learning import Advice, LearningCurve, LearningPoint
from schemas.models import Model
from schemas.schema import Id, Name, Schema
from schemas.splits import Split
from schemas.tasks import Task
from storage.ports import Database, Query

routes: Final = Routes("models")

MODELS_AT_MOST: Final = 200
MORE_AT_MOST: Final = 1_000_000_000
TRAINING: Final = "/training/"


class LearningQuery(Schema):
    """Which models, which figure, and how many more labels."""

    name: Name
    """The name of a line of models."""
    metric: Annotated[str, Field(max_length=100)] = "mAP"
    """The figure, as the executor named it."""
    next: Annotated[PositiveInt, Field(le=MORE_AT_MOST)] = 100
    """How many more images would be labeled."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How much has to be gained for a round to be worth it."""


@routes.get("/v1/projects/{project}/learning-curve", query=LearningQuery, answer=LearningCurve)
async def show_learning_curve(request: web.Request) -> web.Response:
    """Show how a figure of a line of models grew with their labels, and what more labels are expected to add."""
    query = read_query(request, LearningQuery)
    project = await project_of(request)
    points = await _points(query, project.id, request.app[SERVICES].database)
    if not points:
        step = f"GET /v1/projects/{project.name}/models lists those there are, with the figures of their stages."
        raise NotFound(f"model with a figure {query.metric!r} and the name", query.name, step=step)
    return reply(await asyncio.to_thread(_curve, query, points))


async def _points(query: LearningQuery, project: Id, database: Database) -> list[LearningPoint]:
    wanted = Query(equal={"project": project, "name": query.name, "removed_at": None})
    models = (await database.documents(Model).list(wanted, order="-created_at", limit=MODELS_AT_MOST)).items
    tasks = {task.id: task for task in await database.documents(Task).get_many([model.task for model in models])}
    given = {
        model.id: [put.version for put in tasks[model.task].inputs if put.pointer.startswith(TRAINING)]
        for model in models
        if model.task in tasks
    }
    ids = sorted({version for versions in given.values() for version in versions})
    sizes = {version.id: _images(version) for version in await database.documents(Version).get_many(ids)}
    points = []
    for model in models:
        stage = model.stage(None)
        images = sum(sizes.get(version, 0) for version in given.get(model.id, ()))
        if images and stage is not None and query.metric in stage.metrics:
            value = stage.metrics[query.metric]
            points.append(LearningPoint(model=model.id, stage=stage.name, images=images, value=value))
    return sorted(points, key=lambda point: (point.images, point.model))


def _images(version: Version) -> int:
    """Return how many images a training takes from a version: those of the training split, all where it has none."""
    return version.counts.splits.get(Split.TRAINING) or version.counts.images


def _curve(query: LearningQuery, points: Sequence[LearningPoint]) -> LearningCurve:
    curves = fitted([Point(point.images, point.value) for point in points])
    most = points[-1].images
    now, after = curves.at(most), curves.at(most + query.next)
    gain = curves.estimate(after - now)
    return LearningCurve(
        name=query.name,
        metric=query.metric,
        points=tuple(points),
        images=most,
        next=query.next,
        now=curves.estimate(now),
        after=curves.estimate(after),
        gain=gain,
        limit=curves.estimate(curves.limits),
        advice=_advice(gain.low, gain.high, least=query.least),
    )


def _advice(low: float, high: float, *, least: float) -> Advice:
    if low >= least:
        return Advice.LABEL_MORE
    return Advice.STOP if high < least else Advice.UNCLEAR
