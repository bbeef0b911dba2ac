"""The tasks of Label Studio, read by when they changed, from where the last reading ended."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import orjson

from schemas.errors import Invalid, NotFound
from schemas.schema import AssetId
from workers.labeling.label_studio_answers import changed_at
from workers.labeling.label_studio_calls import Answered, Calls

LISTED: Final = 1_000
# A change may be seen this much after one that bears a later instant.
OVERLAP: Final = timedelta(seconds=60)
SETTLED: Final = "="
SINCE: Final = "greater_or_equal"
AFTER: Final = "greater"

Json = dict[str, Any]


class Reading(NamedTuple):
    """How much of tasks is read, and of how many at once."""

    query: Mapping[str, str]
    page: int


# Tasks that nobody touched yet are many, and cost ten times as much to read with all that they have.
LIGHT: Final = Reading({"include": "id,created_at,updated_at,total_annotations,cancelled_annotations"}, LISTED)
WHOLE: Final = Reading({"fields": "all"}, 100)


class Place(NamedTuple):
    """Where a reading begins: at an instant, or after one that is settled."""

    since: datetime | None = None
    operator: str = SINCE


def place_of(cursor: str) -> Place:
    """Return where a reading goes on."""
    if not cursor:
        return Place()
    at = datetime.fromisoformat(cursor.removeprefix(SETTLED))
    return Place(at, AFTER) if cursor.startswith(SETTLED) else Place(at - OVERLAP)


def cursor_of(found: Answered) -> str:
    """Return how far a page has read: what is settled is so old that nothing can appear before it any more."""
    last = changed_at(found.value["tasks"][-1])
    try:
        is_settled = parsedate_to_datetime(found.date) - last > OVERLAP
    except (TypeError, ValueError):
        is_settled = False
    return f"{SETTLED if is_settled else ''}{last.isoformat()}"


async def changed_tasks(calls: Calls, project: str, reading: Reading, place: Place) -> AsyncIterator[Answered]:
    """Yield pages of tasks by when they changed: each begins where the one before ended.

    Numbered pages would lose a task whenever another is changed, and so leaves the page that it was on.
    """
    page = 1
    while True:
        query = {"project": project, "page_size": str(reading.page), "page": str(page), **reading.query}
        try:
            found = await _page(calls, {**query, "query": _query("updated_at", place)})
        except NotFound as error:
            step = "Close the job to keep what was taken before, or cancel its task."
            raise Invalid(f"The project {project} is gone from Label Studio.", step=step) from error
        tasks = found.value["tasks"]
        if tasks:
            yield found
        if len(tasks) < reading.page:
            return
        last = changed_at(tasks[-1])
        page = page + 1 if last == place.since else 1
        place = Place(last)


async def listed_tasks(calls: Calls, project: int) -> list[tuple[AssetId, int]]:
    """Return asset and id of each task of a project."""
    listed, page = list[tuple[AssetId, int]](), 1
    query = {"project": str(project), "include": "id,data", "page_size": str(LISTED), "query": _query("id", Place())}
    while True:
        found = (await _page(calls, {**query, "page": str(page)})).value
        listed += [(task["data"].get("asset", ""), task["id"]) for task in found["tasks"]]
        if len(found["tasks"]) < LISTED:
            return listed
        page += 1


async def _page(calls: Calls, query: Mapping[str, str]) -> Answered:
    """Return a page of tasks; one after the last has none."""
    try:
        return await calls.get("/api/tasks", query)
    except NotFound:
        if query["page"] == "1":
            raise
        return Answered({"tasks": []}, "")


def _query(order: str, place: Place) -> str:
    """Return which tasks are meant, and in which order, as the data manager has it."""
    items = []
    if place.since is not None:
        value = place.since.isoformat().replace("+00:00", "Z")
        items = [{"filter": "filter:tasks:updated_at", "operator": place.operator, "type": "Datetime", "value": value}]
    query = {"filters": {"conjunction": "and", "items": items}, "ordering": [f"tasks:{order}"]}
    return orjson.dumps(query).decode()
