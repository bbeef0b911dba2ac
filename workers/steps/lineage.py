"""Lineage: the tasks and versions that a version was made of."""

from schemas.datasets import Version
from schemas.errors import Invalid, NotFound
from schemas.schema import Id
from schemas.tasks import Task
from storage.ports import Database

WALKED_AT_MOST = 10_000


class Lineage:
    """Looks versions and their tasks up, each once."""

    def __init__(self, database: Database) -> None:
        self._versions = database.documents(Version)
        self._tasks = database.documents(Task)
        self._inputs: dict[Id, dict[str, Version]] = {}
        self._known: dict[Id, Task] = {}

    async def task_of(self, version: Version) -> Task:
        """Return the task that made a version; raise Invalid if it is not known any more."""
        if version.task not in self._known:
            try:
                self._known[version.task] = await self._tasks.get(version.task)
            except NotFound as error:
                message = f"How {named(version)} was made is not known: there is no task {version.task}."
                raise Invalid(message, step="Do its steps again by hand.") from error
        return self._known[version.task]

    async def inputs_of(self, version: Version) -> dict[str, Version]:
        """Return what the refs of the task that made a version named, by JSON pointer; nothing if it is not known."""
        if version.id not in self._inputs:
            known = self._known.get(version.task)
            tasks = [known] if known is not None else await self._tasks.get_many([version.task])
            self._known |= {task.id: task for task in tasks}
            given = {one.pointer: one.version for task in tasks for one in task.inputs}
            found = {one.id: one for one in await self._versions.get_many(list(dict.fromkeys(given.values())))}
            self._inputs[version.id] = {pointer: found[one] for pointer, one in given.items() if one in found}
        return self._inputs[version.id]

    async def ancestors(self, version: Version) -> list[list[Version]]:
        """Return all that a version was made of, by distance, the nearest first; raise Invalid if it is too much."""
        seen, distances = {version.id}, [[version]]
        while distances[-1]:
            inputs = [one for child in distances[-1] for one in (await self.inputs_of(child)).values()]
            new = {one.id: one for one in inputs if one.id not in seen}
            seen |= new.keys()
            distances.append(list(new.values()))
            if len(seen) > WALKED_AT_MOST:
                message = f"{named(version)} has more than {WALKED_AT_MOST} ancestors."
                raise Invalid(message, step="Do its last steps again by hand.")
        return distances[1:-1]

    async def descends(self, version: Version, source: Id) -> bool:
        """Tell whether a version is another one or was made of it."""
        ancestors = [one for distance in await self.ancestors(version) for one in distance]
        return any(one.id == source for one in (version, *ancestors))


def named(version: Version) -> str:
    """Return a version as a ref."""
    return f"{version.dataset_name}@{version.number}"
