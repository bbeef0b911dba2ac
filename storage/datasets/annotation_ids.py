"""Annotation ids: the one an annotation came with, else one derived from what it says."""

import struct
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Invalid
from storage.datasets.rows import ID_BYTES, AnnotationRow

NONE: Final = bytes(ID_BYTES)
RECORD: Final = struct.Struct("<32s16s16s5d16si")
NO_BOX: Final = (-1.0, -1.0, -1.0, -1.0)
"""No box has a negative width."""


def annotation_ids(
    rows: Sequence[AnnotationRow], images: NDArray[np.int32], *, assets: Sequence[bytes], layer: str
) -> bytes:
    """Return the ids of annotations, joined; raise Invalid if an asset has two annotations of one given id.

    A derived id is BLAKE2b, 16 bytes long, of: asset, layer, class, box, rotation, polygons with mask and
    keypoints, and how many equals on the same asset come before it (docs/segments.md).
    """
    ids = _first_ids(rows, images, assets=assets, layer=_short(layer.encode()))
    if set(map(len, ids)) - {ID_BYTES}:
        raise Invalid(f"An annotation id has {ID_BYTES} bytes.", step="Give each annotation such an id, or none.")
    if len(set(ids)) < len(ids):
        _tell_equals_apart(ids, rows, images, assets=assets, layer=_short(layer.encode()))
    return b"".join(ids)


def derived_id(row: AnnotationRow, *, asset: bytes, layer: bytes, class_name: bytes, occurrence: int) -> bytes:
    """Return the id of an annotation that came without one; layer and class are given as short hashes."""
    x, y, width, height = NO_BOX if row.box is None else row.box
    shape = _shape(row) if row.polygons or row.mask or row.keypoints else NONE
    # Adding zero turns -0.0 into 0.0: equal geometry, equal id.
    sides = (x + 0.0, y + 0.0, width + 0.0, height + 0.0, row.rotation + 0.0)
    return blake2b(RECORD.pack(asset, layer, class_name, *sides, shape, occurrence), digest_size=ID_BYTES).digest()


def _first_ids(
    rows: Sequence[AnnotationRow], images: NDArray[np.int32], *, assets: Sequence[bytes], layer: bytes
) -> list[bytes]:
    classes = {name: NONE if name is None else _short(name.encode()) for name in {row.class_name for row in rows}}
    return [
        row.id or derived_id(row, asset=assets[image], layer=layer, class_name=classes[row.class_name], occurrence=0)
        for row, image in zip(rows, images.tolist(), strict=True)
    ]


def _tell_equals_apart(
    ids: list[bytes],
    rows: Sequence[AnnotationRow],
    images: NDArray[np.int32],
    *,
    assets: Sequence[bytes],
    layer: bytes,
) -> None:
    places = list(zip(images.tolist(), ids, strict=True))
    often = {place for place, times in Counter(places).items() if times > 1}
    taken = {place for place, row in zip(places, rows, strict=True) if row.id is not None or place not in often}
    given: set[tuple[int, bytes]] = set()
    for position, (place, row) in enumerate(zip(places, rows, strict=True)):
        if place not in often:
            continue
        image, identity = place
        if row.id is not None:
            _refuse_twice(place, given, assets)
            continue
        asset, class_name = assets[image], _short((row.class_name or "").encode()) if row.class_name else NONE
        occurrence = 0
        while (image, identity) in taken:
            occurrence += 1
            identity = derived_id(row, asset=asset, layer=layer, class_name=class_name, occurrence=occurrence)
        ids[position] = identity
        taken.add((image, identity))


def _refuse_twice(place: tuple[int, bytes], given: set[tuple[int, bytes]], assets: Sequence[bytes]) -> None:
    if place in given:
        image, identity = place
        raise Invalid(
            f"The asset {assets[image].hex()} has two annotations with the id {identity.hex()}.",
            step="Give each annotation of an image its own id, or none.",
        )
    given.add(place)


def _shape(row: AnnotationRow) -> bytes:
    parts = [struct.pack("<i", len(row.polygons))]
    parts += [
        struct.pack(f"<i{len(points)}d", len(points), *(value + 0.0 for value in points))
        for points in (*row.polygons, row.keypoints)
    ]
    if row.mask is not None:
        parts.append(struct.pack("<ii", row.mask.height, row.mask.width) + row.mask.counts.encode())
    return _short(b"".join(parts))


def _short(data: bytes) -> bytes:
    return blake2b(data, digest_size=ID_BYTES).digest()
