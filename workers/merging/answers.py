"""Answers to the conflicts of a merge: whether all have come, and what they are."""

from collections.abc import Sequence
from typing import Final

from schemas.conflicts import SHEET, ConflictAnswer, ConflictList, ConflictSheet, sheet_id
from schemas.schema import Id
from schemas.tasks import Task
from storage.ports import Database, Documents, Query

SHEETS_AT_ONCE: Final = 200

Answers = dict[int, ConflictAnswer]


async def all_answered(task: Task, database: Database) -> bool:
    """Tell whether every conflict that a merge waits for is answered."""
    conflicts = task.result.conflicts
    if conflicts is None:
        return False
    complete = Query(equal={"task": task.id, "is_complete": True})
    return await database.documents(ConflictSheet).count(complete) == conflicts.sheets


async def sealed_answers(task: Id, conflicts: ConflictList, database: Database) -> Answers:
    """Return the answers to the conflicts of a merge; none of them changes from now on."""
    sheets, answers = database.documents(ConflictSheet), Answers()
    for start in range(0, conflicts.sheets, SHEETS_AT_ONCE):
        numbers = range(start, min(start + SHEETS_AT_ONCE, conflicts.sheets))
        for sheet in await _sealed([sheet_id(task, number) for number in numbers], sheets):
            first = sheet.number * SHEET
            given = ((number, sheet.answer_to(number)) for number in range(first, first + sheet.size))
            answers |= {number: answer for number, answer in given if answer is not None}
    return answers


async def _sealed(identities: Sequence[Id], sheets: Documents[ConflictSheet]) -> list[ConflictSheet]:
    found = await sheets.get_many(identities)
    while pairs := [(sheet.successor(sealed=True), sheet) for sheet in found if not sheet.sealed]:
        await sheets.replace_many(pairs)
        # Read again: an answer may have come before its sheet was sealed.
        found = await sheets.get_many(identities)
    return found
