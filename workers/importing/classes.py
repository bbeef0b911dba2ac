"""Classes of an import: aliases become main names, and what nobody knows is treated by one policy."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.counts import counted
from schemas.errors import Fault
from schemas.exchange_parameters import UnknownClasses
from schemas.projects import ClassEntry
from storage.datasets.rows import AnnotationRow


class Unknown(NamedTuple):
    """A class that the project does not know: how often it came, and where first."""

    times: int
    first: str


class ClassResolver:
    """Gives annotations the main names of their classes."""

    def __init__(self, names: Mapping[str, str], *, policy: UnknownClasses) -> None:
        self.unknown: dict[str, Unknown] = {}
        self.names = names
        self.policy = policy

    @property
    def stopped(self) -> bool:
        """Whether a class came that stops the import."""
        return bool(self.unknown) and self.policy is UnknownClasses.STOP

    def resolve(self, annotations: Sequence[AnnotationRow], *, where: str) -> tuple[AnnotationRow, ...]:
        """Return annotations under main names; those of unknown classes are counted, and dropped if so asked."""
        resolved = []
        for annotation in annotations:
            name = annotation.class_name
            main = self.names.get(name) if name is not None else None
            if main == name:
                resolved.append(annotation)
            elif main is not None:
                resolved.append(annotation._replace(class_name=main))
            elif self._keep(name or "", where):
                resolved.append(annotation)
        return tuple(resolved)

    def main_name(self, name: str, *, where: str) -> str | None:
        """Return the main name of a class that no annotation needs to have; None if it is not to be known."""
        main = self.names.get(name)
        if main is None and self.policy is UnknownClasses.ADD:
            self.unknown.setdefault(name, Unknown(0, where))
            return name
        return main

    def new_classes(self) -> tuple[ClassEntry, ...]:
        """Return the classes that the project is to know from now on, by name."""
        added = self.unknown if self.policy is UnknownClasses.ADD else ()
        return tuple(ClassEntry(name=name) for name in sorted(added))

    def faults(self) -> list[Fault]:
        """Return a fault for each unknown class, if they stop the import."""
        if not self.stopped:
            return []
        return [
            Fault(f"the class {name!r} is unknown; it has {counted(unknown.times, 'annotation')}", unknown.first)
            for name, unknown in sorted(self.unknown.items())
        ]

    def count(self, unknown: Mapping[str, Unknown]) -> None:
        """Count what another resolver did not know, which worked on what follows."""
        for name, found in unknown.items():
            before = self.unknown.get(name, Unknown(0, found.first))
            self.unknown[name] = before._replace(times=before.times + found.times)

    def _keep(self, name: str, where: str) -> bool:
        before = self.unknown.get(name, Unknown(0, where))
        self.unknown[name] = before._replace(times=before.times + 1)
        return self.policy is not UnknownClasses.IGNORE
