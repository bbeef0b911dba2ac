"""Conflicts of a merge: what both sides changed differently, and the answers."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from aiohttp import web

from gateway.finding import task_of
from gateway.life import wake
from gateway.links import image_link
from gateway.operations import Routes
from gateway.reading import PageQuery, offset_of, page_size, read, read_query
from gateway.replies import reply
from gateway.resolving import (
    checked_answers,
    chosen_for_all,
    conflicts_of,
    is_settled,
    keep_answers,
    keep_rest,
    list_of,
    sheets_of,
    status_of,
)
from gateway.services import CALLER, SERVICES, Services
from gateway.views import ConflictAnswerView, ConflictView
from schemas.annotations import Annotation
from schemas.conflicts import (
    SHEET,
    ConflictAnswer,
    ConflictStatus,
    NumberedResolution,
    Resolution,
    Resolutions,
)
from schemas.datasets import Version
from schemas.errors import NotFound
from schemas.pages import Page
from schemas.projects import ClassList, Project
from schemas.tasks import Task

routes: Final = Routes("conflicts")

CONFLICTS: Final = "/v1/tasks/{id}/conflicts"
SHEETS_AT_ONCE: Final = 20
DIGITS: Final = 9


class AnswerState(StrEnum):
    """Whether a conflict is answered."""

    OPEN = "open"
    ANSWERED = "answered"


class ConflictQuery(PageQuery):
    """Which conflicts are listed."""

    state: AnswerState | None = None


@routes.get(CONFLICTS, query=ConflictQuery, answer=Page[ConflictView])
async def list_conflicts(request: web.Request) -> web.Response:
    """List what both sides of a merge changed differently, with the answers so far."""
    query = read_query(request, ConflictQuery)
    task = await task_of(request)
    limit, start = page_size(request, query), offset_of(query)
    found = await _answers_from(request, task, start, limit=limit + 1, state=query.state)
    views = await _views(request, task, found[:limit])
    following = str(found[limit][0]) if len(found) > limit else None
    return reply(Page[ConflictView](items=tuple(views), next=following))


@routes.get(f"{CONFLICTS}/status", answer=ConflictStatus)
async def show_conflict_status(request: web.Request) -> web.Response:
    """Show how many conflicts of a task there are, and how many of them are open."""
    return reply(await status_of(await task_of(request), request.app[SERVICES].database))


@routes.get(f"{CONFLICTS}/{{number}}", answer=ConflictView)
async def show_conflict(request: web.Request) -> web.Response:
    """Show one conflict with its answer."""
    task = await task_of(request)
    return reply(await _view(request, task, _number(request, task)))


@routes.post(f"{CONFLICTS}/resolve", body=Resolutions, answer=ConflictStatus)
async def resolve_conflicts(request: web.Request) -> web.Response:
    """Answer some conflicts, or all that are open; when all are answered the merge goes on."""
    given = await read(request, Resolutions)
    task, services = await task_of(request), request.app[SERVICES]
    numbered = [(f"/answers/{place}", answer) for place, answer in enumerate(given.answers)]
    await _keep(request, task, numbered)
    if given.all is not None:
        by, at = request[CALLER].name, services.clock()
        await keep_rest(task, given.all, by=by, at=at, database=services.database)
    await _go_on(request, task)
    return reply(await status_of(task, services.database))


@routes.post(f"{CONFLICTS}/{{number}}/resolve", body=Resolution, answer=ConflictView)
async def resolve_conflict(request: web.Request) -> web.Response:
    """Answer one conflict; the last answer counts, and when all are answered the merge goes on."""
    given = await read(request, Resolution)
    task = await task_of(request)
    number = _number(request, task)
    numbered = NumberedResolution(number=number, take=given.take, annotation=given.annotation)
    await _keep(request, task, [("", numbered)])
    await _go_on(request, task)
    return reply(await _view(request, task, number))


async def _keep(request: web.Request, task: Task, resolutions: Sequence[tuple[str, NumberedResolution]]) -> None:
    services = request.app[SERVICES]
    names = (await services.database.documents(ClassList).get(task.project)).main_names()
    by, at = request[CALLER].name, services.clock()
    answers = await checked_answers(task, resolutions, names=names, by=by, at=at, blobs=services.blobs)
    await keep_answers(task, answers, services.database)


async def _go_on(request: web.Request, task: Task) -> None:
    if await is_settled(task, request.app[SERVICES].database):
        await wake(request, task.id)


async def _answers_from(
    request: web.Request, task: Task, start: int, *, limit: int, state: AnswerState | None
) -> list[tuple[int, ConflictAnswer | None]]:
    """Return the numbers from the first on, at most so many, that are in a state, each with its answer."""
    kept, database = list_of(task), request.app[SERVICES].database
    found: list[tuple[int, ConflictAnswer | None]] = []
    given = chosen_for_all(task)
    for first in range(start // SHEET, kept.sheets if kept else 0, SHEETS_AT_ONCE):
        numbers = range(first, min(first + SHEETS_AT_ONCE, kept.sheets if kept else 0))
        for sheet in await sheets_of(task, numbers, database):
            before = sheet.number * SHEET
            for number in range(max(start, before), before + sheet.size):
                answer = given or sheet.answer_to(number)
                if state is None or (state is AnswerState.OPEN) == (answer is None):
                    found.append((number, answer))
                if len(found) == limit:
                    return found
    return found


async def _view(request: web.Request, task: Task, number: int) -> ConflictView:
    found = await _answers_from(request, task, number, limit=1, state=None)
    return (await _views(request, task, found))[0]


async def _views(
    request: web.Request, task: Task, found: Iterable[tuple[int, ConflictAnswer | None]]
) -> list[ConflictView]:
    services, kept = request.app[SERVICES], list_of(task)
    if kept is None:
        return []
    answers = dict(found)
    conflicts = await conflicts_of(kept, answers, services.blobs)
    project = await services.database.documents(Project).get(task.project)
    version = await services.database.documents(Version).get(task.version_of("/ours"))
    return [
        ConflictView(
            **{name: getattr(conflict, name) for name in type(conflict).model_fields},
            answer=await _shown(answers[number], services),
            image=image_link(services, project.name, version, conflict.asset),
        )
        for number, conflict in sorted(conflicts.items())
    ]


async def _shown(answer: ConflictAnswer | None, services: Services) -> ConflictAnswerView | None:
    if answer is None:
        return None
    annotation = None
    if answer.annotation is not None:
        annotation = Annotation.model_validate_json(await services.blobs.get(answer.annotation.digest))
    return ConflictAnswerView(take=answer.take, annotation=annotation, by=answer.by, at=answer.at)


def _number(request: web.Request, task: Task) -> int:
    text, kept = request.match_info["number"], list_of(task)
    if text.isascii() and text.isdigit() and len(text) <= DIGITS and kept is not None and int(text) < kept.count:
        return int(text)
    raise NotFound("conflict", text, step="GET /v1/tasks/{id}/conflicts lists those there are.")
