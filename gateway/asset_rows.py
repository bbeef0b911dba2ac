"""Assets as addresses name them."""

import re
from typing import Annotated, Final

from aiohttp import web
from pydantic import BeforeValidator, Field

from gateway.services import SERVICES
from schemas.annotations import LayerName
from schemas.datasets import Version
from schemas.errors import NotFound
from schemas.schema import AssetId
from storage.datasets.rows import AssetRow

ASSET_ID: Final = re.compile(r"[0-9a-f]{64}")


def _separate(names: object) -> object:
    return [part for name in names for part in str(name).split(",")] if isinstance(names, list | tuple) else names


Layers = Annotated[tuple[LayerName, ...], BeforeValidator(_separate), Field(max_length=100)]
"""Repeated, or separated by commas: no layer's name has one."""


async def row_of(request: web.Request, version: Version, layers: tuple[str, ...] | None) -> AssetRow:
    """Return the asset that an address names, with its annotations in some layers (all for None). Raises NotFound."""
    library = request.app[SERVICES].library
    return await library.find(await library.content(version.digest), asset_id_of(request), layers=layers)


def asset_id_of(request: web.Request) -> AssetId:
    """Return the id of the asset that an address names; raise NotFound if it cannot be one."""
    asset = request.match_info["asset"]
    if not ASSET_ID.fullmatch(asset):
        raise NotFound("asset", asset, step="An asset is named by 64 hex digits: the SHA-256 of its bytes.")
    return asset
