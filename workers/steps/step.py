"""A step: what one type of task of the algebra makes of the contents that it is given."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from schemas.errors import Invalid
from schemas.projects import ClassEntry
from schemas.reports import Finding
from schemas.schema import Id
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.ports import Blobs, Database

Inputs = Mapping[str, Content]
"""What the refs of a task name, by their JSON pointers."""


class Tools(NamedTuple):
    """What steps work with, and the project that they work in."""

    project: Id
    library: Library
    blobs: Blobs
    database: Database


class Applied(NamedTuple):
    """What a step came to; nothing of it is kept yet but segments."""

    content: Content
    summary: Mapping[str, JsonValue] = {}
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    new_classes: tuple[ClassEntry, ...] = ()


class Refusal(NamedTuple):
    """What stands against a step, all of it."""

    error: Invalid
    summary: Mapping[str, JsonValue] = {}
    findings: tuple[Finding, ...] = ()


class Step(NamedTuple):
    """How one type of task is applied."""

    apply: Callable[[Any, Inputs, Tools], Awaitable[Applied | Refusal]]
    """Takes parameters, inputs and tools. It may be repeated: what it makes depends on these alone."""
    parents: tuple[str, ...] = ("/source",)
    """How the pointers of those inputs begin that the new version is made of."""


def inputs_below(inputs: Inputs, pointer: str) -> list[Content]:
    """Return the contents of a list of refs, in its order."""
    found = [(key, content) for key, content in inputs.items() if key.startswith(f"{pointer}/")]
    return [content for _, content in sorted(found, key=lambda item: int(item[0].split("/")[2]))]
