"""All documents that a query means, page after page."""

from collections.abc import AsyncIterator
from typing import Final

from storage.ports import EVERYTHING, D, Documents, Query

PAGE: Final = 1_000


async def every(documents: Documents[D], query: Query = EVERYTHING) -> AsyncIterator[D]:
    """Yield the documents that are meant; one that comes or goes meanwhile may be among them or not."""
    cursor = None
    while True:
        page = await documents.list(query, limit=PAGE, cursor=cursor)
        for document in page.items:
            yield document
        if (cursor := page.next) is None:
            return
