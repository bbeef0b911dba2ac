"""Posting as cheaply as can be: requests written out beforehand, over connections that stay open."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

ACCEPTED: Final = b"HTTP/1.1 202 "


class Posted(NamedTuple):
    """When a request was due and when it was answered, by the clock of ``time.time``; and the answer's body."""

    due: float
    answered: float
    body: bytes


async def post_all(
    url: str, key: str, bodies: Sequence[bytes], *, connections: int, rate: float | None
) -> list[Posted]:
    """Post bodies over so many connections: one after the other on each, or (``rate``) so many a second in all.

    Raise RuntimeError for an answer that is not 202. A request that finds no connection free is late, and its time
    counts from when it was due.
    """
    start = time.time() + 0.1
    numbered = iter(enumerate(bodies))
    posted: list[Posted] = []

    async def send() -> None:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n".encode()
        for number, body in numbered:
            due = time.time() if rate is None else start + number / rate
            if (early := due - time.time()) > 0:
                await asyncio.sleep(early)
            writer.write(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            posted.append(Posted(due, *await _answer(reader)))
        writer.close()

    await asyncio.gather(*(send() for _ in range(connections)))
    return posted


async def _answer(reader: asyncio.StreamReader) -> tuple[float, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    if not head.startswith(ACCEPTED):
        raise RuntimeError((head + body).decode(errors="replace"))
    return time.time(), body
