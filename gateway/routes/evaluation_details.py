"""What is kept beside an evaluation's table: curves, confusions, likely label errors; and plots of it."""

import asyncio
from typing import Final, get_args

from aiohttp import web
from pydantic import Field

from gateway.files import IMMUTABLE, PLAIN
from gateway.label_errors import label_errors
from gateway.operations import Routes
from gateway.plots import MEDIA_TYPES, Format, Name, plot
from gateway.reading import PageQuery, offset_of, page_size, read_query
from gateway.replies import reply
from gateway.routes.evaluations import EVALUATIONS, curves_of, evaluation_of, report_of, without
from gateway.services import SERVICES
from gateway.thumbnails import THUMBNAILS
from schemas.annotations import ClassName
from schemas.errors import NotFound
from schemas.evaluations import ClassCurves, Confusions, ErrorKind, LabelError
from schemas.pages import Page
from schemas.schema import Schema

routes: Final = Routes("evaluations")

EVALUATION: Final = f"{EVALUATIONS}/{{id}}"


class CurvesQuery(PageQuery):
    """Of which classes curves are asked for."""

    class_name: tuple[ClassName, ...] = Field(default=(), alias="class")
    """All when none is named."""


class LabelErrorsQuery(PageQuery):
    """Which likely label errors are listed."""

    kind: tuple[ErrorKind, ...] = ()
    """All when none is named."""


class PlotQuery(Schema):
    """How a plot is drawn."""

    format: Format = "svg"


@routes.get(f"{EVALUATION}/curves", query=CurvesQuery, answer=Page[ClassCurves])
async def list_curves(request: web.Request) -> web.Response:
    """List the curves of the classes: precision by recall, and counts by confidence."""
    query = read_query(request, CurvesQuery)
    limit, offset = page_size(request, query), offset_of(query)
    curves = (await curves_of(request, await evaluation_of(request))).classes
    wanted = [one for one in curves if not query.class_name or one.class_name in query.class_name]
    following = str(offset + limit) if offset + limit < len(wanted) else None
    return reply(Page[ClassCurves](items=tuple(wanted[offset : offset + limit]), next=following))


@routes.get(f"{EVALUATION}/confusions", answer=Confusions)
async def show_confusions(request: web.Request) -> web.Response:
    """Show how often what is of one class was taken for another, at the evaluation's IoU and confidence."""
    return reply((await curves_of(request, await evaluation_of(request))).confusions)


@routes.get(f"{EVALUATION}/label-errors", query=LabelErrorsQuery, answer=Page[LabelError])
async def list_label_errors(request: web.Request) -> web.Response:
    """List labels that are likely wrong, the likeliest first: where the ground truth and a sure model disagree."""
    query = read_query(request, LabelErrorsQuery)
    limit, offset = page_size(request, query), offset_of(query)
    evaluation = await evaluation_of(request)
    if evaluation.label_errors is None:
        raise without("label errors", evaluation)
    blobs = request.app[SERVICES].blobs
    return reply(await label_errors(evaluation.label_errors, query.kind, offset=offset, limit=limit, blobs=blobs))


@routes.get(f"{EVALUATION}/plots/{{name}}", query=PlotQuery, media_type="image/*")
async def send_plot(request: web.Request) -> web.Response:
    """Draw a plot.

    One of pr_curve, class_ap, f1_confidence, precision_confidence, recall_confidence, confusion_matrix; as SVG or PNG.
    """
    query, name = read_query(request, PlotQuery), plot_named(request.match_info["name"])
    report = await report_of(request)
    curves = await curves_of(request, report)
    async with request.app[THUMBNAILS].slots:
        drawn = await asyncio.to_thread(plot, name, report, curves, format=query.format)
    # An evaluation never changes.
    headers = {**PLAIN, "Cache-Control": IMMUTABLE}
    return web.Response(body=drawn, content_type=MEDIA_TYPES[query.format], headers=headers)


def plot_named(name: str) -> Name:
    """Return a name as that of a plot; raise NotFound."""
    for known in get_args(Name):
        if known == name:
            found: Name = known
            return found
    raise NotFound("plot", name, step=f"There are: {', '.join(get_args(Name))}.")
