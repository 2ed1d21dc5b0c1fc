"""A network of the test's own: an IRC server for one user, with its own list of what it said and when.

It says what no real server would say for the asking: so many lines a second, to channels as large as wanted.
"""

import asyncio
import time
from collections.abc import Sequence

from peers.waiting import ticks

TICK = 0.005  # seconds between two handfuls of lines that are to come steadily
SEND_BUFFER = 1 << 16  # bytes of the kernel's: what waits for a slow reader is to be few lines


class Scripted:
    """One server. Who connects last is the user; `said` has the time (monotonic) of each line, by number."""

    def __init__(self, members: int = 0, nick: str = "alice") -> None:
        self.said: list[float] = []
        self.channels: set[str] = set()
        self._members = " ".join([nick, *(f"member{number:03}" for number in range(members))])
        self._nick = nick
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Its address as the bouncer's state file writes it."""
        return f"irc+insecure://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                command, *params = line.decode().split()
                writer.write(self._answer(command, params).encode())
                if command == "JOIN":
                    self._writer = writer
        except ConnectionError:
            pass
        finally:
            if self._writer is writer:
                self._writer = None
                self.channels.clear()
            writer.close()

    def _answer(self, command: str, params: Sequence[str]) -> str:
        nick = self._nick
        if command == "CAP":
            return ":irc.test CAP * LS :\r\n" if params[0] == "LS" else ""
        if command == "PING":
            return f":irc.test PONG irc.test {params[0]}\r\n"
        if command == "USER":
            return f":irc.test 001 {nick} :Welcome {nick}!a@h\r\n:irc.test 422 {nick} :No MOTD\r\n"
        if command != "JOIN":
            return ""
        answer = ""
        for channel in params[0].split(","):
            self.channels.add(channel)
            answer += (
                f":{nick}!a@h JOIN {channel}\r\n:irc.test 353 {nick} = {channel} :{self._members}\r\n"
                f":irc.test 366 {nick} {channel} :End\r\n"
            )
        return answer

    @property
    def joined(self) -> bool:
        return self._writer is not None

    def say(self, count: int, channels: Sequence[str] = ("#t",)) -> None:
        """So many lines, each with its number as its text, to these channels in turn; none if nobody is there."""
        if self._writer is None:
            return
        first = len(self.said)
        lines = [f":bob!b@h PRIVMSG {channels[n % len(channels)]} :{n}\r\n" for n in range(first, first + count)]
        self._writer.write("".join(lines).encode())
        self.said += [time.monotonic()] * count

    async def say_steadily(self, rate: int, seconds: float) -> None:
        """So many lines a second for so long, or until the user is gone. A line counts as said when the socket took it:
        while the reader is slow, nothing more is said."""
        due = 0.0
        async for _ in ticks(TICK, seconds):
            writer = self._writer
            if writer is None:
                return
            due += rate * TICK
            if not writer.transport.get_write_buffer_size():
                self.say(int(due))
                due -= int(due)

    async def close(self) -> None:
        self._server.close()
        if self._writer is not None:
            self._writer.close()
