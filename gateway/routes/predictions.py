"""Predictions: what an inference found on uploaded pictures, and the pictures with that drawn on them."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.asset_rows import asset_id_of
from gateway.drawing import PictureFormat
from gateway.files import IMMUTABLE, send_blob
from gateway.finding import task_of
from gateway.links import picture_links
from gateway.operations import Routes
from gateway.reading import PageQuery, page_size, read_query
from gateway.replies import reply_made
from gateway.routes.pictures import PICTURES, SignedQuery, send_drawn
from gateway.services import SERVICES
from gateway.thumbnails import Wanted
from schemas.errors import NotFound
from schemas.model_parameters import InferParameters
from schemas.outcomes import PredictedPictures
from schemas.pages import Page
from schemas.parameters import Fraction
from schemas.predictions import PredictedPicture
from schemas.tasks import Task
from storage.datasets.rows import AnnotationRow, AssetRow, to_annotation

routes: Final = Routes("predictions")

PREDICTIONS: Final = "/v1/tasks/{id}/predictions"
PICTURE: Final = "/v1/tasks/{id}/pictures/{asset}"


class PredictionsQuery(PageQuery):
    """Which predictions are listed."""

    confidence: Fraction = 0.0
    """From which confidence on."""


class DrawnQuery(SignedQuery):
    """How a picture is drawn."""

    written_as: Annotated[PictureFormat, Field(alias="format")] = PictureFormat.JPEG
    confidence: Fraction = 0.0
    """From which confidence on predictions are drawn."""
    size: Annotated[int, Field(ge=32, le=4096)] = 4096
    """The pixels of its long side; a smaller picture stays as it is."""


@routes.get(PREDICTIONS, query=PredictionsQuery, answer=Page[PredictedPicture])
async def list_predictions(request: web.Request) -> web.Response:
    """List the pictures that were sent for an inference, each with what was found on it, in a fixed order."""
    query = read_query(request, PredictionsQuery)
    task = await task_of(request)
    found = _found(task)
    library = request.app[SERVICES].library
    content = await library.content(found.manifest.digest)
    page = await library.page(content, limit=page_size(request, query), cursor=query.cursor)

    def made() -> Page[PredictedPicture]:
        views = (_view(request, task, row, _sure(row, found.layer, query.confidence)) for row in page.rows)
        return Page(items=tuple(views), next=page.next)

    return await reply_made(made)


@routes.get(f"{PICTURE}/image", query=SignedQuery, media_type="image/*")
async def send_uploaded_picture(request: web.Request) -> web.StreamResponse:
    """Send a picture as it was sent for an inference, whole or in part."""
    row = await _row_of(request, _found(await task_of(request)))
    media_type = row.image.media_type if row.image.media_type in PICTURES else "application/octet-stream"
    return await send_blob(request, f"sha256:{row.asset}", media_type=media_type)


@routes.get(f"{PICTURE}/drawn", query=DrawnQuery, media_type="image/*")
async def send_drawn_picture(request: web.Request) -> web.StreamResponse:
    """Send a picture as displayed, with what an inference found drawn on it."""
    query = read_query(request, DrawnQuery)
    found = _found(await task_of(request))
    wanted = Wanted(
        found.manifest.digest,
        asset_id_of(request),
        query.size,
        (found.layer,),
        query.confidence,
        query.written_as,
    )

    async def annotations() -> list[AnnotationRow]:
        return list((await _row_of(request, found)).layers.get(found.layer, ()))

    return await send_drawn(request, wanted, annotations, lasting=IMMUTABLE)


def _found(task: Task) -> PredictedPictures:
    """Return what an inference found on uploaded pictures; raise NotFound, saying where what is there is."""
    if task.result.predictions is not None:
        return task.result.predictions
    step = f"Wait: the task is {task.state}."
    if not isinstance(task.parameters, InferParameters):
        step = "An inference on uploads has some."
    elif task.result.dataset is not None:
        step = f"They are the layer {task.result.summary.get('layer')} of {task.result.dataset}@{task.result.number}."
    elif task.is_final:
        step = f"The task is {task.state}, and has found nothing."
    raise NotFound("list of predictions of the task", task.id, step=step)


async def _row_of(request: web.Request, found: PredictedPictures) -> AssetRow:
    library = request.app[SERVICES].library
    return await library.find(await library.content(found.manifest.digest), asset_id_of(request))


def _sure(row: AssetRow, layer: str, confidence: float) -> list[AnnotationRow]:
    return [one for one in row.layers.get(layer, ()) if (one.confidence or 0.0) >= confidence]


def _view(request: web.Request, task: Task, row: AssetRow, found: list[AnnotationRow]) -> PredictedPicture:
    image, drawn = picture_links(request.app[SERVICES], task.id, row.asset)
    return PredictedPicture(
        asset=row.asset,
        file_name=row.image.file_name,
        width=row.image.width,
        height=row.image.height,
        size=row.image.size,
        media_type=row.image.media_type,
        annotations=tuple(map(to_annotation, found)),
        image=image,
        drawn=drawn,
    )
