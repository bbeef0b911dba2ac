"""A cable to a server: a port of its own that leads to the server's, until it is cut."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.servers.process import free_port

PIECE_BYTES = 1 << 16


class Cable:
    """Carries bytes both ways; while it is cut, connections break and new ones are refused."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port
        self._listening: asyncio.Server | None = None
        self._ends: set[StreamWriter] = set()
        self._answer = ""

    async def mend(self) -> None:
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def cut(self) -> None:
        if self._listening is not None:
            self._listening.close()
        for end in self._ends:
            end.transport.abort()

    @asynccontextmanager
    async def answering(self, status: str) -> AsyncIterator[None]:
        """Answer every request of HTTP with a status, in place of the server."""
        await self.cut()
        self._answer = status
        await self.mend()
        try:
            yield
        finally:
            self._answer = ""
            for end in self._ends:
                end.transport.abort()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        ends = {writer}
        self._ends.add(writer)
        try:
            with suppress(OSError, EOFError):
                while self._answer:
                    await _refuse(reader, writer, self._answer)
                there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
                ends.add(back)
                self._ends.add(back)
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            for end in ends:
                end.transport.abort()
            self._ends -= ends


@asynccontextmanager
async def plugged_in(server_port: int) -> AsyncIterator[Cable]:
    """Lay a cable for the length of a test."""
    cable = Cable(server_port)
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()


async def _refuse(reader: StreamReader, writer: StreamWriter, status: str) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        await reader.readexactly(int(length[1]))
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    await writer.drain()


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
