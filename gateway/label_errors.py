"""Labels that are likely wrong, page by page."""

import asyncio
import io
from collections.abc import Collection
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.blobs import BlobRef
from schemas.evaluations import ErrorKind, LabelError
from schemas.pages import Page
from storage.ports import Blobs

IDS: Final = ("asset", "annotation", "prediction")


async def label_errors(
    blob: BlobRef, kinds: Collection[ErrorKind], *, offset: int, limit: int, blobs: Blobs
) -> Page[LabelError]:
    """Return some errors of some kinds (all when none is named), the likeliest first; cursors are offsets."""
    return await asyncio.to_thread(_page, await blobs.get(blob.digest), kinds, offset, limit)


def _page(parquet: bytes, kinds: Collection[ErrorKind], offset: int, limit: int) -> Page[LabelError]:
    table = pq.read_table(io.BytesIO(parquet))
    if kinds:
        wanted = pa.array(sorted(map(str, kinds)), pa.string())
        table = table.filter(pc.is_in(table["kind"].cast(pa.string()), value_set=wanted))
    rows = table.slice(offset, limit).to_pylist()
    following = str(offset + limit) if offset + limit < table.num_rows else None
    return Page(items=tuple(LabelError.model_validate(_plain(row)) for row in rows), next=following)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: None if row[name] is None else row[name].hex() for name in IDS}
