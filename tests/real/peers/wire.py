"""The wire between a real client and the bouncer: passes everything on, can be cut, and has its own notes of what was
given and what was proved to be read.

A line of text is counted if it is `NAME NUMBER`, as the tests' people number what they say. NAME tells conversations
apart.
"""

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Self

from peers.waiting import eventually

NUMBERED = re.compile(rb" (?:PRIVMSG|NOTICE) \S+ :(?:\[[^\]]*\] )?(\w+) (\d{5})$")

END_OF_GREETING = re.compile(rb":\S+ (?:376|422) ")


class Attachment:
    """What went over one connection: of each conversation the numbers that were given, in order, and the highest one
    that the client confirmed."""

    def __init__(self) -> None:
        self.given: dict[str, list[int]] = defaultdict(list)
        self.confirmed: dict[str, int] = {}
        self.greeted = False
        self._asked: dict[bytes, dict[str, int]] = {}  # what had been given, by the token of a question

    def to_client(self, line: bytes) -> None:
        if found := NUMBERED.search(line):
            self.given[found[1].decode()].append(int(found[2]))
        elif END_OF_GREETING.match(line):
            self.greeted = True
        elif line.startswith(b"PING :bnc-"):
            self._asked[line[6:]] = {name: numbers[-1] for name, numbers in self.given.items()}

    def from_client(self, line: bytes) -> None:
        command, _, token = line.partition(b" ")
        if command == b"PONG":
            self.confirmed |= self._asked.get(token.lstrip(b":"), {})


class Wire:
    """A port that leads to the bouncer's. One connection after the other, each with an `Attachment`."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server
        self._bouncer: int

    @classmethod
    async def to(cls, port: int) -> Self:
        wire = cls()
        wire._bouncer = port
        wire._server = await asyncio.start_server(wire._serve, "127.0.0.1", 0)
        return wire

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def up(self) -> bool:
        """Whether a client is attached."""
        return bool(self._clients)

    def confirmed_all(self) -> bool:
        """Whether the client has confirmed all that it was given, once it was let in."""
        here = self.attachments[-1]
        assert here.greeted
        assert here.confirmed == {name: numbers[-1] for name, numbers in here.given.items()}, here.confirmed
        return True

    def cut(self) -> None:
        """The client's side is reset; the bouncer sees an end without a word. What is under way is lost."""
        for writer in self._clients:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attachment = Attachment()
        self.attachments.append(attachment)
        self._clients.add(writer)
        bouncer_reader, bouncer_writer = await asyncio.open_connection("127.0.0.1", self._bouncer)
        there = asyncio.create_task(_pass_on(reader, bouncer_writer, attachment.from_client))
        back = asyncio.create_task(_pass_on(bouncer_reader, writer, attachment.to_client))
        # a client that hangs up reads no more, whatever the bouncer would say yet; and the other way round
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        for each in (writer, bouncer_writer):
            each.close()
            with contextlib.suppress(OSError):
                await each.wait_closed()
        self._clients.discard(writer)

    async def close(self) -> None:
        self._server.close()
        self.cut()
        await eventually(lambda: not self._clients, what="the wire is down")


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]) -> None:
    rest = b""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            *lines, rest = (rest + data).split(b"\r\n")
            for line in lines:
                note(line)
            writer.write(data)
            await writer.drain()
