"""Export and import are the identity, apart from what the export told; each format joins by a line."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.reports import Finding
from storage.datasets.rows import AnnotationRow, AssetRow
from tests.workers.formats.round_trips import (
    LOST_BY,
    ORIGIN,
    PREDICTED,
    Came,
    differences,
    read,
    told_of,
    versions,
    write,
)
from workers.formats.registry import FORMATS

NAMES = [
    "voc",
    "coco",
    "yolo",
    "yolo-seg",
    "yolo-obb",
    "yolo-pose",
    "label-studio",
    "ark",
    "datumaro",
    "cvat",
    "labelme",
    "ymir",
    "ymir-coco",
    "none",
]


@pytest.mark.parametrize("form", NAMES)
@given(version=versions())
@settings(max_examples=40, deadline=None)
def test_what_differs_after_a_round_trip_is_what_was_told(form: str, version: list[AssetRow]) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "scratch").mkdir()
        told = told_of(write(form, version, Path(folder) / "there", Path(folder) / "scratch"))
        again = read(Path(folder) / "there", version)

    assert not again.faults
    assert not again.not_kept
    is_annotated = any(GROUND_TRUTH in row.layers for row in version)
    assert again.taken_for in {{"ymir-coco": "ymir"}.get(form, form), form if is_annotated else "none"}
    assert again.assets.keys() == {row.image.file_name for row in version}
    has_predictions = FORMATS[form].with_predictions and any(PREDICTED in row.layers for row in version)
    assert again.predictions == ({PREDICTED: ORIGIN} if has_predictions else {})
    for row in version:
        after = again.assets[row.image.file_name]
        _check_image(row, after, told.get(row.image.file_name, []))
        _check_annotations(row, row.layers.get(GROUND_TRUTH), after.annotations, told)
        if has_predictions:
            _check_annotations(row, row.layers.get(PREDICTED), after.layers.get(PREDICTED), told)


def _check_image(before: AssetRow, after: Came, told: Sequence[Finding]) -> None:
    kinds = {finding.kind.removeprefix("types of ").split(" ")[0] for finding in told}
    said = before.layers.get(ATTRIBUTES, ())
    assert (after.attributes != (said[0].attributes if said else "")) == ("attributes" in kinds)
    assert (after.split is not before.split) == ("splits" in kinds)
    assert after.image.file_name == before.image.file_name


def _check_annotations(
    before: AssetRow,
    given: Sequence[AnnotationRow] | None,
    found: Sequence[AnnotationRow] | None,
    told: dict[str, list[Finding]],
) -> None:
    told_of_image = {finding.kind for finding in told.get(before.image.file_name, ())}
    assert (given is None) == (found is None) or "annotations of images" in told_of_image
    if given is None or found is None:
        return
    kept = [row for row in given if not _is_left_out(_told_of(before, row, told))]
    assert len(found) == len(kept)
    for one, other in zip(kept, found, strict=True):
        kinds = {finding.kind for finding in _told_of(before, one, told)}
        differing = differences(one, other)
        assert differing <= {field for kind in kinds for field in LOST_BY[kind]} | _implied(one), (one, other, kinds)
        assert {kind for kind in kinds if not LOST_BY[kind] & differing} == set(), (one, other, kinds)


def _told_of(before: AssetRow, row: AnnotationRow, told: dict[str, list[Finding]]) -> list[Finding]:
    assert row.id is not None
    return told.get(f"{before.image.file_name} {row.id.hex()}", [])


def _is_left_out(told: Sequence[Finding]) -> bool:
    return any("left out" in finding.detail for finding in told)


def _implied(row: AnnotationRow) -> set[str]:
    """Return what an import adds to an annotation that has no box but a place: the box about it."""
    return {"box"} if row.box is None else set()
