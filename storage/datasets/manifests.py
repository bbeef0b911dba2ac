"""Manifests: the canonical bytes of a version's content, whose digest is the version's."""

from typing import Final

import orjson
from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.manifests import Entry, Layer, Manifest
from schemas.schema import Digest, digest_of
from storage.datasets.content import Content
from storage.datasets.selections import Masks, digest_of_mask

MANIFEST_FORMAT: Final = 1


def manifest_of(content: Content) -> Manifest:
    """Return the manifest of a content that is tidied."""
    return Manifest(
        format=MANIFEST_FORMAT,
        images={split: _entries(masks) for split, masks in content.images.items()},
        layers={
            name: Layer(entries=_entries(layer.masks), predictions=layer.predictions)
            for name, layer in content.layers.items()
        },
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the canonical form: JSON in UTF-8 with sorted keys and no spaces. A layer without predictions has null."""
    return orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


def manifest_digest(manifest: Manifest) -> Digest:
    """Return the digest of the canonical form, which is that of the version."""
    return digest_of(manifest_bytes(manifest))


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest that some bytes are; raise Invalid for another format or broken bytes."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        where = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise Invalid(
            f"This is no manifest: {error.errors()[0]['msg']} (at /{where}).",
            step="Restore the blob store from a back-up, or make the version again.",
        ) from error
    if manifest.format != MANIFEST_FORMAT:
        raise Invalid(
            f"This manifest has format {manifest.format}; this release reads format {MANIFEST_FORMAT}.",
            step="Use the release that made the version, or a newer one.",
        )
    return manifest


def _entries(masks: Masks) -> tuple[Entry, ...]:
    return tuple(Entry(segment, digest_of_mask(mask)) for segment, mask in sorted(masks.items()))
