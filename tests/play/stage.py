"""A stage for conversations: the whole core with its entrance and its desk, with people instead of sockets.

Peers say lines and get lines. Nothing is mocked but the edges of the process: sockets, the clock, the hash.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bouncer.app.desk import Desk
from bouncer.app.entrance import Entrance
from bouncer.app.visit import Visit
from bouncer.caps.table import CAPABILITIES
from bouncer.core.house import House
from bouncer.core.link import Link
from bouncer.core.status import Phase
from bouncer.downstream.networks import NETWORKS, NOTIFY
from bouncer.downstream.session import ON_REQUEST
from bouncer.irc.message import Message
from bouncer.irc.sasl import LEAST_ITERATIONS, format_keys, scram_keys
from bouncer.model.records import Channel, Endpoint, Network, User
from bouncer.operations.context import Actor, Context, Facts
from bouncer.store.memory import MemoryStore
from bouncer.upstream.tracked import TRACKED

START = 1_700_000_000.0  # 2023-11-14T22:13:20Z
# but for those that change who comes in how, and where to, and who fetches what it missed
SPECIAL_CAPS = {"sasl", NETWORKS, NOTIFY, *ON_REQUEST, "draft/event-playback", "draft/read-marker"}
ALL_CAPS = " ".join(row.name for row in CAPABILITIES if row.offered and row.name not in SPECIAL_CAPS)


@dataclass
class Deadline:
    when: float
    act: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class StageTimers:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = START
        self.deadlines: list[Deadline] = []

    def now(self) -> float:
        return self.time

    def at(self, when: float, act: Callable[[], None]) -> Deadline:
        self.deadlines.append(Deadline(when, act))
        return self.deadlines[-1]

    def pass_by(self, seconds: float) -> None:
        end = self.time + seconds
        while due := sorted((d for d in self.deadlines if d.when <= end and not d.cancelled), key=lambda d: d.when):
            self.deadlines.remove(due[0])
            self.time = max(self.time, due[0].when)
            due[0].act()
        self.time = end


class PlainPasswords:
    """The hash of a password is the password."""

    async def hash(self, password: str) -> str:
        return password

    async def verify(self, password_hash: str, password: str, line: str = "") -> bool:
        return bool(password_hash) and password_hash == password

    async def scram(self, password: str) -> str:
        return format_keys(scram_keys(password, b"salt", LEAST_ITERATIONS))


@dataclass(eq=False)
class Device:
    """A client, and the socket between it and us."""

    stage: Stage
    full: bool = False
    address: str = "192.0.2.1"
    secure: bool = True
    local: bool = False
    fingerprint: str = ""
    crowd: str = "192.0.2.1"
    held: bool = False
    closed: bool = False
    written: list[bytes] = field(default_factory=list)
    answer_pings: bool = True

    def __post_init__(self) -> None:
        self.visit = Visit(self, self.stage.entrance)  # type: ignore[arg-type]  # stands for a Peer

    # what a Peer does

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.written.append(data)

    def close(self, last: bytes = b"") -> None:
        self.write(last)
        self.closed = True

    def hold(self, held: bool) -> None:
        self.held = held

    def registered(self) -> None: ...

    # what a person does

    def says(self, *lines: str) -> None:
        self.visit.receive([Message.parse(line.encode("utf-8", "surrogateescape")) for line in lines])

    def leaves(self) -> None:
        self.closed = True
        self.visit.closed("closed by the client")

    def takes_again(self) -> None:
        self.full = False
        self.visit.writable()

    def lines(self) -> list[str]:
        """What came since the last look, without our questions for its place, which it answers as a client does."""
        lines: list[str] = []
        while self.written:
            found = b"".join(self.written).decode("utf-8", "surrogateescape").split("\r\n")[:-1]
            self.written.clear()
            for line in found:
                if line.startswith("PING :bnc-"):
                    if self.answer_pings and not self.closed:
                        self.says("PONG " + line[5:])
                else:
                    lines.append(line)
        return lines

    def gets(self, *expected: str) -> None:
        assert self.lines() == list(expected)

    def gets_nothing(self) -> None:
        assert self.lines() == []

    async def gets_soon(self) -> list[str]:
        """What came, after all questions are answered."""
        await self.stage.settle()
        return self.lines()


class Upstream:
    """A network's server, and the connection between it and a link."""

    def __init__(self, stage: Stage, link: Link) -> None:
        self.stage = stage
        self.link = link
        self.registered = False
        self.room = True
        self.holds = False  # what is sent waits for the pace
        self.got: list[str] = []
        link.uplink = self

    # what an Uplink does

    def send(self, message: Message) -> bool:
        if not self.room:
            return False
        self.got.append(message.raw.decode("utf-8", "surrogateescape"))
        if not self.holds:
            self.link.sent([message], self.stage.timers.time)
        return True

    # what a server does

    def welcomes(self, nick: str = "alice", *isupport: str, login_failure: str = "", opened: bool = False) -> None:
        """``opened``: the connection stands already."""
        if not opened:
            self.link.opened("irc.example:6697")
        self.says(
            f":irc.example 001 {nick} :Welcome to Example {nick}!al@home.example",
            f":irc.example 002 {nick} :Your host is irc.example",
            f":irc.example 003 {nick} :Created long ago",
            f":irc.example 004 {nick} irc.example v1 iosw biklmnopstv",
            f":irc.example 005 {nick} NETWORK=Example CASEMAPPING=rfc1459 CHANTYPES=# PREFIX=(ov)@+ "
            + " ".join(isupport)
            + " :are supported by this server",
            f":irc.example 422 {nick} :No message",
        )
        self.registered = True
        self.link.registered(login_failure)

    def joins(self, channel: str, *names: str, topic: str = "") -> None:
        nick = self.link.state.nick
        lines = [f":{nick}!al@home.example JOIN {channel}"]
        if topic:
            lines.append(f":irc.example 332 {nick} {channel} :{topic}")
        lines.append(f":irc.example 353 {nick} = {channel} :{' '.join((nick, *names))}")
        lines.append(f":irc.example 366 {nick} {channel} :End of /NAMES list.")
        self.says(*lines)

    def says(self, *lines: str) -> None:
        self.link.receive(
            [Message.parse(line.encode("utf-8", "surrogateescape")) for line in lines], self.stage.timers.time
        )

    def hangs_up(self, reason: str = "reset by peer") -> None:
        self.registered = False
        now = self.stage.timers.time
        self.link.closed(Phase("waiting", now, reason, now + 2, "irc.example:6697"))

    def heard(self) -> list[str]:
        """What came since the last look."""
        got, self.got = self.got, []
        return got


class Stage:
    """A house with people in it."""

    def __init__(self) -> None:
        self.timers = StageTimers()
        self.store = MemoryStore(lambda: self.timers.time)
        self.store.attach(asyncio.get_running_loop())
        self.upstreams: dict[int, Upstream] = {}
        self.service: list[tuple[Actor, str]] = []
        self.begin()

    def begin(self) -> None:
        """Start the process: all that is not in the store is gone."""
        snapshot = self.store.load()
        self.house = House(
            snapshot,
            records=self.store,
            archive=self.store,
            tracked=TRACKED,
            timers=self.timers,
            hostname="bnc.example",
            version="1.0",
            connector=self,
            recall=lambda question, answer: self.desk.recall(question, answer),
        )
        for user in snapshot.users:
            self.house.replace(user)
        self.desk = Desk(history=self.store, service=self._service, context=self.context)
        self.entrance = Entrance(
            desk=self.desk,
            house=self.house,
            history=self.store,
            records=self.store,
            passwords=PlainPasswords(),
            timers=self.timers,
            capabilities=CAPABILITIES,
            hostname="bnc.example",
            secret=b"of this bouncer",
        )

    def context(self, actor: Actor) -> Context:
        """For operations that need neither certificates nor a dialer."""
        anything: Any = self
        hasher: Any = PlainPasswords()
        now, store = self.timers.time, self.store
        return Context(self.house, store, hasher, anything, anything, anything, actor, now, store, store)

    def facts(self) -> Facts:
        return Facts("1.0", running=True)

    async def _service(self, actor: Actor, text: str) -> list[str]:
        self.service.append((actor, text))
        return [f"you said {text}"]

    # a Connector

    def added(self, link: Link) -> None:
        self.upstreams[link.network.id] = Upstream(self, link)

    def changed(self, link: Link, before: Network) -> None: ...

    def removed(self, link: Link) -> None:
        del self.upstreams[link.network.id]

    # for tests

    def user(self, name: str = "alice", *networks: str, channels: Sequence[str] = (), **settings: object) -> User:
        user = User(self.house.new_user_id(), name, password_hash="secret", **settings)  # type: ignore[arg-type]
        user = replace(
            user,
            networks=tuple(
                Network(
                    self.house.new_network_id(),
                    each,
                    servers=(Endpoint("irc.example", 6697),),
                    channels=tuple(map(Channel, channels)),
                )
                for each in networks or ("example",)
            ),
        )
        self.house.replace(user)
        self.store.put_users([user])
        return user

    def connected(self, **settings: Any) -> Upstream:
        """A user with one network, which has welcomed us."""
        self.user(**settings)
        upstream = self.upstream()
        upstream.welcomes()
        return upstream

    def upstream(self, user: str = "alice", network: str = "example") -> Upstream:
        account = self.house.account(user)
        link = account.link(network) if account else None
        assert link is not None
        return self.upstreams[link.network.id]

    async def device(self, login: str = "alice/example@phone", caps: str = "") -> Device:
        """A client that logs in by PASS, and is there when this returns; its greeting has not been looked at."""
        device = Device(self)
        if caps:
            device.says("CAP LS 302", f"CAP REQ :{caps}", "CAP END")
        device.says(f"PASS {login}:secret", "NICK guess", "USER guess 0 * :A Person")
        await self.settle()
        return device

    async def attached(self, login: str = "alice/example@phone", caps: str = "") -> Device:
        """Like :meth:`device`, with the greeting and what it missed out of the way."""
        device = await self.device(login, caps)
        assert any(" 001 " in line for line in await device.gets_soon())
        return device

    async def settle(self) -> None:
        """Return when no question is out."""
        while pending := [task for task in self.desk.tasks if not task.done()]:
            await asyncio.gather(*pending)
        if not self.store.failing:
            await self.store.settled()


def sasl_plain(user: str, password: str) -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()
