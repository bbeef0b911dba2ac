"""Resolving: the answers to a merge's conflicts, checked and kept in sheets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

from gateway.problems import Refused, gathered
from schemas.algebra_parameters import MergeParameters, OnConflict
from schemas.annotations import ATTRIBUTES
from schemas.conflicts import (
    SHEET,
    Conflict,
    ConflictAnswer,
    ConflictList,
    ConflictSheet,
    ConflictStatus,
    NumberedResolution,
    Take,
    sheet_id,
)
from schemas.errors import Conflict as Changed
from schemas.errors import Fault, NotFound
from schemas.tasks import Task
from storage.conflict_lists import read_conflicts
from storage.labeling.geometry import outside_faults
from storage.ports import Blobs, Database, Documents, Query

ATTEMPTS: Final = 20
SHEETS_AT_ONCE: Final = 100

Change = Callable[[ConflictSheet], ConflictSheet]


def list_of(task: Task) -> ConflictList | None:
    """Return the conflicts of a merge, None if it has none; raise NotFound where that cannot be said (yet)."""
    if not isinstance(task.parameters, MergeParameters) or task.parameters.ours is None:
        raise NotFound("list of conflicts of the task", task.id, step="A merge of ours and theirs has one.")
    if task.result.conflicts is None and not task.is_final:
        raise NotFound("list of conflicts of the task", task.id, step=f"Wait: the task is {task.state}.")
    return task.result.conflicts


def open_list_of(task: Task) -> ConflictList:
    """Return the conflicts of a merge that can be answered; raise Refused (409), or NotFound."""
    found = list_of(task)
    if found is None or task.is_final:
        raise Refused(HTTPStatus.CONFLICT, f"The task is {task.state}.", step="Its conflicts take no answers.")
    return found


async def conflicts_of(kept: ConflictList, numbers: Iterable[int], blobs: Blobs) -> dict[int, Conflict]:
    """Return conflicts by their numbers, as far as there are such."""
    by_sheet: dict[int, list[int]] = {}
    for number in numbers:
        if 0 <= number < kept.count:
            by_sheet.setdefault(number // SHEET, []).append(number)
    found: dict[int, Conflict] = {}
    for wanted in by_sheet.values():
        start, stop = min(wanted), max(wanted) + 1
        read = await read_conflicts(kept, start=start, count=stop - start, blobs=blobs)
        found |= {number: read[number - start] for number in wanted}
    return found


async def checked_answers(
    task: Task,
    resolutions: Sequence[tuple[str, NumberedResolution]],
    *,
    names: Mapping[str, str],
    by: str,
    at: datetime,
    blobs: Blobs,
) -> dict[int, ConflictAnswer]:
    """Return answers by number, edited annotations kept as blobs; raise Invalid, naming all that is wrong.

    Each resolution comes after its JSON pointer; ``names`` has the main name of every class and alias.
    """
    kept = open_list_of(task)
    edited = [given.number for _, given in resolutions if given.annotation is not None]
    conflicts = await conflicts_of(kept, edited, blobs)
    faults = [
        fault
        for where, given in resolutions
        for fault in _faults(where, given, conflicts.get(given.number), kept.count, names)
    ]
    gathered(faults, "Some answers cannot be kept; none was.", step="Correct what is named, and send them again.")
    return {given.number: await _answer(given, names, by=by, at=at, blobs=blobs) for _, given in resolutions}


async def keep_answers(task: Task, answers: Mapping[int, ConflictAnswer], database: Database) -> None:
    """Keep answers, each in the place of an earlier one; raise Refused (409) once the merge has read them."""

    def change(sheet: ConflictSheet) -> ConflictSheet:
        first = sheet.number * SHEET
        return sheet.answered({n: given for n, given in answers.items() if first <= n < first + sheet.size})

    await _change(task, {number // SHEET for number in answers}, change, database)


async def keep_rest(task: Task, take: Take, *, by: str, at: datetime, database: Database) -> None:
    """Keep one answer to everything that has none; raise as ``keep_answers`` does."""
    answer = ConflictAnswer(take=take, by=by, at=at)
    await _change(task, range(open_list_of(task).sheets), lambda sheet: sheet.answered_rest(answer), database)


async def sheets_of(task: Task, numbers: Sequence[int], database: Database) -> list[ConflictSheet]:
    """Return sheets of a task by their numbers, in that order, those that were not begun as empty ones."""
    kept = list_of(task)
    identities = [sheet_id(task.id, number) for number in numbers]
    known = {sheet.number: sheet for sheet in await database.documents(ConflictSheet).get_many(identities)}
    count = kept.count if kept else 0
    return [known.get(number) or ConflictSheet.empty(task.id, number, count=count) for number in numbers]


async def status_of(task: Task, database: Database) -> ConflictStatus:
    """Return how many conflicts a task has, and how many of them have no answer."""
    kept, given = list_of(task), chosen_for_all(task)
    if kept is None or given is not None:
        return ConflictStatus(total=0 if kept is None else kept.count, open=0)
    open_ = 0
    for numbers in _some_at_once(range(kept.sheets)):
        for sheet in await sheets_of(task, numbers, database):
            open_ += 0 if sheet.is_complete else sheet.size - len(sheet.answers)
    return ConflictStatus(total=kept.count, open=open_)


async def is_settled(task: Task, database: Database) -> bool:
    """Tell whether every conflict of a task is answered."""
    complete = Query(equal={"task": task.id, "is_complete": True})
    return await database.documents(ConflictSheet).count(complete) == open_list_of(task).sheets


def chosen_for_all(task: Task) -> ConflictAnswer | None:
    """Return the answer to all conflicts of a merge that was told beforehand what to do with them."""
    asked = task.parameters
    if not isinstance(asked, MergeParameters) or asked.on_conflict not in {OnConflict.OURS, OnConflict.THEIRS}:
        return None
    return ConflictAnswer(take=Take(asked.on_conflict), by=task.created_by, at=task.created_at)


async def _change(task: Task, numbers: Iterable[int], change: Change, database: Database) -> None:
    sheets = database.documents(ConflictSheet)
    for some in _some_at_once(sorted(numbers)):
        for _ in range(ATTEMPTS):
            pairs = [(change(was), was) for was in await sheets_of(task, some, database)]
            pairs = [(sheet, was) for sheet, was in pairs if sheet is not was]
            if any(was.sealed for _, was in pairs):
                detail = "The conflicts are settled, and their answers are being made into a version."
                raise Refused(HTTPStatus.CONFLICT, detail, step="See the task for what comes of it.")
            if not any(await _replaced(sheets, pairs)):
                break
        else:
            raise Changed("list of conflicts of the task", task.id, key="generation", step="Send the answers again.")


async def _replaced(
    sheets: Documents[ConflictSheet], pairs: Sequence[tuple[ConflictSheet, ConflictSheet]]
) -> list[Changed | None]:
    # One that nobody has begun is of generation 0, and is added as the first of its kind.
    begun = [(sheet, was) for sheet, was in pairs if was.generation]
    new = [sheet for sheet, was in pairs if not was.generation]
    return [*await sheets.add_many(new), *await sheets.replace_many(begun)]


def _some_at_once(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), SHEETS_AT_ONCE):
        yield numbers[start : start + SHEETS_AT_ONCE]


def _faults(
    where: str, given: NumberedResolution, conflict: Conflict | None, count: int, names: Mapping[str, str]
) -> Iterator[Fault]:
    if given.number >= count:
        yield Fault(f"The task has conflicts up to number {count - 1}.", f"{where}/number")
    if given.annotation is None or conflict is None:
        return
    pointer, name = f"{where}/annotation", given.annotation.class_name
    if name is None and conflict.layer != ATTRIBUTES:
        yield Fault("An annotation needs a class.", f"{pointer}/class")
    if name is not None and name not in names:
        yield Fault(f"The project has no class {name!r}.", f"{pointer}/class")
    identity = next(side.id for side in (conflict.ours, conflict.theirs) if side is not None)
    if given.annotation.id not in {None, identity}:
        yield Fault(f"It has the id {identity}, and keeps it: give that or none.", f"{pointer}/id")
    if conflict.width and conflict.height:
        yield from outside_faults(given.annotation, width=conflict.width, height=conflict.height, where=pointer)


async def _answer(
    given: NumberedResolution, names: Mapping[str, str], *, by: str, at: datetime, blobs: Blobs
) -> ConflictAnswer:
    if given.annotation is None:
        return ConflictAnswer(take=given.take, by=by, at=at)
    name = given.annotation.class_name
    changes = {"class_name": names.get(name, name) if name else None, "author": given.annotation.author or by}
    data = given.annotation.model_copy(update=changes).model_dump_json(exclude_defaults=True).encode()
    return ConflictAnswer(annotation=await blobs.put(data, media_type="application/json"), by=by, at=at)
