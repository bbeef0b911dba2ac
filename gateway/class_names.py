"""Class names in parameters: main names in the place of aliases, and a fault for each that nobody knows."""

from difflib import get_close_matches
from typing import Any, Final, TypeVar

from schemas.algebra_parameters import Conditions, FuseParameters
from schemas.errors import Fault
from schemas.exchange_parameters import ExportParameters, LabelParameters
from schemas.model_parameters import TrainParameters
from schemas.schema import Schema

S = TypeVar("S", bound=Schema)

FIELDS: Final[tuple[tuple[type[Schema], tuple[str, ...]], ...]] = (
    (TrainParameters, ("classes",)),
    (LabelParameters, ("classes",)),
    (ExportParameters, ("classes",)),
    (Conditions, ("include_classes", "exclude_classes")),
)


def with_main_names(asked: S, names: dict[str, str], *, pointer: str = "") -> tuple[S, list[Fault]]:
    """Return parameters with main names; ``names`` has the main name of every class and alias of the project."""
    changes: dict[str, Any] = {}
    faults: list[Fault] = []
    for kind, fields in FIELDS:
        for field in fields if isinstance(asked, kind) else ():
            given = getattr(asked, field)
            changes[field] = tuple(dict.fromkeys(names.get(name, name) for name in given))
            unknown = ((position, name) for position, name in enumerate(given) if name not in names)
            faults += [_fault(name, names, f"{pointer}/{field}/{position}") for position, name in unknown]
    if isinstance(asked, FuseParameters) and asked.conditions is not None:
        changes["conditions"], inside = with_main_names(asked.conditions, names, pointer=f"{pointer}/conditions")
        faults += inside
    return asked.model_copy(update=changes), faults


def _fault(name: str, names: dict[str, str], pointer: str) -> Fault:
    near = get_close_matches(name, list(names), n=1, cutoff=0.5)
    nearest = f" The nearest is {near[0]!r}." if near else ""
    return Fault(f"The project has no class {name!r}.{nearest}", pointer)
