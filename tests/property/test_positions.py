"""Every device's stream is the log in order: nothing lost, nothing repeated that the device has proved to have read.

Random lives: text comes, devices come, read, hang, leave; the network goes and returns; the process is killed. Of the
three kinds of client all are there: who takes missed text as it is or in batches, and who asks for it page by page.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.downstream import session
from bouncer.downstream.replay import Replay
from bouncer.model import log
from tests.play.stage import Device, Stage

CAPS = {
    "phone": "",
    "desk": "server-time",
    "watch": "server-time batch echo-message",
    "pager": "server-time batch message-tags draft/chathistory",
}
DEVICES = tuple(CAPS)
NUMBER = re.compile(r"PRIVMSG #c :(?:\[[-0-9: ]+\] )?(\d+)$")

TAGGED = re.compile(r"@(\S+) \S+ PRIVMSG #c :(\d+)$")
PAGE = 3  # lines that are asked for at a time

some_device = st.sampled_from(DEVICES)
# What takes several steps in a row, and would seldom come about by itself.
ways = st.one_of(
    # comes, is told so much, reads so many lines of it, and is gone
    st.tuples(st.just("visit"), some_device, st.integers(1, 40), st.integers(0, 60)),
    # hangs while so much is said; another comes and reads it; then the first reads on
    st.tuples(st.just("beside"), some_device, st.integers(1, 40), some_device),
)
actions = st.one_of(
    ways.map(lambda way: (way[0], way[1:])),
    st.tuples(st.just("say"), st.integers(1, 40)),
    st.tuples(st.just("attach"), some_device),
    st.tuples(st.just("read"), some_device),
    st.tuples(st.just("leave"), some_device),
    st.tuples(st.integers(0, 30), some_device),  # reads so many lines more, and is gone
    st.tuples(st.just("hang"), some_device),
    st.tuples(st.just("settle"), st.none()),
    st.tuples(st.just("time passes"), st.integers(1, 8)),
    st.tuples(st.just("network goes"), st.none()),
    st.tuples(st.just("kill"), st.none()),
)


@dataclass
class Reader:
    """What one device has seen in all its attachments, and what it has proved."""

    name: str
    device: Device | None = None
    here: list[int] = field(default_factory=list)  # of this attachment
    ever: set[int] = field(default_factory=set)
    proved: int = -1
    stored: int = -1  # as much of that as the store has: a kill in the milliseconds between may lose the rest
    since: int = 0  # the first number that was not said when this attachment began
    floor: int = -1  # what it had proved when this attachment began

    def attached(self, device: Device, said: int) -> None:
        """``said``: how many lines there are."""
        self.device = device
        self.floor, self.here, self.since = self.proved, [], said

    def left(self) -> None:
        self.device = None

    async def read(self, most: int | None = None) -> None:
        if self.device is None:
            return
        lines = b"".join(self.device.written).decode().split("\r\n")
        self.device.written.clear()
        for line in lines[:most]:
            if found := NUMBER.search(line):
                number = int(found[1])
                assert not self.here or number > self.here[-1], "out of order, or twice"
                assert number > self.floor, "repeated though it was proved to be read"
                self.here.append(number)
                self.ever.add(number)
            elif line.startswith("PING :bnc-") and not self.device.closed:
                self.proved = max([self.proved, *self.here])
                self.device.says("PONG " + line[5:])


@dataclass
class Pager(Reader):
    """A client that asks for what it missed. It has no line twice, whatever it has confirmed."""

    known: list[tuple[str, int]] = field(default_factory=list)  # all that it has, by msgid
    live: list[tuple[str, int]] = field(default_factory=list)  # came by itself before it has asked
    asked: bool = False

    def left(self) -> None:
        super().left()
        self.live, self.asked = [], False  # what stands behind a gap is not kept

    async def read(self, most: int | None = None) -> None:
        if self.device is None or self.device.full or most is not None:
            return  # an answer would not come
        while not self.asked:
            self.asked = await self.page()
        self.overhear()
        self.know(self.live)
        self.live = []

    async def page(self) -> bool:
        """Ask for what comes after the newest line; True if there is no more of it that does not come by itself."""
        assert self.device is not None
        after = f"msgid={self.known[-1][0]}" if self.known else "timestamp=1970-01-01T00:00:00.000Z"
        self.overhear()
        self.device.says(f"CHATHISTORY AFTER #c {after} {PAGE}")
        await self.device.stage.settle()
        live, page, complete = self.look(asked=True)
        self.live += live
        if page is None:
            self.known.pop()  # a kill took it from history
            return False
        if self.live and self.live[0] in page:
            missed = page.index(self.live[0])
            assert page[missed:] == self.live[: len(page) - missed]
            page, complete = page[:missed], True
        self.know(page)
        return complete

    def overhear(self) -> None:
        """Take in what came by itself; in a batch if memory did not hold it any more."""
        lines, _, _ = self.look(asked=False)
        assert all(number >= self.since for _, number in lines), "was not asked for"
        self.live += lines

    def look(self, asked: bool) -> tuple[list[tuple[str, int]], list[tuple[str, int]] | None, bool]:
        """What has come by itself; what came as an answer, None if that is an error; whether there is no more."""
        assert self.device is not None
        live: list[tuple[str, int]] = []
        page: list[tuple[str, int]] | None = None
        complete = False
        for line in self.device.lines():
            if found := TAGGED.match(line):
                tags = dict(tag.split("=") for tag in found[1].split(";"))
                into = page if "batch" in tags and page is not None else live
                into.append((tags["msgid"], int(found[2])))
            elif asked and " BATCH +" in line:
                page = []
                complete = "draft/chathistory-end" in line
        return live, page, complete

    def know(self, lines: list[tuple[str, int]]) -> None:
        for msgid, number in lines:
            assert number not in self.ever, "twice"
            assert not self.known or number > self.known[-1][1], "out of order"
            self.known.append((msgid, number))
            self.ever.add(number)


class Life:
    def __init__(self) -> None:
        self.stage = Stage()
        self.stage.user(first_helping=0)
        self.stage.upstream().welcomes()
        self.readers = {name: (Pager if name == "pager" else Reader)(name) for name in DEVICES}
        self.said = 0
        self.durable = 0
        self.lost: set[int] = set()

    async def begin(self) -> None:
        for reader in self.readers.values():
            await self.attach(reader)
            await self.leave(reader)

    async def visit(self, name: str, said: int, most: int) -> None:
        await self.attach(self.readers[name])
        await self.read(self.readers[name])
        await self.act("say", said)
        await self.leave(self.readers[name], most)

    async def beside(self, name: str, said: int, other: str) -> None:
        await self.attach(self.readers[name])
        await self.read(self.readers[name])
        await self.hang(self.readers[name])
        await self.act("say", said)
        for each in (other, name):
            await self.attach(self.readers[each])
            await self.read(self.readers[each])

    async def act(self, what: str | int, argument: Any) -> None:
        if what == "say":
            numbers = range(self.said, self.said + argument)
            self.stage.upstream().says(*(f":bob!b@h PRIVMSG #c :{number}" for number in numbers))
            self.said += argument
        elif what == "settle":
            await self.settle()
        elif what == "time passes":
            self.stage.timers.pass_by(argument)
        elif what == "network goes":
            self.stage.upstream().hangs_up()
            self.stage.upstream().welcomes()
        elif what == "kill":
            await self.kill()
        elif isinstance(argument, tuple):
            await getattr(self, str(what))(*argument)
        elif isinstance(what, int):
            await self.leave(self.readers[argument], what)
        else:
            await getattr(self, what)(self.readers[argument])

    async def attach(self, reader: Reader) -> None:
        if reader.device is None:
            reader.attached(await self.stage.device(f"alice@{reader.name}", CAPS[reader.name]), self.said)
            self.stored()  # whoever attaches waits for the store

    async def read(self, reader: Reader) -> None:
        if reader.device is not None and reader.device.full:
            reader.device.takes_again()
        await reader.read()

    async def hang(self, reader: Reader) -> None:
        if reader.device is not None:
            reader.device.full = True

    async def leave(self, reader: Reader, most: int | None = None) -> None:
        if reader.device is not None:
            await reader.read(most)
            device = reader.device
            reader.left()
            device.leaves()

    async def settle(self) -> None:
        await self.stage.settle()
        self.stored()

    def stored(self) -> None:
        self.durable = self.said
        for reader in self.readers.values():
            reader.stored = reader.proved

    async def kill(self) -> None:
        self.lost |= set(range(self.durable, self.said))
        await self.stage.desk.close()
        for reader in self.readers.values():
            reader.left()
            reader.proved = reader.stored
        self.stage.begin()
        self.stage.upstream().welcomes()

    async def end(self) -> None:
        await self.settle()
        for reader in self.readers.values():
            await self.leave(reader)
            await self.attach(reader)
            await self.stage.settle()
            await reader.read()
            missing = set(range(self.said)) - reader.ever - self.lost
            assert not missing, f"{reader.name} never got {sorted(missing)}"
        await self.stage.desk.close()
        self.stage.store.close()


@pytest.fixture(params=["roomy", "pieces", "tight"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is; in small pieces; and with so little memory that everybody falls out of it all the time."""
    if request.param == "tight":
        monkeypatch.setattr(log, "WINDOW_BYTES", 3000)
    if request.param != "roomy":
        monkeypatch.setattr(session, "BURST", 4)
        monkeypatch.setattr(Replay.__init__, "__defaults__", (UTC, 3))


@pytest.mark.usefixtures("room")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(actions, max_size=40))
def test_every_devices_stream_is_the_log_in_order(story: list[tuple[str | int, Any]]) -> None:
    async def live() -> None:
        life = Life()
        await life.begin()
        for what, argument in story:
            await life.act(what, argument)
        await life.end()

    asyncio.run(live())
