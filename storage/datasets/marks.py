"""Marks: which assets have an annotation with some mark in an evaluation."""

import asyncio
from collections.abc import Collection
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.schema import Digest
from storage.datasets.asset_ids import AssetIds, asset_ids_of
from storage.ports import Blobs


async def marked_assets(marks: Digest, wanted: Collection[str], *, blobs: Blobs) -> AssetIds:
    """Return the assets with any of the wanted marks (all when none is named) in an evaluation's blob of marks."""
    return await asyncio.to_thread(_assets, await blobs.get(marks), wanted)


def _assets(parquet: bytes, wanted: Collection[str]) -> AssetIds:
    table = pq.read_table(BytesIO(parquet), columns=["asset", "mark"])
    if wanted:
        marks = table["mark"].cast(pa.string())
        table = table.filter(pc.is_in(marks, value_set=pa.array(sorted(wanted), pa.string())))
    return asset_ids_of(pc.unique(table["asset"]).to_pylist())
