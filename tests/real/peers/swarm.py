"""Many bare clients at once: each keeps of what it got only what a test of order and routing needs.

A `Talker` keeps every line; with hundreds of clients in busy channels that is gigabytes. A `Member` keeps the numbered
texts by conversation, and holds every answer of a server against the questions it has put.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Self

from peers.waiting import eventually

# By command: what answers it, and the numerics that end it with the parameter that names what was asked about.
ANSWERS: Mapping[str, tuple[frozenset[str], Mapping[str, int]]] = {
    "WHOIS": (
        frozenset(re.findall(r"\d+", "276 301 307 310 311 312 313 317 319 320 330 335 338 378 379 401 402 671")),
        {"318": 1},
    ),
    "WHO": (frozenset({"352"}), {"315": 1}),
    "USERHOST": (frozenset(), {"302": 0}),
    "ISON": (frozenset(), {"303": 0}),
    "TIME": (frozenset(), {"391": 0}),
    "WHOWAS": (frozenset({"314", "312", "406", "338", "379", "330"}), {"369": 1}),
    "LUSERS": (frozenset({"251", "252", "253", "254", "255", "265"}), {"266": 0}),
    "LIST": (frozenset({"321", "322"}), {"323": 0}),
    "MODE": (frozenset(), {"368": 1}),
}
# What a server says to all clients when the user comes into a channel, or changes what is true for all of them.
FOR_ALL = frozenset({"332", "333", "353", "366", "324", "329", "305", "306", "396", "900", "221", "331"})
# What may come after the end of an answer: ngIRCd says how many there have been at most.
AFTERWARDS = {"250": "LUSERS"}


class Member(asyncio.Protocol):
    """One connection. `strays` are answers that it never asked for; `texts` by folded target, in order of coming."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nick = ""
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.strays: list[str] = []
        self.notes: dict[str, str] = {}  # of each numeric, the last line
        self.asked: list[tuple[str, str]] = []  # (command, subject), not answered yet
        self.answered: Counter[str] = Counter()  # by command
        self.attached = False  # past the burst that greets it
        self.closed = False
        self.last = ""
        self._rest = b""
        self._marks: set[str] = set()
        self._transport: asyncio.Transport

    @classmethod
    async def attach(cls, port: int, name: str, login: str, password: str, *, nick: str, caps: str = "") -> Self:
        """Log in and read up to the end of the greeting and of what was missed."""
        loop = asyncio.get_running_loop()
        _, member = await loop.create_connection(lambda: cls(name), "127.0.0.1", port)
        if caps:
            member.send("CAP LS 302", f"CAP REQ :{caps}", "CAP END")
        member.send(f"PASS {login}:{password}" if password else "", f"NICK {nick}", f"USER {nick} 0 * :{name}")
        await eventually(lambda: member.nick or member.ended(), 60, f"{name} is let in")
        await member.mark()
        member.attached = True
        return member

    def ended(self) -> bool:
        """Fails if the connection is over."""
        assert not self.closed, f"{self.name} was closed: {self.last}"
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._line(line.decode(errors="replace"))

    def _line(self, line: str) -> None:
        self.last = line
        if line[:1] == "@":
            line = line.partition(" ")[2]
        source, head = ("", line) if line[:1] != ":" else (line[1:].split(" ", 1)[0], line.partition(" ")[2])
        middle, colon, trailing = head.partition(" :")
        words = middle.split(" ")
        params = words[1:] + ([trailing] if colon else [])
        command = words[0]
        if command == "PRIVMSG":
            target = params[0] if params[0][:1] == "#" else source.partition("!")[0]
            self.texts[target.lower()].append(params[1])
        elif command == "PING":
            self.send(f"PONG :{params[-1]}")
        elif command == "PONG":
            self._marks.add(params[-1])
        elif command == "001":
            self.nick = params[0]
        elif command.isdigit() and self.attached:
            self.notes[command] = line
            self._answer(command, params[1:], line)

    def _answer(self, numeric: str, params: list[str], line: str) -> None:
        for place, (command, subject) in enumerate(self.asked):
            replies, ends = ANSWERS[command]
            if numeric in ends:
                named = params[ends[numeric] - 1] if ends[numeric] else ""
                if not ends[numeric] or named.lower() == subject.lower():
                    del self.asked[place]
                    self.answered[command] += 1
                    return
            elif numeric in replies:
                return
        if numeric not in FOR_ALL and not self.answered[AFTERWARDS.get(numeric, "")]:
            self.strays.append(line)

    def ask(self, command: str, *params: str) -> None:
        """Put a question; its answer has to come here."""
        self.asked.append((command, params[0] if params else ""))
        self.send(" ".join((command, *params)))

    def send(self, *lines: str) -> None:
        self._transport.write("".join(f"{line}\r\n" for line in lines if line).encode())

    async def mark(self) -> None:
        """Wait until all that was sent has been handled, and all before it has come."""
        token = f"mark-{len(self._marks)}-{id(self)}"
        self.send(f"PING {token}")
        await eventually(lambda: token in self._marks or self.ended(), 60, f"{self.name} gets its PONG")

    def cut(self) -> None:
        """End the connection without a word."""
        self._transport.abort()

    async def close(self, *, abruptly: bool = False) -> None:
        if abruptly:
            self.cut()
        elif not self.closed:
            self.send("QUIT")
        await eventually(lambda: self.closed, 20, f"{self.name} is gone")


async def all_of(work: Iterable[Callable[[], Awaitable[None]]], at_once: int = 40) -> None:
    """Do all of it, so many things at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(function: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await function()

    await asyncio.gather(*map(one, work))
