"""Class names in requests: main names in the place of aliases, and a fault for each that nobody knows."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from schemas.algebra_parameters import Conditions, FuseParameters, RelabelParameters
from schemas.errors import Fault
from schemas.exchange_parameters import ExportParameters, LabelParameters
from schemas.model_parameters import TrainParameters
from schemas.schema import Schema
from storage.class_names import Names

S = TypeVar("S", bound=Schema)

FIELDS: Final[tuple[tuple[type[Schema], tuple[str, ...]], ...]] = (
    (TrainParameters, ("classes",)),
    (LabelParameters, ("classes",)),
    (ExportParameters, ("classes",)),
    (Conditions, ("include_classes", "exclude_classes")),
)
NAMES_CLASSES: Final[tuple[type[Schema], ...]] = (*(kind for kind, _ in FIELDS), FuseParameters, RelabelParameters)


def with_main_names(asked: S, names: Names, *, pointer: str = "") -> tuple[S, list[Fault]]:
    """Return parameters with main names in the place of aliases, and a fault for each class that nobody knows."""
    if isinstance(asked, RelabelParameters):
        return _relabeling(asked, names)
    changes: dict[str, Any] = {}
    faults: list[Fault] = []
    for kind, fields in FIELDS:
        for field in fields if isinstance(asked, kind) else ():
            given = getattr(asked, field)
            changes[field] = main_names_of(given, names)
            unknown = ((position, name) for position, name in enumerate(given) if name not in names)
            faults += [_fault(name, names, f"{pointer}/{field}/{position}") for position, name in unknown]
    if isinstance(asked, Conditions):
        both = set(changes["include_classes"]) & set(changes["exclude_classes"])
        told = f"A class is either included or excluded: {', '.join(sorted(both))}, perhaps by an alias."
        faults += [Fault(told, f"{pointer}/exclude_classes")] if both else []
    if isinstance(asked, FuseParameters) and asked.conditions is not None:
        changes["conditions"], inside = with_main_names(asked.conditions, names, pointer=f"{pointer}/conditions")
        faults += inside
    return asked.model_copy(update=changes), faults


def main_names_of(given: Sequence[str], names: Names) -> tuple[str, ...]:
    """Return main names in the place of aliases, each once; a name that nobody knows stays as it is."""
    return tuple(dict.fromkeys(names.get(name, name) for name in given))


def _relabeling(asked: S, names: Names) -> tuple[S, list[Fault]]:
    """Return a relabeling by main names. Old names may be unknown to the project: models predict what they like."""
    if not isinstance(asked, RelabelParameters):
        return asked, []
    faults: list[Fault] = []
    classes: dict[str, str] = {}
    for old, new in asked.classes.items():
        main = names.get(old, old)
        if main in classes:
            faults.append(Fault(f"{old!r} and another name given here are both {main!r}.", f"/classes/{old}"))
        if new and new not in names and asked.unknown_classes == "stop":
            told = _fault(new, names, f"/classes/{old}")
            faults.append(told._replace(detail=f"{told.detail} unknown_classes add would make it."))
        classes[main] = names.get(new, new)
    return asked.model_copy(update={"classes": classes}), faults


def _fault(name: str, names: Names, pointer: str) -> Fault:
    near = get_close_matches(name, list(names), n=1, cutoff=0.5)
    nearest = f" The nearest is {near[0]!r}." if near else ""
    return Fault(f"The project has no class {name!r}.{nearest}", pointer)
