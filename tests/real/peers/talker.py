"""A scripted raw IRC talker: the other people of a channel, and a bare client where a test needs to see every line.

It answers PING, keeps every line with the time it came, and can be told to say things. It speaks IRC by hand.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

from peers.certificates import unverified
from peers.waiting import eventually

LINE_LIMIT = 1 << 20  # of the stream reader; real lines are a hundred times shorter


class Line(NamedTuple):
    """One line as it came. `params` ends with the trailing one; `at` is the UNIX time of its arrival."""

    raw: str
    tags: dict[str, str]
    source: str
    command: str
    params: list[str]
    at: float

    @property
    def nick(self) -> str:
        return self.source.partition("!")[0]

    @property
    def text(self) -> str:
        return self.params[-1] if self.params else ""


class Sent(NamedTuple):
    """What somebody said, and the UNIX time at which it left."""

    text: str
    at: float


def read_line(raw: str, at: float) -> Line:
    tags: dict[str, str] = {}
    rest = raw
    if rest.startswith("@"):
        head, _, rest = rest[1:].partition(" ")
        tags = {key: value for key, _, value in (tag.partition("=") for tag in head.split(";"))}
    source = ""
    rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    middle, colon, trailing = rest.lstrip(" ").partition(" :")
    words = middle.split()
    params = words[1:] + ([trailing] if colon else [])
    return Line(raw, tags, source, words[0].upper() if words else "", params, at)


class Talker:
    """One connection. Make it with `Talker.connect`; close it with `close` (also safe when the peer is long gone)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nick: str) -> None:
        self.nick = nick
        self.lines: list[Line] = []
        self.closed = False
        self._reader = reader
        self._writer = writer
        self._task = asyncio.create_task(self._read(), name=f"talker {nick}")

    @classmethod
    async def open(cls, port: int, *, tls: bool = False, nick: str = "") -> Self:
        """Connect to a loopback port and say nothing."""
        context = unverified() if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=LINE_LIMIT)
        return cls(reader, writer, nick)

    @classmethod
    async def connect(
        cls, port: int, nick: str, *, tls: bool = False, password: str = "", caps: str = "", user: str = ""
    ) -> Self:
        """Connect and register; returns after 001. `caps` are asked for in one CAP REQ."""
        talker = await cls.open(port, tls=tls, nick=nick)
        try:
            if caps:
                talker.send("CAP LS 302", f"CAP REQ :{caps}")
            if password:
                talker.send(f"PASS :{password}")
            talker.send(f"NICK {nick}", f"USER {user or nick} 0 * :{nick}")
            if caps:
                await talker.line(lambda line: line.command == "CAP" and line.params[1] in ("ACK", "NAK"))
                talker.send("CAP END")
            talker.nick = (await talker.line(lambda line: line.command == "001")).params[0]
        except BaseException:
            await talker.close()
            raise
        return talker

    def send(self, *lines: str) -> None:
        """Write lines at once, without waiting."""
        self.send_bytes("".join(f"{line}\r\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    async def join(self, channel: str) -> None:
        """JOIN, and wait for the end of NAMES."""
        start = len(self.lines)
        self.send(f"JOIN {channel}")
        await self.line(lambda line: line.command == "366" and line.params[1] == channel, since=start)

    async def say(self, target: str, texts: Iterable[str]) -> list[Sent]:
        """One PRIVMSG for each text; the times are those at which they were handed to the socket."""
        sent = []
        for text in texts:
            sent.append(Sent(text, time.time()))
            self.send(f"PRIVMSG {target} :{text}")
            await self._writer.drain()
        return sent

    async def flushed(self) -> None:
        """Wait until the server has handled everything sent so far: it answers a PING."""
        token = f"flush-{len(self.lines)}-{time.monotonic_ns()}"
        start = len(self.lines)
        self.send(f"PING {token}")
        await self.line(lambda line: line.command == "PONG" and line.text == token, since=start)

    async def line(self, wanted: Callable[[Line], bool], timeout: float = 20.0, since: int = 0) -> Line:
        """The first line that `wanted` accepts among those from index `since` on, waiting for it if need be."""

        def first() -> Line:
            found = next((line for line in self.lines[since:] if wanted(line)), None)
            assert found is not None, "\n" + "\n".join(line.raw for line in self.lines[-15:])
            return found

        return await eventually(first, timeout, f"{self.nick or 'talker'} gets a line")

    def messages(self, target: str, since: int = 0) -> list[Line]:
        """The PRIVMSGs to that channel or nick, in the order of their coming."""
        return [
            line
            for line in self.lines[since:]
            if line.command == "PRIVMSG" and line.params and line.params[0].lower() == target.lower()
        ]

    async def heard(self, target: str, text: str, timeout: float = 20.0) -> Line:
        """Wait for a PRIVMSG with exactly that text."""

        def wanted(line: Line) -> bool:
            return line.command == "PRIVMSG" and line.params[0].lower() == target.lower() and line.text == text

        return await self.line(wanted, timeout)

    async def sees(self, nick: str, channel: str, timeout: float = 20.0) -> None:
        """Wait until that nick is in the channel, whoever of the two came first."""

        async def is_there() -> bool:
            start = len(self.lines)
            self.send(f"NAMES {channel}")
            await self.line(lambda line: line.command == "366" and line.params[1] == channel, since=start)
            names = [line.text for line in self.lines[start:] if line.command == "353" and line.params[2] == channel]
            return nick in {name.lstrip("~&@%+").partition("!")[0] for text in names for name in text.split()}

        await eventually(is_there, timeout, f"{nick} is in {channel}")

    async def end(self, timeout: float = 20.0) -> None:
        """Wait until the peer has closed the connection."""
        await eventually(lambda: self.closed, timeout, f"{self.nick or 'talker'} is disconnected")

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.transport.abort()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        try:
            while data := await self._reader.readline():
                line = read_line(data.decode(errors="replace").rstrip("\r\n"), time.time())
                self.lines.append(line)
                if line.command == "PING":
                    self.send(f"PONG :{line.text}")
        except OSError:
            pass  # a peer that was killed resets the connection: an end like any other
        finally:
            self.closed = True
