"""Whatever is cut off, killed or replayed: history has each line of the network once, in order of time, and each device
is shown each line.

Random lives: people talk, the connection is cut, the process is killed, the network replays what it likes, answers
late or not at all.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.core import replayed
from bouncer.downstream import session
from bouncer.downstream.replay import Replay
from bouncer.irc.message import Message
from bouncer.model import log
from bouncer.model.history import LAST_SEQ, Range
from tests.play.historian import CAPS, Historian
from tests.play.stage import Device, Stage

DEVICES = {"plain": "", "timed": "server-time", "full": "batch server-time message-tags"}
CHANNELS = ("#a", "#c")
NUMBER = re.compile(r" PRIVMSG (?:#\w|alice) :(?:\[[-0-9: ]+\] )?line (\d+)$")

actions = st.one_of(
    st.tuples(st.just("talk"), st.integers(1, 30)),
    st.tuples(st.just("talk"), st.integers(1, 30)),
    st.tuples(st.just("say"), st.integers(1, 3)),
    st.tuples(st.just("time passes"), st.integers(1, 3000)),
    st.tuples(st.just("cut"), st.none()),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("connect"), st.none()),
    st.tuples(st.just("connect and answer"), st.none()),
    st.tuples(st.just("replay"), st.tuples(st.integers(0, 60), st.integers(1, 40))),
    st.tuples(st.just("attach"), st.sampled_from(sorted(DEVICES))),
    st.tuples(st.just("leave"), st.sampled_from(sorted(DEVICES))),
    st.tuples(st.just("read"), st.none()),
    st.tuples(st.just("settle"), st.none()),
)


@dataclass
class Reader:
    device: Device | None = None
    seen: set[int] = field(default_factory=set)
    unproved: set[int] = field(default_factory=set)
    proved: set[int] = field(default_factory=set)
    stored: set[int] = field(default_factory=set)

    def read(self) -> None:
        if self.device is None:
            return
        lines = b"".join(self.device.written).decode().split("\r\n")
        self.device.written.clear()
        for line in lines:
            if found := NUMBER.search(line):
                number = int(found[1])
                assert number not in self.proved | self.unproved, "shown twice"
                self.unproved.add(number)
                self.seen.add(number)
            elif line.startswith("PING :bnc-") and not self.device.closed:
                self.proved |= self.unproved
                self.unproved = set()
                self.device.says("PONG " + line[5:])
        if self.device.closed:
            self.gone()

    def gone(self) -> None:
        """What was not proved may come again."""
        self.device = None
        self.unproved = set()


class Life:
    def __init__(self, caps: str, page: int) -> None:
        self.stage = Stage()
        self.network = Historian(self.stage, channels=CHANNELS, caps=caps, page=page)
        self.stage.user(channels=CHANNELS, first_helping=0)
        self.readers = {name: Reader() for name in DEVICES}
        self.numbers = iter(range(1, 1_000_000))
        self.theirs: set[int] = set()

    async def begin(self) -> None:
        for name in DEVICES:
            await self.attach(name)
        self.network.connects()
        await self.network.answers()
        self.talk(1)  # from here on the store knows the network
        await self.settle()

    async def act(self, what: str, argument: object) -> None:
        await getattr(self, "do_" + what.replace(" ", "_"))(argument)

    def talk(self, count: int) -> None:
        for _ in range(count):
            number = next(self.numbers)
            self.stage.timers.time += 0.001 * (number % 3)  # some in the same millisecond
            where = ("#a", "#c", "bob")[number % 7 % 3]
            self.network.talks(f"line {number}", where, to="alice" if where == "bob" else "")
            self.theirs.add(number)

    async def do_talk(self, count: int) -> None:
        self.talk(count)

    async def do_say(self, count: int) -> None:
        """The user says something, which the network hears a moment later, or does not."""
        self.readers["plain"].read()
        device = self.readers["plain"].device
        if device is None or not self.network.here:
            return
        for _ in range(count):
            text = f"mine {next(self.numbers)}"
            device.says(f"PRIVMSG #c :{text}")
            self.stage.timers.time += 0.002
            self.network.here = False  # it does not echo
            self.network.talks(text, by="alice")
            self.network.here = True

    async def do_time_passes(self, seconds: int) -> None:
        self.stage.timers.pass_by(seconds)

    async def do_cut(self, _: None) -> None:
        if self.network.here:
            self.network.hangs_up()

    async def do_kill(self, _: None) -> None:
        await self.stage.desk.close()
        self.network.here = False
        for reader in self.readers.values():
            reader.read()
            reader.gone()
            reader.proved = set(reader.stored)
        self.stage.begin()

    async def do_connect(self, _: None) -> None:
        if not self.network.here:
            self.stage.timers.time += 0.5
            self.network.connects()

    async def do_connect_and_answer(self, _: None) -> None:
        await self.do_connect(None)
        await self.network.answers()

    async def do_replay(self, which: tuple[int, int]) -> None:
        """The network sends some of its history without being asked."""
        if self.network.here:
            start, count = which
            for channel in CHANNELS:
                lines = self.network.history.get(channel, [])[start : start + count]
                self.network.upstream.says(*self.network.batch(f"chathistory {channel}", [said.line for said in lines]))

    async def attach(self, name: str) -> None:
        reader = self.readers[name]
        if reader.device is None:
            reader.device = await self.stage.device(f"alice@{name}", DEVICES[name])
            self.stored()

    async def do_attach(self, name: str) -> None:
        await self.attach(name)

    async def do_leave(self, name: str) -> None:
        reader = self.readers[name]
        if reader.device is not None:
            reader.read()
        if reader.device is not None:
            reader.device.leaves()
            reader.gone()

    async def do_read(self, _: None) -> None:
        for reader in self.readers.values():
            reader.read()

    async def do_settle(self, _: None) -> None:
        await self.settle()

    async def settle(self) -> None:
        await self.stage.settle()
        self.stored()

    def stored(self) -> None:
        for reader in self.readers.values():
            reader.stored = set(reader.proved)

    async def end(self) -> None:
        if self.network.here:
            await self.do_cut(None)
        await self.do_connect_and_answer(None)
        self.stage.timers.pass_by(3)
        await self.settle()
        assert not self.stage.upstream().link._replayed._waiting
        for target, said in self.network.history.items():
            lines = await self.stage.store.lines(Range(1, (target,), LAST_SEQ, 10_000))
            found = [Message.parse(line.raw).params[-1] for line in lines]
            assert sorted(found) == sorted(each.body.rpartition(":")[2] for each in said)
            assert [line.time for line in lines] == sorted(line.time for line in lines)
        for name, reader in self.readers.items():
            reader.read()
            if reader.device is not None:
                reader.device.leaves()
            reader.gone()
            await self.attach(name)
            await self.stage.settle()
            reader.read()
            assert self.theirs - reader.seen == set(), name
        await self.stage.desk.close()


@pytest.fixture(params=["as it is", "small"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits as they are, and so small that pages end everywhere."""
    if request.param == "small":
        monkeypatch.setattr(log, "WINDOW_BYTES", 3000)
        monkeypatch.setattr(session, "BURST", 4)
        monkeypatch.setattr(replayed, "PORTION", 3)
        monkeypatch.setattr(Replay.__init__, "__defaults__", (UTC, 5))


@pytest.mark.usefixtures("room")
@given(
    st.lists(actions, max_size=30),
    st.sampled_from([CAPS, f"{CAPS} labeled-response", "batch server-time draft/chathistory"]),
    st.sampled_from([7, 1000]),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_each_line_is_there_once_in_order_of_time(life: list[tuple[str, object]], caps: str, page: int) -> None:
    async def live() -> None:
        here = Life(caps, page)
        await here.begin()
        for what, argument in life:
            await here.act(what, argument)
        await here.end()

    asyncio.run(live())
