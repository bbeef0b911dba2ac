"""Targets: whether a task can make what it is to make."""

from gateway.services import Services
from schemas.algebra_parameters import BranchParameters
from schemas.datasets import Dataset, Tag, Version, dataset_id, tag_id
from schemas.errors import Fault
from schemas.parameters import Parameters
from schemas.projects import Project
from schemas.schema import Id
from storage.ports import Query


async def target_faults(parameters: Parameters, project: Project, services: Services) -> list[Fault]:
    """Return a fault if the dataset is hidden, or the tag names another version; the worker asks again, at the end."""
    made = parameters.makes()
    if made is None:
        return []
    line, name = dataset_id(project.id, made.dataset), made.dataset
    datasets = await services.database.documents(Dataset).get_many([line])
    if datasets and datasets[0].removed_at is not None:
        shown = f'PATCH /v1/projects/{project.name}/datasets/{name} {{"removed": false}}'
        return [Fault(f"The dataset {name!r} is hidden. Choose another name, or show it again: {shown}.", "/dataset")]
    if isinstance(parameters, BranchParameters) and await _has_versions(line, services):
        return [
            Fault(f"There is a dataset {name!r} already: a branch begins a new one. Choose another name.", "/dataset")
        ]
    if made.tag is None:
        return []
    taken = await services.database.documents(Tag).get_many([tag_id(line, made.tag)])
    if not await services.database.documents(Version).get_many([tag.version for tag in taken]):
        return []
    return [Fault(f"The dataset {name!r} has a tag {made.tag!r} already.", "/tag")]


async def _has_versions(dataset: Id, services: Services) -> bool:
    return bool((await services.database.documents(Version).list(Query(equal={"dataset": dataset}), limit=1)).items)
