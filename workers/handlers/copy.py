"""Copy: a version of another project becomes one of this, under the classes that this one knows."""

from collections import Counter
from typing import NamedTuple

from pydantic import JsonValue

from schemas.blobs import BlobRef
from schemas.counts import counted
from schemas.errors import Fault, Invalid
from schemas.exchange_parameters import CopyParameters, ImportParameters, UnknownClasses
from schemas.outcomes import Outcome
from schemas.problems import Problem
from schemas.projects import ClassEntry, Project
from schemas.schema import Id
from storage.class_names import Names, names_in
from storage.datasets.class_counts import class_counts
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.relabel import DROPPED, relabeled
from storage.ports import Blobs, Database
from workers.drafts import version_of
from workers.findings import Findings
from workers.work import Work


async def copy(
    work: Work[CopyParameters] | Work[ImportParameters], *, library: Library, blobs: Blobs, database: Database
) -> Outcome:
    """Make a version of the images and layers of another project's version; no image or annotation is moved.

    A class that is an alias here gets its main name, and only then are rows written anew. A class that this project
    does not know stops it, is added, or has its annotations left out, which are counted.
    """
    asked, pointer = work.parameters, "/ref"
    if isinstance(asked, ImportParameters):
        asked, pointer = asked.as_copy(), "/source/ref"
    source = await library.version(work.task.version_of(pointer))
    content = await library.content(source.digest)
    if not asked.annotations:
        content = Content(content.images)
    if asked.split is not None:
        content = content.with_split(asked.split)
    work.progress(0.2, "comparing classes")
    classes = _Classes(await class_counts(content, library=library), await names_in(work.task.project, database))
    report = await _report(classes, blobs=blobs)
    if classes.unknown and asked.unknown_classes is UnknownClasses.STOP:
        return Outcome(problem=Problem.of(_stopped(classes), status=422), report=report)
    work.progress(0.4, "renaming classes")
    for layer in content.layers:
        names = classes.names(asked.unknown_classes)
        content = (await relabeled(content, names, layer=layer, library=library)).content
    work.progress(0.7, "keeping the version")
    outcome = await version_of(
        asked,
        content,
        parents=[source.id],
        library=library,
        summary=classes.summary(asked.unknown_classes),
        report=report,
        warnings=await _warnings(source.project, work.task.project, database),
    )
    added = sorted(classes.unknown) if asked.unknown_classes is UnknownClasses.ADD else ()
    return outcome.model_copy(update={"new_classes": tuple(ClassEntry(name=name) for name in added)})


class _Classes(NamedTuple):
    """The classes of the annotations that are copied, and what the project makes of them."""

    counts: Counter[str]
    known: Names
    """The main name of every name and alias of the project."""

    @property
    def unknown(self) -> dict[str, int]:
        """How many annotations each class has that the project does not know."""
        return {name: count for name, count in sorted(self.counts.items()) if name not in self.known}

    @property
    def renamed(self) -> dict[str, int]:
        """How many annotations each class has that is only an alias here."""
        return {name: count for name, count in sorted(self.counts.items()) if self.known.get(name, name) != name}

    def names(self, policy: UnknownClasses) -> dict[str, str]:
        """Return the name that each class gets, empty for one whose annotations are left out."""
        left_out = self.unknown if policy is UnknownClasses.IGNORE else ()
        return {**self.known, **dict.fromkeys(left_out, DROPPED)}

    def summary(self, policy: UnknownClasses) -> dict[str, JsonValue]:
        """Return the counts that a result tells."""
        unknown = sum(self.unknown.values())
        dropped = unknown if policy is UnknownClasses.IGNORE else 0
        return {
            "annotations": sum(self.counts.values()) - dropped,
            "dropped_annotations": dropped,
            "renamed_annotations": sum(self.renamed.values()),
            "unknown_classes": dict(list(self.unknown.items())[:100]),
        }


def _stopped(classes: _Classes) -> Invalid:
    faults = [
        Fault(f"the class {name!r} is unknown; it has {counted(count, 'annotation')}", name)
        for name, count in classes.unknown.items()
    ]
    names = ", ".join(list(classes.unknown)[:20])
    message = f"The project does not know {counted(len(faults), 'class', 'classes')}: {names}."
    step = "Add them (or aliases) to the project's classes, or copy with unknown_classes add or ignore."
    return Invalid(message, step=step, faults=faults)


async def _report(classes: _Classes, *, blobs: Blobs) -> BlobRef:
    findings = Findings()
    for name, count in classes.unknown.items():
        findings.add(
            name, f"The project has no such class; it is that of {counted(count, 'annotation')}.", kind="unknown class"
        )
    for name, count in classes.renamed.items():
        detail = (
            f"It is an alias of {classes.known[name]!r} here, which is now the class of {counted(count, 'annotation')}."
        )
        findings.add(name, detail, kind="renamed class")
    data = findings.report({"classes": len(classes.counts)}).model_dump_json().encode()
    return await blobs.put(data, media_type="application/json")


async def _warnings(source: Id, target: Id, database: Database) -> list[str]:
    kinds = {one.id: one.object_type for one in await database.documents(Project).get_many([source, target])}
    if len(set(kinds.values())) < 2:  # noqa: PLR2004 - two cannot differ
        return []
    return [f"The source is of a project for {kinds[source]}, this one is for {kinds[target]}."]
