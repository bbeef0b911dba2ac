"""Acceptance: what is checked of a task before it is kept, and what its refs name at that moment."""

import asyncio
from typing import NamedTuple

from gateway.class_names import NAMES_CLASSES, with_main_names
from gateway.finding import no_project, project_named
from gateway.named import fault_of, named_faults
from gateway.problems import gathered
from gateway.services import Services
from gateway.targets import target_faults
from schemas.algebra_parameters import FilterParameters, RelabelParameters
from schemas.errors import Denied, Fault, Invalid, NotFound
from schemas.exchange_parameters import ExportParameters, LabelParameters, PullExecutorParameters
from schemas.keys import ApiKey, Role, Scope
from schemas.model_parameters import EvaluateParameters
from schemas.parameters import Parameters, RefElsewhere
from schemas.projects import Project
from schemas.refs import Ref
from schemas.task_types import OFFERED, TaskParameters
from schemas.tasks import Input
from storage.class_names import names_in
from storage.datasets.matching import Wanted
from storage.datasets.refs import resolve


class Checked(NamedTuple):
    """Parameters with main names for aliases, and what their refs name."""

    parameters: TaskParameters
    inputs: tuple[Input, ...]


async def check(parameters: TaskParameters, project: Project, services: Services, *, caller: ApiKey) -> Checked:
    """Return what can be accepted of a caller; raise Denied, or Invalid naming everything that is wrong."""
    if parameters.type not in OFFERED:
        step = f"Types that this release handles: {', '.join(sorted(OFFERED))}."
        fault = Fault(f"No worker of this release handles {parameters.type!r}.", "/type")
        raise Invalid("This type of task is not offered.", step=step, faults=[fault])
    check_caller(parameters, caller)
    # Beside each other: documents that are looked for at the same time are found together.
    here = (_resolved(pointer, ref, parameters, project, services) for pointer, ref in parameters.refs())
    elsewhere = (_resolved_elsewhere(ref, services, caller) for ref in parameters.refs_elsewhere())
    resolved, named, target = await asyncio.gather(
        asyncio.gather(*here, *elsewhere),
        named_faults(parameters, project, services),
        target_faults(parameters, project, services),
    )
    faults = [fault for _, wrong in resolved for fault in wrong]
    if isinstance(parameters, NAMES_CLASSES):
        parameters, class_faults = with_main_names(parameters, await names_in(project.id, services.database))
        faults += class_faults
    faults += [*named, *target]
    gathered(faults, "The task names things that do not exist or cannot be used.", step="Correct what is named.")
    return Checked(parameters, tuple(given for given, _ in resolved if given is not None))


def check_caller(parameters: TaskParameters, caller: ApiKey) -> None:
    """Raise Denied if a task is for administrators and whoever asks for it is none."""
    if isinstance(parameters, PullExecutorParameters) and not caller.is_admin:
        raise Denied(f"The key {caller.name!r} registers no executors.", step=f"Use the key of an {Role.ADMIN}.")
    if isinstance(parameters, PullExecutorParameters) and caller.scopes and Scope.ADMIN not in caller.scopes:
        held = ", ".join(caller.scopes)
        raise Denied(f"The key {caller.name!r} is for {held} alone.", step=f"Use a key with the scope {Scope.ADMIN}.")


async def _resolved(
    pointer: str, ref: Ref, parameters: Parameters, project: Project, services: Services
) -> tuple[Input | None, list[Fault]]:
    """Return what a ref names, and what is wrong with that."""
    try:
        version = await resolve(ref, project.id, services.database)
    except (NotFound, Invalid) as error:
        return None, [fault_of(error, pointer)]
    faults = _layer_faults(parameters, pointer, set(version.counts.layers))
    return Input(pointer=pointer, ref=ref, version=version.id), faults


async def _resolved_elsewhere(
    wanted: RefElsewhere, services: Services, caller: ApiKey
) -> tuple[Input | None, list[Fault]]:
    """Return what a ref into another project names, and what is wrong with that."""
    try:
        project = await project_named(services.database, wanted.project)
        if caller.role_in(project.id) is None:
            raise no_project(wanted.project)
    except NotFound as error:
        return None, [fault_of(error, f"{wanted.pointer}/project")]
    pointer = f"{wanted.pointer}/ref"
    try:
        version = await resolve(wanted.ref, project.id, services.database)
    except (NotFound, Invalid) as error:
        return None, [fault_of(error, pointer)]
    return Input(pointer=pointer, ref=wanted.ref, version=version.id), []


def _layer_faults(parameters: Parameters, pointer: str, layers: set[str]) -> list[Fault]:
    """Return a fault for each layer that a task needs of the version at a pointer, and that this lacks."""
    wanted: dict[str, str | None] = {}
    if isinstance(parameters, EvaluateParameters):
        wanted = {"/layer": parameters.layer, "/ground_truth": parameters.ground_truth}
        wanted |= {f"/layers/{position}": layer for position, layer in enumerate(parameters.layers)}
    if isinstance(parameters, LabelParameters) and pointer == "/source":
        wanted = {"/keep": parameters.keep}
    if isinstance(parameters, ExportParameters):
        wanted = {"/layer": parameters.layer}
    if isinstance(parameters, RelabelParameters):
        wanted = {"/layer": parameters.layer}
    if isinstance(parameters, FilterParameters) and Wanted.of(parameters).looks_at_annotations:
        wanted = {f"/layers/{position}": layer for position, layer in enumerate(parameters.layers)}
    known = f"It has: {', '.join(map(repr, sorted(layers)))}." if layers else "It has none."
    return [
        Fault(f"The version has no layer {layer!r}. {known}", where)
        for where, layer in wanted.items()
        if layer is not None and layer not in layers
    ]
