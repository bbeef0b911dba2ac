"""Relabel: other classes for the annotations of a layer."""

from schemas.algebra_parameters import RelabelParameters
from schemas.errors import Fault, Invalid
from schemas.projects import ClassEntry
from storage.class_names import names_in
from storage.datasets.relabel import DROPPED, relabeled
from workers.steps.step import Applied, Inputs, Tools


async def relabel(asked: RelabelParameters, inputs: Inputs, tools: Tools) -> Applied:
    """Give annotations other classes; raise Invalid for a new name that the project lacks, unless it is to be added."""
    new = await _new_classes(asked, tools)
    result = await relabeled(inputs["/source"], asked.classes, layer=asked.layer, library=tools.library)
    changed = {f"{old}->{new}": count for (old, new), count in sorted(result.annotations.items()) if new != DROPPED}
    dropped = {old: count for (old, new), count in sorted(result.annotations.items()) if new == DROPPED}
    found = {old for old, _ in result.annotations}
    return Applied(
        result.content,
        {"touched_images": result.images, "relabeled": {**changed}, "dropped": {**dropped}},
        warnings=tuple(
            f"No annotation of the layer {asked.layer!r} has the class {old!r}."
            for old, new in asked.classes.items()
            if old != new and old not in found
        ),
        new_classes=new,
    )


async def _new_classes(asked: RelabelParameters, tools: Tools) -> tuple[ClassEntry, ...]:
    known = await names_in(tools.project, tools.database)
    unknown = sorted({name for name in asked.classes.values() if name != DROPPED and name not in known})
    if unknown and asked.unknown_classes == "stop":
        raise Invalid(
            f"The project has no class {', '.join(map(repr, unknown[:10]))}.",
            step="Add it to the project's classes first, or relabel with unknown_classes add.",
            faults=[Fault("The project has no such class.", name) for name in unknown],
        )
    return tuple(ClassEntry(name=name) for name in unknown)
