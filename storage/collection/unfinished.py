"""What the tasks that have not ended refer to, and since when they have been at work."""

import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.schema import Id
from schemas.task_states import FINAL, TaskState
from schemas.tasks import Task
from storage.paging import every
from storage.ports import Documents, Query

UNFINISHED: Final = tuple(state for state in TaskState if state not in FINAL)
BLOB_AGE: Final = timedelta(hours=48)
# What an attempt puts may bear a time of a day before it, and the clocks of machines differ.
BEFORE_ATTEMPT: Final = timedelta(hours=25)

_ID: Final = re.compile(r'"([0-9a-f]{32})"')


class Unfinished(NamedTuple):
    """What is in use, or may be made, by tasks that have not ended."""

    ids: frozenset[Id]
    """Every id that stands anywhere in one of them."""
    targets: frozenset[tuple[Id, str]]
    """The project and name of each dataset that one of them makes a version in."""
    working_since: datetime | None
    """When the oldest was begun that is being worked on, or will be again without waiting for anybody."""

    def horizon(self, now: datetime) -> datetime:
        """Return the instant before which a blob was written that nobody can be about to name."""
        horizon = now - BLOB_AGE
        return horizon if self.working_since is None else min(horizon, self.working_since - BEFORE_ATTEMPT)


async def unfinished(tasks: Documents[Task]) -> Unfinished:
    """Return what the tasks refer to that have not ended."""
    ids: set[Id] = set()
    targets: set[tuple[Id, str]] = set()
    begun: list[datetime] = []
    async for task in every(tasks, Query(equal={"state": UNFINISHED})):
        ids.update(ids_in(task))
        if (made := task.parameters.makes()) is not None:
            targets.add((task.project, made.dataset))
        # What waits for people wrote all that it still needs into documents.
        if task.started_at is not None and task.state is not TaskState.WAITING:
            begun.append(task.started_at)
    return Unfinished(frozenset(ids), frozenset(targets), min(begun, default=None))


def ids_in(task: Task) -> list[Id]:
    """Return every id that stands anywhere in a task, its own among them."""
    return _ID.findall(task.model_dump_json())
