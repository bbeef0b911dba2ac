"""Files of models and trainings: one of a package, and what an executor wrote for TensorBoard."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.files import send_blob
from gateway.finding import model_of, task_of
from gateway.operations import Routes
from gateway.packages import UNPACKING
from gateway.reading import read_query
from gateway.replies import reply
from gateway.scalars import scalars_of
from gateway.services import SERVICES
from schemas.errors import NotFound
from schemas.schema import Id, Schema
from schemas.training_logs import EVENTS_MEDIA_TYPE, Points, Scalars, TrainingLogs

routes: Final = Routes("models")

MODEL: Final = "/v1/projects/{project}/models/{id}"
POINTS: Final = 1_000


class FileQuery(Schema):
    """Which file is meant."""

    path: Annotated[str, Field(min_length=1, max_length=4_096)]
    """``<stage>/<file>``, or an attachment as the model lists it."""


class ScalarQuery(Schema):
    """Which scalars are meant."""

    tag: tuple[str, ...] = ()
    """The tags; all when none is named."""
    points: Points = POINTS
    """How many values of a tag at most; more are thinned out evenly."""


@routes.get(f"{MODEL}/file", query=FileQuery, media_type="application/octet-stream")
async def send_model_file(request: web.Request) -> web.StreamResponse:
    """Send one file of a model: of a stage, or an attachment."""
    model = await model_of(request)
    return await request.app[UNPACKING].send(request, model, read_query(request, FileQuery).path)


@routes.get(f"{MODEL}/scalars", query=ScalarQuery, answer=Scalars)
async def show_model_scalars(request: web.Request) -> web.Response:
    """Show the scalars that the training of a model wrote for TensorBoard."""
    return await _scalars(request, (await model_of(request)).logs)


@routes.get(f"{MODEL}/tensorboard", media_type=EVENTS_MEDIA_TYPE)
async def send_model_events(request: web.Request) -> web.StreamResponse:
    """Send what the training of a model wrote for TensorBoard: a tar with its event files."""
    model = await model_of(request)
    return await _events(request, model.logs, "model", model.id)


@routes.get("/v1/tasks/{id}/scalars", query=ScalarQuery, answer=Scalars)
async def show_task_scalars(request: web.Request) -> web.Response:
    """Show the scalars that a training wrote for TensorBoard, whether it succeeded or not."""
    return await _scalars(request, (await task_of(request)).result.logs)


@routes.get("/v1/tasks/{id}/tensorboard", media_type=EVENTS_MEDIA_TYPE)
async def send_task_events(request: web.Request) -> web.StreamResponse:
    """Send what a training wrote for TensorBoard: a tar with its event files."""
    task = await task_of(request)
    return await _events(request, task.result.logs, "task", task.id)


async def _scalars(request: web.Request, logs: TrainingLogs | None) -> web.Response:
    query = read_query(request, ScalarQuery)
    blobs = request.app[SERVICES].blobs
    return reply(await scalars_of(logs, tags=query.tag, points=query.points, blobs=blobs))


async def _events(request: web.Request, logs: TrainingLogs | None, kind: str, identity: Id) -> web.StreamResponse:
    if logs is None:
        step = "Its executor wrote none, or it has not ended."
        raise NotFound(f"event files of the {kind}", identity, step=step)
    name = f"tensorboard-{identity[:8]}.tar"
    return await send_blob(request, logs.events.digest, media_type=EVENTS_MEDIA_TYPE, file_name=name)
