"""Acceptance: what is checked of a task before it is kept, and what its refs name at that moment."""

from difflib import get_close_matches
from typing import NamedTuple

from gateway.named import fault_of, named_faults
from gateway.problems import gathered
from gateway.services import Services
from schemas.datasets import Tag, Version, dataset_id, tag_id
from schemas.errors import Fault, Invalid, NotFound
from schemas.exchange_parameters import LabelParameters
from schemas.model_parameters import EvaluateParameters, TrainParameters
from schemas.parameters import MakesVersion, Parameters
from schemas.projects import ClassList, Project
from schemas.task_types import TaskParameters
from schemas.tasks import Input
from storage.datasets.refs import resolve


class Checked(NamedTuple):
    """Parameters with main names for aliases, and what their refs name."""

    parameters: TaskParameters
    inputs: tuple[Input, ...]


async def check(parameters: TaskParameters, project: Project, services: Services) -> Checked:
    """Return what can be accepted; raise Invalid naming everything that is wrong at once."""
    if parameters.type not in services.offered:
        step = f"Types that this release handles: {', '.join(sorted(services.offered))}."
        fault = Fault(f"No worker of this release handles {parameters.type!r}.", "/type")
        raise Invalid("This type of task is not offered.", step=step, faults=[fault])
    inputs: list[Input] = []
    faults: list[Fault] = []
    for pointer, ref in parameters.refs():
        try:
            version = await resolve(ref, project.id, services.database)
        except (NotFound, Invalid) as error:
            faults.append(fault_of(error, pointer))
        else:
            inputs.append(Input(pointer=pointer, ref=ref, version=version.id))
            faults += _layer_faults(parameters, pointer, set(version.counts.layers))
    parameters, class_faults = await _with_main_names(parameters, project, services)
    faults += [*class_faults, *await named_faults(parameters, project, services)]
    faults += await _tag_faults(parameters, project, services)
    gathered(faults, "The task names things that do not exist or cannot be used.", step="Correct what is named.")
    return Checked(parameters, tuple(inputs))


async def _with_main_names(
    parameters: TaskParameters, project: Project, services: Services
) -> tuple[TaskParameters, list[Fault]]:
    """Return train and label parameters with main names in place of aliases, and a fault for each unknown class."""
    if not isinstance(parameters, TrainParameters | LabelParameters):
        return parameters, []
    names = (await services.database.documents(ClassList).get(project.id)).main_names()
    faults = [
        Fault(f"The project has no class {name!r}.{_nearest(name, list(names))}", f"/classes/{position}")
        for position, name in enumerate(parameters.classes)
        if name not in names
    ]
    main = tuple(dict.fromkeys(names.get(name, name) for name in parameters.classes))
    return parameters.model_copy(update={"classes": main}), faults


async def _tag_faults(parameters: Parameters, project: Project, services: Services) -> list[Fault]:
    """Return a fault if the new version's tag names another; the worker asks again, at the end."""
    if not isinstance(parameters, MakesVersion) or parameters.tag is None:
        return []
    tag = tag_id(dataset_id(project.id, parameters.dataset), parameters.tag)
    taken = await services.database.documents(Tag).get_many([tag])
    if not await services.database.documents(Version).get_many([tag.version for tag in taken]):
        return []
    return [Fault(f"The dataset {parameters.dataset!r} has a tag {parameters.tag!r} already.", "/tag")]


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f" The nearest is {near[0]!r}." if near else ""


def _layer_faults(parameters: Parameters, pointer: str, layers: set[str]) -> list[Fault]:
    """Return a fault for each layer that a task needs of the version at a pointer, and that this lacks."""
    wanted: dict[str, str | None] = {}
    if isinstance(parameters, EvaluateParameters):
        wanted = {"/layer": parameters.layer, "/ground_truth": parameters.ground_truth}
    if isinstance(parameters, LabelParameters) and pointer == "/source":
        wanted = {"/keep": parameters.keep}
    known = f"It has: {', '.join(sorted(layers))}." if layers else "It has none."
    return [
        Fault(f"The version has no layer {layer!r}. {known}", where)
        for where, layer in wanted.items()
        if layer is not None and layer not in layers
    ]
