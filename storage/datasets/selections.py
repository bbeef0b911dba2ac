"""Selections: which image rows of a segment are meant, as a bit set that has one packed form."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from schemas.errors import Invalid
from schemas.schema import Digest, digest_of

Mask = NDArray[np.bool_]
Masks = Mapping[Digest, Mask]
"""For each segment, by its digest, which of its image rows are selected."""


def pack(mask: Mask) -> bytes:
    """Return the stored form: one bit a row, the first row in the lowest bit, the last byte filled up with zeros."""
    return np.packbits(mask, bitorder="little").tobytes()


def unpack(data: bytes, *, rows: int) -> Mask:
    """Return the mask that was packed; raise Invalid if it is not one of so many rows."""
    if len(data) != (rows + 7) // 8:
        raise Invalid(
            f"A selection of {rows} rows has {(rows + 7) // 8} bytes, not {len(data)}.",
            step="Restore the blob store from a back-up, or make the version again.",
        )
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    if bits[rows:].any():
        raise Invalid(f"A selection of {rows} rows selects rows behind the last.", step="Make the version again.")
    return frozen(bits[:rows].view(np.bool_))


def digest_of_mask(mask: Mask) -> Digest:
    """Return the digest of a selection: that of its packed bits."""
    return digest_of(pack(mask))


def all_rows(rows: int) -> Mask:
    """Return the mask that selects every row."""
    return frozen(np.ones(rows, dtype=np.bool_))


def frozen(mask: Mask) -> Mask:
    """Return the mask as one that cannot be written to."""
    mask.flags.writeable = False
    return mask


def union(*parts: Masks) -> dict[Digest, Mask]:
    """Return the rows that any of the parts selects."""
    result: dict[Digest, Mask] = {}
    for part in parts:
        for segment, mask in part.items():
            result[segment] = frozen(result[segment] | mask) if segment in result else mask
    return result


def intersection(left: Masks, right: Masks) -> dict[Digest, Mask]:
    """Return the rows that both select."""
    return {segment: frozen(mask & right[segment]) for segment, mask in left.items() if segment in right}


def difference(left: Masks, right: Masks) -> dict[Digest, Mask]:
    """Return the rows of the left that the right does not select."""
    return {segment: frozen(mask & ~right[segment]) if segment in right else mask for segment, mask in left.items()}


def count(masks: Masks) -> int:
    """Return how many rows are selected."""
    return sum(int(np.count_nonzero(mask)) for mask in masks.values())


def tidied(masks: Masks) -> dict[Digest, Mask]:
    """Return the masks sorted by segment, without those that select nothing."""
    return {segment: frozen(masks[segment]) for segment in sorted(masks) if masks[segment].any()}
