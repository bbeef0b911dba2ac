"""The assets of a version, as the service lists them."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from client.mir.session import Session
from schemas.datasets import Version

PAGE = 200


async def assets_of(
    session: Session, version: Version, *, layers: Sequence[str] = ()
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield each asset of a version with its annotations in some layers (all if none is named)."""
    path = f"{session.path}/datasets/{version.dataset_name}/versions/{version.number}/assets"
    query: dict[str, str | int | Sequence[str]] = {"limit": PAGE} | ({"layer": ",".join(layers)} if layers else {})
    while True:
        page = json.loads(await session.client.read(path, **query))
        for item in page["items"]:
            yield item
        if page.get("next") is None:
            return
        query["cursor"] = page["next"]
