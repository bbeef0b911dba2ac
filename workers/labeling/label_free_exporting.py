"""Having LabelFree export a project: asked for once, however often it is asked about, and then fetched."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from schemas.errors import Invalid, NotFound, Unavailable
from workers.executors.scratch import scratch_errors
from workers.labeling.label_free_calls import Calls
from workers.labeling.label_free_export import COCO, Form, told_of
from workers.labeling.label_free_folder import JobFolder, Made
from workers.labeling.tools import Told

AGAIN: Final = 10
"""So many times an export is looked at; then it is made anew, since somebody may have corrected what was unfit."""


async def exported(calls: Calls, folder: JobFolder, made: Made, *, project: int) -> Made:
    """Have a project exported, unless it is being already; return what is known of the export then.

    One that somebody else had made before may be of another kind, or older than the last label. So that which is listed
    first is remembered before: one that is first later was asked for here, even if the answer was lost.
    """
    if made.former is None:
        await calls.sync(f"/api/storages/export/localfiles/{made.export_storage}/sync")
        former = await calls.newest_export(project)
        made = await remembered(folder, made, former=former)
    elif not made.export:
        newest = await calls.newest_export(project)
        if newest != made.former:
            made = await remembered(folder, made, export=newest)
    if not made.export and not made.is_asked:
        begun = await calls.begin_export(project, kind=COCO)
        made = await remembered(folder, made, export=begun, is_asked=True)
    return made


async def read(calls: Calls, folder: JobFolder, made: Made, *, form: Form) -> AsyncIterator[Told]:
    """Yield what the export says; raise Unavailable while it is being made, Invalid where it cannot be read."""
    try:
        with scratch_errors(), TemporaryDirectory(prefix="label-free-") as name:
            archive = Path(name, "export.zip")
            await calls.download(await _path(calls, made), archive)
            parts = told_of(archive, Path(name), form=form)
            while (told := await asyncio.to_thread(_next, parts)) is not None:
                yield told
    except NotFound as error:
        await remembered(folder, unasked(made))
        raise Unavailable(f"{calls.tool} has lost the export; it is asked for again.") from error
    except Invalid:
        await looked(folder, made)
        raise


async def looked(folder: JobFolder, made: Made) -> Made:
    """Count that an export which was read, or cannot be, was looked at again."""
    if made.looked + 1 < AGAIN:
        return await remembered(folder, made, looked=made.looked + 1)
    return await remembered(folder, unasked(made))


async def remembered(folder: JobFolder, made: Made, **changes: object) -> Made:
    """Keep what was made in the tool, and return it."""
    return await asyncio.to_thread(lambda: folder.remember(made, **changes))


def unasked(made: Made) -> Made:
    """Return what was made, without any export."""
    return made.model_copy(update={"former": None, "export": "", "is_asked": False, "is_taken": False, "looked": 0})


async def _path(calls: Calls, made: Made) -> str:
    path = await calls.export_path(made.export) if made.export else ""
    if not path:
        raise Unavailable(f"{calls.tool} is still making the export.")
    return path


def _next(parts: Iterator[Told]) -> Told | None:
    return next(parts, None)
