"""What happened to one asset between two versions, annotation by annotation."""

from collections.abc import Iterator, Mapping
from typing import Final

from schemas.annotations import LayerName
from schemas.diffs import AnnotationChange, AssetDiff, AssetLayerDiff, ChangeKind
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, to_annotation

NAMES: Final = {"class_name": "class"}

Rows = tuple[AnnotationRow, ...]


def asset_diff(
    asset: bytes,
    *,
    before: Split | None,
    after: Split | None,
    layers: Mapping[LayerName, tuple[Rows | None, Rows | None]],
) -> AssetDiff:
    """Return what happened to an asset; a split, and rows in a layer, are None where a version has none of it."""
    diffs = {name: diff for name, sides in layers.items() if (diff := _layer_diff(*sides)) is not None}
    kinds = {*_of_asset(before, after), *(diff.change for diff in diffs.values())}
    changes = tuple(kind for kind in ChangeKind if kind in kinds)
    return AssetDiff(asset=asset.hex(), before=before, after=after, changes=changes, layers=diffs)


def _of_asset(before: Split | None, after: Split | None) -> Iterator[ChangeKind]:
    if before is not after:
        if before is None:
            yield ChangeKind.ADDED
        elif after is None:
            yield ChangeKind.REMOVED
        else:
            yield ChangeKind.MOVED


def _layer_diff(before: Rows | None, after: Rows | None) -> AssetLayerDiff | None:
    old, new = ({row.id: row for row in rows or ()} for rows in (before, after))
    if old == new and (before is None) == (after is None):
        return None
    kind = ChangeKind.CHANGED
    if before is None or after is None:
        kind = ChangeKind.ANNOTATED if before is None else ChangeKind.UNANNOTATED
    return AssetLayerDiff(
        change=kind,
        added=tuple(to_annotation(row) for identity, row in new.items() if identity not in old),
        removed=tuple(to_annotation(row) for identity, row in old.items() if identity not in new),
        changed=tuple(
            _change(old[identity], row) for identity, row in new.items() if identity in old and row != old[identity]
        ),
    )


def _change(before: AnnotationRow, after: AnnotationRow) -> AnnotationChange:
    names = (
        NAMES.get(name, name) for name, old, new in zip(AnnotationRow._fields, before, after, strict=True) if old != new
    )
    return AnnotationChange(fields=tuple(names), before=to_annotation(before), after=to_annotation(after))
