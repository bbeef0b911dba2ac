"""One valid value of each schema that many tests need."""

from datetime import UTC, datetime
from typing import Any

from schemas.algebra_parameters import SampleParameters
from schemas.schema import new_id
from schemas.tasks import Task

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WORKER = "worker-1"
PROJECT = "0" * 32


def a_task(**changes: Any) -> Task:  # noqa: ANN401 - a change may be of any field
    fields = {
        "id": new_id(),
        "project": PROJECT,
        "parameters": SampleParameters(dataset="few", source="many", count=1),
        "created_by": "somebody",
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Task.model_validate({**fields, **changes}).accepted()
