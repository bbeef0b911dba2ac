"""One valid value of each schema that many tests need."""

from datetime import UTC, datetime
from typing import Any

from schemas.algebra_parameters import SampleParameters
from schemas.datasets import Version, dataset_id
from schemas.schema import Id, new_id
from schemas.tasks import Task
from storage.datasets.library import Kept

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


def a_kept_version(kept: Kept, *, project: Id, dataset: str, number: int = 1, **changes: Any) -> Version:  # noqa: ANN401 - a change may be of any field
    """Return the document of a version whose content the library has kept."""
    fields = {
        "id": new_id(),
        "project": project,
        "dataset": dataset_id(project, dataset),
        "dataset_name": dataset,
        "number": number,
        "digest": kept.digest,
        "manifest": kept.manifest,
        "task": new_id(),
        "made_by": "import",
        "counts": kept.counts,
        "created_at": NOON,
    }
    return Version.model_validate({**fields, **changes})
