"""The settings of a run: env.yaml and config.yaml, written; and what of them says what was done."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from schemas.annotations import ClassName, ObjectType
from schemas.errors import Fault, Invalid
from schemas.executors import Purpose
from schemas.model_parameters import Preprocess, UsesExecutor
from schemas.projects import ClassList, Project
from schemas.schema import Digest, digest_of
from storage.ports import Database
from workers.executors.contract import configuration, environment, reserved_values
from workers.executors.inputs import write_settings
from workers.executors.older_layouts import model_paths
from workers.executors.runs import Run
from workers.executors.scratch import scratch_errors
from workers.work import P_co, Work

# What belongs to this one run and says nothing of how the work was done.
PASSING = frozenset({"task_id", "gpu_id", "gpu_count", "pretrained_model_params", "model_params_path"})


class Configured(NamedTuple):
    """What config.yaml holds, and what the user should know about it."""

    values: dict[str, JsonValue]
    warnings: tuple[str, ...]
    preprocess: Preprocess | None = None
    """What was done to the images first: no part of config.yaml, but of how the work was done."""

    @property
    def lasting(self) -> dict[str, JsonValue]:
        """The values that say how the work was done: no ids, no devices, no paths."""
        return {key: value for key, value in self.values.items() if key not in PASSING}

    @property
    def digest(self) -> Digest:
        """The digest of the lasting values and, if there is one, of the preprocessing, as JSON with sorted keys."""
        told: dict[str, object] = {**self.lasting}
        if self.preprocess is not None:
            told["preprocess"] = self.preprocess.model_dump(mode="json")
        return digest_of(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))


async def configured(
    work: Work[P_co],
    parameters: UsesExecutor,
    run: Run,
    *,
    purposes: frozenset[Purpose],
    classes: Sequence[ClassName],
    object_type: ObjectType,
    models: Sequence[str],
    preprocess: Preprocess | None = None,
) -> Configured:
    """Write env.yaml and config.yaml of a run and return what they say."""
    template: dict[str, JsonValue] = {}
    for purpose in sorted(purposes):  # infer, mining: where both have a key, mining's default counts
        template |= run.executor.templates_for(object_type)[purpose]
    protocol = run.executor.protocol
    paths = model_paths(models, protocol=protocol, layout=run.layout)
    reserved = reserved_values(
        work.task.id, purposes=purposes, classes=classes, object_type=object_type, gpus=parameters.gpus, models=paths
    )
    values, warnings = configuration(template, parameters.config, reserved=reserved)
    surroundings = environment(work.task.id, purposes=purposes, layout=run.layout, protocol=protocol)
    with scratch_errors():
        await asyncio.to_thread(write_settings, run.folder, environment=surroundings, configuration=values)
    return Configured(values, warnings, preprocess)


async def known_classes(names: Sequence[ClassName], project: Project, database: Database) -> tuple[ClassName, ...]:
    """Return the main names of classes in the order given; raise Invalid for those unknown or named twice."""
    lists = await database.documents(ClassList).get_many([project.id])
    main: Mapping[str, str] = lists[0].main_names() if lists else {}
    faults = [
        Fault("The project has no such class.", f"/classes/{position}: {name}")
        for position, name in enumerate(names)
        if name not in main
    ]
    resolved = tuple(main.get(name, name) for name in names)
    twice = [name for name, times in Counter(resolved).items() if times > 1]
    faults += [Fault(f"The class {name!r} is named more than once.", "/classes") for name in twice]
    if faults:
        raise Invalid(
            f"{faults[0].pointer}: {faults[0].detail}", step="Name classes of the project, each once.", faults=faults
        )
    return resolved
