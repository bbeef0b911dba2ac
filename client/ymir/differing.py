"""What differs between two versions, asset by asset and annotation by annotation, a line each."""

from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from schemas.annotations import Annotation
from schemas.diffs import AnnotationChange, AssetDiff, ChangeKind

SHOWN: Final = 100
"""How many letters of a value are shown: an outline may have thousands."""


def lines_of(diff: AssetDiff) -> Iterator[str]:
    """Yield a line about an asset, and one for each of its annotations that was added, removed or changed."""
    yield f"{diff.asset}  {', '.join(_told(kind, diff) for kind in diff.changes)}"
    for name, layer in diff.layers.items():
        yield from (f"  + {name}: {annotation_told(added)}" for added in layer.added)
        yield from (f"  - {name}: {annotation_told(removed)}" for removed in layer.removed)
        yield from (f"  ~ {name}: {_change(change)}" for change in layer.changed)


def annotation_told(annotation: Annotation) -> str:
    """Return the id of an annotation, its class, and where it is."""
    box = annotation.box
    where = "" if box is None else f"{box.x:g},{box.y:g} {box.width:g}x{box.height:g}"
    return " ".join(part for part in (annotation.id, annotation.class_name, where) if part)


def _told(kind: ChangeKind, diff: AssetDiff) -> str:
    return f"moved from {diff.before} to {diff.after}" if kind is ChangeKind.MOVED else str(kind)


def _change(change: AnnotationChange) -> str:
    before, after = (side.model_dump(mode="json", by_alias=True) for side in (change.before, change.after))
    fields = [f"{name} {_value(before[name])} → {_value(after[name])}" for name in change.fields]
    return f"{annotation_told(change.before)}: {', '.join(fields)}"


def _value(value: JsonValue) -> str:
    text = value if isinstance(value, str) else to_json(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
