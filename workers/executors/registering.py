"""Making executors known that are folders of this machine."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from schemas.errors import Conflict
from schemas.executors import Executor, ExecutorSubmission
from storage.clock import utc_now
from storage.ports import Documents
from workers.executors.registry import inspect

# All that its files say.
READ_ANEW: Final = {
    "reference",
    "digest",
    "object_types",
    "templates",
    "type_templates",
    "protocol",
    "read_only_root",
    "is_livecode",
}


async def inspected(submission: ExecutorSubmission, *, roots: Sequence[Path]) -> Executor:
    """Return the executor that a folder is; raise Invalid naming the file at fault."""
    return await asyncio.to_thread(partial(inspect, submission, roots=roots, at=utc_now()))


async def register(folders: Sequence[Path], executors: Documents[Executor]) -> None:
    """Register folders under their names, and read again those that are another release, or elsewhere, by now."""
    for folder in folders:
        submission = ExecutorSubmission(name=folder.name, reference=str(folder.absolute()))
        found = await inspected(submission, roots=(folder.absolute().parent,))
        try:
            await executors.add(found)
        except Conflict:
            known = await executors.get(found.id)
            if (known.reference, known.digest) != (found.reference, found.digest):
                changes = found.model_dump(include=READ_ANEW)
                await executors.replace(known.successor(**changes), was=known)
