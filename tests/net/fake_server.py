"""A server on the loopback that a test plays by hand: it says nothing that the test does not make it say."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from types import TracebackType

SOON = 20  # seconds: no test waits this long unless it fails


class Visitor:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def line(self) -> str:
        """The next line of the client, without its end; "" when it has gone."""
        return (await asyncio.wait_for(self._reader.readline(), SOON)).decode("utf-8", "surrogateescape").rstrip("\r\n")

    async def rest(self) -> bytes:
        """All that comes before the client goes."""
        return await asyncio.wait_for(self._reader.read(-1), SOON)

    async def until(self, start: str) -> str:
        """The next line that begins so."""
        while not (line := await self.line()).startswith(start):
            assert line, f"the client went without saying {start}"
        return line

    def say(self, *lines: str | bytes) -> None:
        """Lines without their end, all in one write."""
        self.write(b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drained(self) -> None:
        await asyncio.wait_for(self._writer.drain(), SOON)

    async def welcome(self, nick: str = "bob") -> None:
        """Play a whole registration without capabilities."""
        await self.until("USER")
        self.say(":irc.test CAP * LS :", f":irc.test 001 {nick} :Welcome")
        await self.until("CAP END")

    def certificate(self) -> bytes:
        """What the client showed over TLS (DER)."""
        shown: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return shown

    def close(self) -> None:
        """End with FIN."""
        self._writer.close()

    def reset(self) -> None:
        """End with RST."""
        wrapped = self._writer.get_extra_info("socket")
        wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def stop_reading(self) -> None:
        """Take nothing more, as a peer that hangs."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of both directions


class FakeServer:
    """``async with FakeServer() as server``; a visitor that nobody asked for waits until somebody does."""

    def __init__(self, tls: ssl.SSLContext | None = None, greeting: bytes = b"", host: str = "127.0.0.1") -> None:
        self._tls = tls
        self._greeting = greeting
        self._host = host
        self._visitors: asyncio.Queue[Visitor] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server
        self.port = 0

    async def __aenter__(self) -> FakeServer:
        await self.open()
        return self

    async def open(self) -> None:
        """Listen, on the same port as before if it did before."""
        self._server = await asyncio.start_server(self._visited, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._greeting:
            writer.write(self._greeting)
        self._visitors.put_nowait(Visitor(reader, writer))

    async def visitor(self) -> Visitor:
        """The next connection."""
        return await asyncio.wait_for(self._visitors.get(), SOON)

    async def shut(self) -> None:
        """Listen no more; connections stay."""
        self._server.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for _ in range(3):  # an aborted transport closes its socket in the next pass
            await asyncio.sleep(0)
