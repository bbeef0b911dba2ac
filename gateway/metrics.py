"""Metrics: what this process counts, and what the store of documents says of tasks, as Prometheus reads them."""

from datetime import datetime
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.parameters import Slot
from schemas.task_states import TaskState
from schemas.task_types import OFFERED, OWN
from schemas.tasks import Task
from storage.paging import every
from storage.ports import Documents, Query

ANSWERS: Final = Counter("ymir_http_answers", "Answers to requests.", ["method", "route", "status"])
SECONDS: Final = Histogram("ymir_http_request_seconds", "Seconds until a request was answered.", ["method", "route"])


async def exposition(tasks: Documents[Task], *, at: datetime) -> bytes:
    """Return all metrics as text, version 0.0.4 of the format. Raises Unavailable."""
    stored = CollectorRegistry()
    await _count(tasks, stored)
    await _find_oldest(tasks, stored, at=at)
    await _count_unfinished(tasks, stored)
    return generate_latest(REGISTRY) + generate_latest(stored)


async def _count(tasks: Documents[Task], registry: CollectorRegistry) -> None:
    gauge = Gauge("ymir_tasks", "Tasks by state and type.", ["state", "type"], registry=registry)
    for state in TaskState:
        left = await tasks.count(Query(equal={"state": state}))
        # Deliveries come first: where all are such, and they may be many, nothing else has to be looked for.
        for name in (*sorted(OWN), *sorted(OFFERED)):
            meant = Query(equal={"state": state, "parameters.type": name})
            count = await tasks.count(meant) if left > 0 else 0
            left -= count
            if name in OFFERED:
                gauge.labels(state, name).set(count)


async def _find_oldest(tasks: Documents[Task], registry: CollectorRegistry, *, at: datetime) -> None:
    name, told = "ymir_oldest_queued_seconds", "Seconds since the oldest queued task was accepted, by kind of slot."
    gauge = Gauge(name, told, ["slot"], registry=registry)
    for slot in Slot:
        queued = Query(equal={"state": TaskState.QUEUED, "slot": slot})
        oldest = (await tasks.list(queued, order="created_at", limit=1)).items
        gauge.labels(slot).set(max(0.0, (at - oldest[0].created_at).total_seconds()) if oldest else 0.0)


async def _count_unfinished(tasks: Documents[Task], registry: CollectorRegistry) -> None:
    name, told = "ymir_unfinished_outcomes", "Tasks that are decided, and whose records are still to be kept."
    running = every(tasks, Query(equal={"state": TaskState.RUNNING}), order="created_at")
    unfinished = sum([task.outcome is not None async for task in running])
    Gauge(name, told, registry=registry).set(unfinished)
