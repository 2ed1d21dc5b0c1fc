"""What both ends of the load have in common: they write prepared bytes, count marks, and answer PING."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from benchmarks.words import MARK

PATIENCE = 120.0  # seconds that the slowest subject may take for what is asked of it at once


class Wire(asyncio.Protocol):
    """One connection. ``seen`` counts the lines with a mark that came."""

    def __init__(self) -> None:
        self.seen = 0
        self.pongs = 0
        self.transport: asyncio.Transport
        self._rest = b""
        self._awaited = 0
        self._arrived: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's are not of asyncio's class

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        for waiting in (self._arrived, self._writable):
            if waiting is not None and not waiting.done():
                waiting.set_exception(ConnectionError("the bouncer closed the connection"))

    def data_received(self, data: bytes) -> None:
        marks = data.count(MARK)
        self.seen += marks
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if not marks:
            self.lines(data[:end].split(b"\n"))
        elif b"PING " in data:
            for line in data[:end].split(b"\n"):
                self.ping(line)
        if self._arrived is not None and self.seen >= self._awaited and not self._arrived.done():
            self._arrived.set_result(None)

    def lines(self, lines: list[bytes]) -> None:
        """A read in which nothing is counted, line by line."""
        for line in lines:
            self.ping(line)

    def ping(self, line: bytes) -> None:
        """Answer a PING, with or without a prefix; leave anything else."""
        if line.startswith(b"PING ") or (line.startswith(b":") and line.partition(b" ")[2].startswith(b"PING ")):
            self.transport.write(b"PONG " + line.partition(b"PING ")[2].rstrip() + b"\r\n")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    async def send(self, chunks: Iterable[bytes]) -> None:
        """Write as fast as the other side reads, and let others in between."""
        loop = asyncio.get_running_loop()
        for number, chunk in enumerate(chunks):
            self.transport.write(chunk)
            if self._paused:
                self._writable = loop.create_future()
                await self._writable
            elif not number % 16:
                await asyncio.sleep(0)

    def awaiting(self, lines: int) -> asyncio.Future[None]:
        """Done when that many lines more have come than by now."""
        self._awaited = self.seen + lines
        self._arrived = asyncio.get_running_loop().create_future()
        return self._arrived

    async def close(self) -> None:
        self.transport.close()
        await self.lost
