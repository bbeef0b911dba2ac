"""Tagging: a tag is set, moved, or left to the task that has reserved it."""

from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from gateway.problems import Refused
from gateway.replies import changed
from gateway.services import SERVICES
from schemas.datasets import Tag, Version
from schemas.errors import NotFound
from schemas.tasks import Task
from storage.contested import added
from storage.ports import Database


async def set_to(tag: Tag, request: web.Request) -> Tag:
    """Keep a tag, new or in the place of one of that name, and return it; whoever sets it last has it.

    Raise Refused: 412 as ``changed`` does, 409 if a task that has not ended has reserved the name for its version.
    """
    database = request.app[SERVICES].database
    tags = database.documents(Tag)

    async def read() -> Tag:
        was = await tags.get(tag.id)
        await _check_free(was, database)
        return was

    def moved(was: Tag) -> Tag:
        return was if was.version == tag.version else was.successor(version=tag.version, task=None)

    while await added(tag, tags) is not tag:
        with suppress(NotFound):  # it was removed just now
            return await changed(request, tags, read, moved)
    return tag


async def _check_free(tag: Tag, database: Database) -> None:
    # The task first: once it has ended no version comes any more.
    holders = await database.documents(Task).get_many([tag.task] if tag.task else [])
    if all(holder.is_final for holder in holders) or await database.documents(Version).get_many([tag.version]):
        return
    detail = f"The tag {tag.name!r} is reserved for the version that the task {tag.task} makes."
    raise Refused(HTTPStatus.CONFLICT, detail, step="Choose another tag, or cancel that task first.")
