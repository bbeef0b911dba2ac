"""All documents that a query means, page after page."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from storage.ports import EVERYTHING, D, Documents, Query

SIZE: Final = 1_000


async def every(documents: Documents[D], query: Query = EVERYTHING, *, order: str = "id") -> AsyncIterator[D]:
    """Yield the documents that are meant; one that comes or goes meanwhile may be among them or not."""
    async for page in pages(documents, query, order=order):
        for document in page:
            yield document


async def pages(
    documents: Documents[D], query: Query = EVERYTHING, *, order: str = "id", size: int = SIZE
) -> AsyncIterator[Sequence[D]]:
    """Yield the documents that are meant, so many at a time."""
    cursor = None
    while True:
        page = await documents.list(query, order=order, limit=size, cursor=cursor)
        yield page.items
        if (cursor := page.next) is None:
            return
