"""infer-result.json in COCO's form, as executors for segmentation write it."""

from collections.abc import Mapping
from typing import Any

from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow
from workers.executors.checks import Faults, number
from workers.executors.mining_result import asset_in
from workers.formats.parts import box_about
from workers.formats.rle import mask_row

POINTS_AT_LEAST = 3
VALUES_OF_A_POINT = 3


def coco_predictions(
    told: Mapping[str, Any],
    images: Mapping[bytes, ImageRow],
    found: dict[bytes, list[AnnotationRow]],
    faults: Faults,
) -> None:
    """Add to ``found`` what a COCO document says; ``faults`` takes what breaks a rule."""
    assets = _assets(told, images, faults)
    categories = _by_id(told, "categories")
    found.update((asset, []) for asset in assets.values())
    for position, entry in enumerate(told["annotations"]):
        where = f"annotations[{position}]"
        if not isinstance(entry, dict):
            faults.add(where, "It must be an object.")
            continue
        asset = assets.get(_identity(entry.get("image_id")))
        category = categories.get(_identity(entry.get("category_id")), {}).get("name")
        if asset is None:
            faults.add(f"{where}.image_id", f"There is no image {entry.get('image_id')!r}.")
        elif not isinstance(category, str) or not category.strip():
            faults.add(f"{where}.category_id", f"There is no category {entry.get('category_id')!r}.")
        else:
            row = _row(entry, category.strip().lower(), where, faults)
            if row is not None and _fits(row, images[asset], where, faults):
                found[asset].append(row)


def _identity(told: object) -> int | str | None:
    return told if isinstance(told, int | str) else None


def _by_id(told: Mapping[str, Any], key: str) -> dict[Any, dict[str, Any]]:
    entries = told.get(key)
    return {
        entry["id"]: entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), int | str)
    }


def _assets(told: Mapping[str, Any], images: Mapping[bytes, ImageRow], faults: Faults) -> dict[Any, bytes]:
    assets = {}
    for identity, entry in _by_id(told, "images").items():
        asset = asset_in(str(entry.get("file_name", "")))
        if asset is None or asset not in images:
            faults.add(f"images[id={identity!r}].file_name", f"{entry.get('file_name')!r} is not among the candidates.")
        else:
            assets[identity] = asset
    return assets


def _row(entry: Mapping[str, Any], class_name: str, where: str, faults: Faults) -> AnnotationRow | None:
    score = number(entry.get("confidence", entry.get("score")))
    if score is None or not 0 <= score <= 1:
        faults.add(f"{where}.confidence", "It must be a number from 0 to 1.")
        return None
    box = _box(entry.get("bbox"), where, faults)
    polygons, mask = _shape(entry.get("segmentation"), where, faults)
    points = _keypoints(entry.get("keypoints"), where, faults)
    row = AnnotationRow(
        class_name=class_name, box=box, polygons=polygons, mask=mask, keypoints=points, confidence=score
    )
    return row._replace(box=box_about(row)) if box is None else row


def _fits(row: AnnotationRow, image: ImageRow, where: str, faults: Faults) -> bool:
    mask = row.mask
    # Segments without a description do not know how large the image is.
    if mask is None or not image.width or (mask.width, mask.height) == (image.width, image.height):
        return True
    told = f"The mask has {mask.width} x {mask.height} pixels, its image {image.width} x {image.height}."
    faults.add(f"{where}.segmentation.size", told)
    return False


def _keypoints(told: object, where: str, faults: Faults) -> tuple[float, ...]:
    if told is None:
        return ()
    values = [number(value) for value in told] if isinstance(told, list) else [None]
    known = tuple(value for value in values if value is not None)
    if len(known) != len(values) or len(known) % VALUES_OF_A_POINT:
        faults.add(f"{where}.keypoints", "They must be x, y and visibility of each point, all finite numbers.")
        return ()
    return known


def _box(told: object, where: str, faults: Faults) -> tuple[float, float, float, float] | None:
    if told is None:
        return None
    sides = [number(side) for side in told] if isinstance(told, list) else []
    known = [side for side in sides if side is not None]
    if len(sides) != 4 or len(known) != 4 or known[2] < 0 or known[3] < 0:  # noqa: PLR2004 - x, y, width, height
        faults.add(f"{where}.bbox", "It must be x, y, width and height, finite and not negative in size.")
        return None
    return known[0], known[1], known[2], known[3]


def _shape(told: object, where: str, faults: Faults) -> tuple[tuple[tuple[float, ...], ...], MaskRow | None]:
    if isinstance(told, list):
        polygons = tuple(tuple(number(value) for value in polygon) for polygon in told if isinstance(polygon, list))
        known = tuple(tuple(value for value in polygon if value is not None) for polygon in polygons)
        if known != polygons or any(len(polygon) < 2 * POINTS_AT_LEAST or len(polygon) % 2 for polygon in known):
            faults.add(f"{where}.segmentation", "A polygon is x, y of at least three points, all finite numbers.")
            return (), None
        return known, None
    if isinstance(told, dict):
        try:
            height, width = told["size"]
            return (), mask_row(told["counts"], height=int(height), width=int(width))
        except (KeyError, TypeError, ValueError) as error:
            faults.add(f"{where}.segmentation", f"It is no run-length encoding: {error}.")
            return (), None
    if told is not None:
        faults.add(f"{where}.segmentation", "It must be polygons or a run-length encoding.")
    return (), None
