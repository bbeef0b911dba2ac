"""What every type of task is asked for: the parts that their parameters share."""

from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple

from pydantic import AfterValidator, Field
from typing_extensions import override

from schemas.datasets import Keywords
from schemas.refs import Ref, Source
from schemas.schema import Name, Schema

Seed = Annotated[int, Field(ge=0, lt=2**63)]


Fraction = Annotated[float, Field(ge=0, le=1)]


class Slot(StrEnum):
    """The kinds of slots that workers offer; a task runs in one of the kind it needs."""

    DATA = "data"
    EXECUTOR = "executor"
    GPU = "gpu"
    SERVICE = "service"
    DELIVERY = "delivery"
    """Of its own, so that no line of events before an endpoint keeps other work waiting."""


class RefElsewhere(NamedTuple):
    """A ref into another project, by the name of that; the pointer is that of the object that has both."""

    pointer: str
    project: str
    ref: Ref


class Parameters(Schema):
    """What every type of task has in common."""

    SLOT: ClassVar[Slot] = Slot.DATA
    ANNOUNCED: ClassVar[bool] = True
    """Whether events tell of such a task."""

    @property
    def slot(self) -> Slot:
        """The kind of slot in which such a task runs."""
        return self.SLOT

    def refs(self) -> tuple[tuple[str, Ref], ...]:
        """Return the refs that are to be resolved on acceptance, each after its JSON pointer."""
        return ()

    def refs_elsewhere(self) -> tuple[RefElsewhere, ...]:
        """Return the refs into other projects, which are resolved on acceptance like the others."""
        return ()

    def makes(self) -> "MakesVersion | None":
        """Return which version such a task is to make, None if it makes none."""
        return None


def _not_a_number(tag: str) -> str:
    if tag.isdecimal():
        message = "a tag of digits only would be taken for a version number"
        raise ValueError(message)
    return tag


TagName = Annotated[Name, AfterValidator(_not_a_number)]


class MakesVersion(Parameters):
    """A task whose result is a version."""

    dataset: Name
    """The dataset that the new version belongs to; made if it does not exist."""
    tag: TagName | None = None
    """A name for the new version; digits only are refused, since ``name@3`` is a number."""
    message: Annotated[str, Field(max_length=2_000)] = ""
    """What was done and why, for those who read the log."""
    keywords: Keywords = ()
    """What the new version is found by later; they can be changed."""

    @override
    def makes(self) -> "MakesVersion | None":
        return self


class SingleSource(MakesVersion):
    """A task that makes a version out of one other."""

    source: Ref
    """The version to take from: ``name@tag``, ``name@3``, or ``name`` for the newest."""

    @override
    def refs(self) -> tuple[tuple[str, Ref], ...]:
        return (("/source", self.source),)


def source_refs(pointer: str, sources: tuple[Source, ...]) -> tuple[tuple[str, Ref], ...]:
    """Return the refs of a list of sources, each after its JSON pointer."""
    return tuple((f"{pointer}/{position}/ref", source.ref) for position, source in enumerate(sources))


def plain_refs(pointer: str, refs: tuple[Ref, ...]) -> tuple[tuple[str, Ref], ...]:
    """Return a list of refs, each after its JSON pointer."""
    return tuple((f"{pointer}/{position}", ref) for position, ref in enumerate(refs))
