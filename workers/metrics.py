"""Metrics: what a worker counts of its tasks, as Prometheus reads them."""

from typing import Final

from prometheus_client import Counter, Histogram

from schemas.tasks import Task

ENDED: Final = Counter("ymir_tasks_ended", "Tasks that this process ended.", ["type", "state"])
SECONDS: Final = Histogram(
    "ymir_task_seconds",
    "Seconds from a task's first claim to its end.",
    ["type"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000),
)
RETRIES: Final = Counter("ymir_task_retries", "Attempts that are to be made again after a failure.", ["type"])
LOST: Final = Counter("ymir_claims_lost", "Tasks that were taken from this process while it ran them.")
TAKEN: Final = Counter("ymir_tasks_taken", "Tasks that this process took because their worker had vanished.")
DEAD_LETTERS: Final = Counter("ymir_dead_letters", "Messages that were none of ours, and are kept as dead letters.")


def count_end(task: Task) -> None:
    """Count a task that has ended, and how long it took."""
    ENDED.labels(task.parameters.type, task.state).inc()
    if task.started_at and task.ended_at:
        SECONDS.labels(task.parameters.type).observe((task.ended_at - task.started_at).total_seconds())
