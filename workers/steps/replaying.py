"""Replaying: the steps that made a version, applied to what is new in its source."""

from typing import Any, Final, NamedTuple

from schemas.algebra_parameters import Conditions, FuseParameters, MergeParameters, ReplayParameters
from schemas.counts import counted
from schemas.datasets import Version
from schemas.errors import Invalid
from schemas.projects import ClassEntry
from schemas.reports import Finding
from schemas.schema import Id
from schemas.tasks import Task
from storage.datasets.content import Content
from workers.steps.lineage import Lineage, named
from workers.steps.step import Applied, Refusal, Tools
from workers.steps.table import STEPS

FROM_THERE: Final = "Name a `source` that comes after that step, or do the steps by hand."


class New(NamedTuple):
    """What is put in the place of a source."""

    source: Version
    content: Content


async def source_of(version: Version, onto: Version, lineage: Lineage) -> Version:
    """Return the nearest version that one was made of and that ``onto`` follows: of its dataset, or its ancestor.

    Raise Invalid if there is none, or if several are equally near.
    """
    before = {one.id for distance in await lineage.ancestors(onto) for one in distance}
    for distance in await lineage.ancestors(version):
        found = [one for one in distance if one.id in before or one.dataset == onto.dataset]
        if len(found) > 1:
            names = ", ".join(sorted(map(named, found)))
            message = f"{named(version)} was made of several versions that {named(onto)} may follow: {names}."
            raise Invalid(message, step="Name the one that is meant as `source`.")
        if found:
            return found[0]
    message = f"{named(version)} was made of no version that {named(onto)} follows."
    raise Invalid(message, step="Name the version of its source that it was made of as `source`.")


class Replaying:
    """One replay under way; it remembers what each version came to, and what was done for that."""

    def __init__(self, lineage: Lineage, tools: Tools) -> None:
        self._lineage = lineage
        self._tools = tools
        self._done: dict[tuple[Id, Id], Content] = {}
        self.steps: list[Finding] = []
        self.warnings: list[str] = []
        self.new_classes: dict[str, ClassEntry] = {}

    async def of(self, version: Version, new: New) -> Content:
        """Return what a version would be if its source were what is new alone; what else it was made of stays.

        Raise Invalid, naming the step, for one that cannot be replayed.
        """
        if version.id == new.source.id:
            return new.content
        key = (version.id, new.source.id)
        if key not in self._done:
            self._done[key] = await self._made(version, new)
        return self._done[key]

    async def _made(self, version: Version, new: New) -> Content:
        if not await self._lineage.descends(version, new.source.id):
            return await self._tools.library.content(version.digest)
        task = await self._lineage.task_of(version)
        given = await self._lineage.inputs_of(version)
        if isinstance(task.parameters, ReplayParameters):
            return await self._replayed_before(given, new)
        parameters = _replayable(task, version)
        inputs = {pointer: await self.of(source, new) for pointer, source in given.items()}
        applied = await STEPS[parameters.type].apply(parameters, inputs, self._tools)
        if isinstance(applied, Refusal):
            message = (
                f"The step {parameters.type} that made {named(version)} cannot be replayed: {applied.error.detail}"
            )
            raise Invalid(message, step=applied.error.step, faults=applied.error.faults)
        self._note(parameters.type, version, applied)
        return applied.content

    async def _replayed_before(self, given: dict[str, Version], new: New) -> Content:
        """Return what the steps of an earlier replay make of what is new to it."""
        version, onto = given["/version"], given["/onto"]
        if not await self._lineage.descends(onto, new.source.id):
            return await self.of(version, new)
        source = given.get("/source") or await source_of(version, onto, self._lineage)
        return await self.of(version, New(source, await self.of(onto, new)))

    def _note(self, kind: str, version: Version, applied: Applied) -> None:
        count = applied.content.image_count()
        detail = f"{kind}, as it made {named(version)}: {counted(count, 'image')}"
        self.steps.append(Finding(subject=named(version), detail=detail, kind="step"))
        self.warnings += [f"{kind} of {named(version)}: {warning}" for warning in applied.warnings]
        self.new_classes |= {entry.name: entry for entry in applied.new_classes}


def _replayable(task: Task, version: Version) -> Any:  # noqa: ANN401 - the parameters of any step
    """Return the parameters of a step; raise Invalid if it cannot be replayed."""
    parameters = task.parameters
    if parameters.type not in STEPS:
        message = f"The step {parameters.type} that made {named(version)} cannot be replayed."
        raise Invalid(message, step=f"What can be: {', '.join(sorted(STEPS))}. {FROM_THERE}")
    if isinstance(parameters, MergeParameters) and parameters.ours is not None:
        raise Invalid(f"The three-way merge that made {named(version)} cannot be replayed.", step=FROM_THERE)
    conditions = parameters.conditions if isinstance(parameters, FuseParameters) else parameters
    if isinstance(conditions, Conditions) and conditions.marked is not None:
        message = f"The step {parameters.type} that made {named(version)} keeps what an evaluation marked,"
        raise Invalid(f"{message} which says nothing of new images.", step=FROM_THERE)
    return parameters
