"""Which networks are connected, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

import pytest

from bouncer.app.clock import LoopTimers
from bouncer.app.upstreams import Upstreams
from bouncer.client import HostPacing, Pace
from bouncer.core.house import House
from bouncer.model.records import Endpoint, Network, SaslLogin, User
from bouncer.operations.tap import Traffic
from bouncer.store.memory import MemoryStore
from bouncer.upstream.tracked import TRACKED

HOST = "bnc.example"
SOON = 5.0  # seconds; reached only by a test that fails


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    async with asyncio.timeout(SOON):
        while not true():  # noqa: ASYNC110  # nothing announces a link's phase
            await asyncio.sleep(0)


@dataclass
class Server:
    """Lets everybody in, and notes who came and what they said."""

    port: int = 0
    nicks: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    after: dict[str, bytes] = field(default_factory=dict)  # what follows the 001 of a nick
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        nick, more = "", b""
        while line := (await reader.readline()).decode().strip():
            if line.startswith("NICK "):
                nick = line[5:]
            elif line.startswith("CAP LS"):
                writer.write(b":irc.example CAP * LS :\r\n")
            elif line.startswith("USER "):
                more = self.after.pop(nick, b"")
                writer.write(f":irc.example 001 {nick} :Welcome\r\n".encode() + more)
            async with self.news:
                self.said.append(line)
                if line.startswith("USER "):
                    self.nicks.append(nick)
                self.news.notify_all()
            if line.startswith("QUIT") or (line.startswith("USER ") and b"ERROR" in more):
                break
        writer.close()

    async def until(self, *nicks: str) -> None:
        async with asyncio.timeout(SOON), self.news:
            await self.news.wait_for(lambda: sorted(self.nicks) == sorted(nicks))

    async def hears(self, start: str) -> None:
        async with asyncio.timeout(SOON), self.news:
            await self.news.wait_for(lambda: any(line.startswith(start) for line in self.said))


@dataclass
class Ident:
    """Notes the claims that hold."""

    claims: list[tuple[str, str, int, str]] = field(default_factory=list)

    def claim(self, local: tuple[str, int], remote: tuple[str, int], name: str) -> Callable[[], None]:
        claim = (local[0], remote[0], remote[1], name)
        self.claims.append(claim)
        return lambda: self.claims.remove(claim)


@dataclass
class Scene:
    server: Server
    house: House
    upstreams: Upstreams
    ident: Ident

    def user(self, number: int, *, enabled: bool = True) -> User:
        name = f"user{number}"
        network = Network(number, "net", (Endpoint("127.0.0.1", self.server.port, tls=False),))
        user = User(number, name, enabled=enabled, networks=(network,))
        self.house.replace(user)
        return user


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    store = MemoryStore()
    store.attach(asyncio.get_running_loop())
    timers = LoopTimers(asyncio.get_running_loop())
    ident = Ident()
    ranges = (ip_network("127.1.0.0/24"),)
    upstreams = Upstreams(frozenset(), HostPacing(None), timers, store, ident=ident, source=ranges, hostname=HOST)
    house = House(
        store.load(),
        records=store,
        archive=store,
        tracked=TRACKED,
        timers=timers,
        hostname=HOST,
        version="1.0",
        connector=upstreams,
    )
    yield Scene(server, house, upstreams, ident)
    await upstreams.close("the test is over")
    listening.close()
    await asyncio.gather(*server.tasks)
    await listening.wait_closed()
    store.close()


async def test_the_networks_of_a_closed_account_are_not_connected_at_the_start(scene: Scene) -> None:
    closed, _ = scene.user(1, enabled=False), scene.user(2)
    scene.upstreams.start()
    await scene.server.until("user2")
    scene.house.replace(replace(closed, enabled=True))
    await scene.server.until("user1", "user2")


async def test_a_closed_account_leaves_its_networks_and_can_not_be_made_to_return(scene: Scene) -> None:
    user = scene.user(1)
    scene.upstreams.start()
    await scene.server.until("user1")
    scene.house.replace(replace(user, enabled=False))
    await scene.server.hears("QUIT")
    scene.upstreams.reconnect(1)
    scene.upstreams.connect(1)
    scene.user(2)
    await scene.server.until("user1", "user2")


async def test_a_network_without_servers_gets_one_later(scene: Scene) -> None:
    scene.upstreams.start()
    bare = User(1, "user1", networks=(Network(1, "net"),))
    scene.house.replace(bare)
    (link,) = scene.house.links()
    assert "no server" in link.down
    whole = replace(bare.networks[0], servers=(Endpoint("127.0.0.1", scene.server.port, tls=False),))
    scene.house.replace(replace(bare, networks=(whole,)))
    assert link.status().state == "connecting"
    assert "no server" not in link.down
    await scene.server.until("user1")


async def test_a_link_is_connecting_from_the_start_on(scene: Scene) -> None:
    scene.user(1)
    scene.upstreams.start()
    (link,) = scene.house.links()
    assert link.status().state == "connecting"
    assert link.down == "net is not connected: it is still connecting"
    await scene.server.until("user1")


async def test_nobody_is_told_of_the_end_of_what_never_began(scene: Scene) -> None:
    user = scene.user(1, enabled=False)
    scene.upstreams.start()
    (link,) = scene.house.links()
    scene.house.replace(replace(user, nick="other"))
    assert link.log.head == 0


async def test_off_and_on_again_at_once_ends_connected(scene: Scene) -> None:
    user = scene.user(1)
    scene.upstreams.start()
    await scene.server.until("user1")
    off = replace(user, networks=(replace(user.networks[0], enabled=False),))
    scene.house.replace(off)
    await asyncio.sleep(0)  # the QUIT is on its way
    scene.house.replace(user)
    await scene.server.until("user1", "user1")
    (link,) = scene.house.links()
    await until(lambda: link.state.registered)
    assert link.status().state == "connected"


async def test_new_settings_cut_a_wait_short(scene: Scene) -> None:
    user = User(1, "user1", networks=(Network(1, "net", (Endpoint("127.0.0.1", 1, tls=False),)),))
    scene.house.replace(user)
    scene.upstreams.start()
    (link,) = scene.house.links()
    await until(lambda: link.status().state == "waiting")
    whole = replace(user.networks[0], servers=(Endpoint("127.0.0.1", scene.server.port, tls=False),))
    scene.house.replace(replace(user, networks=(whole,)))
    await scene.server.until("user1")


async def test_each_user_has_an_address_and_is_claimed_while_connected(scene: Scene) -> None:
    port = scene.server.port
    users = [scene.user(1), scene.user(2)]
    named = replace(users[0].networks[0], ident="ident1", bind="127.0.0.9")
    scene.house.replace(replace(users[0], networks=(named,)))
    scene.upstreams.start()
    await scene.server.until("user1", "user2")
    assert sorted(scene.ident.claims) == [
        ("127.0.0.9", "127.0.0.1", port, "ident1"),
        ("127.1.0.2", "127.0.0.1", port, "user2"),
    ]
    scene.house.replace(replace(users[1], enabled=False))
    await until(lambda: len(scene.ident.claims) == 1)


async def test_a_bouncer_that_is_its_own_network_stops(scene: Scene) -> None:
    scene.server.after["user1"] = b":bnc.example 004 user1 bnc.example bouncer-1.0 iosw b\r\n"
    scene.user(1)
    scene.upstreams.start()
    (link,) = scene.house.links()
    await until(lambda: link.status().state == "stopped")
    assert link.status().reason.startswith("it is this bouncer itself; give the network another server")
    await until(lambda: not scene.ident.claims)
    assert not any(line.startswith(("JOIN", "QUIT")) for line in scene.server.said)


async def test_a_bouncer_of_somebody_else_is_a_network(scene: Scene) -> None:
    scene.server.after["user1"] = b":bnc.other 004 user1 bnc.other bouncer-1.0 iosw b\r\n:bnc.other PING :x\r\n"
    scene.user(1)
    scene.upstreams.start()
    await scene.server.hears("PONG")
    (link,) = scene.house.links()
    assert link.status().state == "connected"


async def test_who_was_thrown_out_for_flooding_comes_back_slower(scene: Scene) -> None:
    scene.server.after["user1"] = b"ERROR :Closing Link: h (Excess Flood)\r\n"
    scene.user(1)
    scene.upstreams.start()
    (link,) = scene.house.links()
    await scene.server.until("user1")
    await until(lambda: link.status().state == "waiting")
    upstream = scene.upstreams._upstreams[1]
    assert upstream.client.pace == Pace(2, 4.0)


async def test_a_network_s_text_comes_in_utf_8(scene: Scene) -> None:
    line = ":eve!e@h PRIVMSG user1 :привет"
    scene.server.after["user1"] = line.encode("koi8-r") + b"\r\n:irc.example PING :x\r\n"
    user = scene.user(1)
    scene.house.replace(replace(user, networks=(replace(user.networks[0], encoding="koi8-r"),)))
    (upstream,) = scene.upstreams._upstreams.values()
    heard: list[bytes] = []
    upstream.client.tap(lambda messages, now: heard.extend(message.raw for message in messages))
    scene.upstreams.start()
    await scene.server.hears("PONG")
    assert line.encode() in heard


async def test_a_certificate_is_tried_for_a_login_but_need_not_be_known(scene: Scene) -> None:
    user = scene.user(1)
    network = replace(user.networks[0], certificate="PEM")
    scene.house.replace(replace(user, networks=(network,)))
    (upstream,) = scene.upstreams._upstreams.values()
    assert upstream.client.certificate == "PEM"
    sasl = upstream._register.identity.sasl
    assert sasl is not None
    assert sasl.mechanisms() == ("EXTERNAL",)
    assert sasl.optional
    login = SaslLogin("alice", "secret", required=True)
    scene.house.replace(replace(user, networks=(replace(network, sasl=login),)))
    (upstream,) = scene.upstreams._upstreams.values()
    sasl = upstream._register.identity.sasl
    assert sasl is not None
    assert sasl.mechanisms() == ("EXTERNAL", "SCRAM-SHA-256", "PLAIN")
    assert sasl.required
    assert not sasl.optional


async def test_lines_are_remembered_while_somebody_watches_also_over_a_reconnect(scene: Scene) -> None:
    scene.user(1)
    assert scene.upstreams.watched(1) is None
    scene.upstreams.watch(1, Traffic())
    traffic = scene.upstreams.watched(1)
    assert traffic is not None
    scene.upstreams.start()
    await until(lambda: any(line.text.startswith(":irc.example 001 user1") for line in traffic.last(99, ())))
    first = [(line.sent, line.text) for line in traffic.last(99, ())]
    assert (True, "NICK user1") in first
    assert first.index((True, "NICK user1")) < first.index((False, ":irc.example 001 user1 :Welcome"))
    scene.upstreams.reconnect(1)
    await until(lambda: sum(line.text == "NICK user1" for line in traffic.last(99, ())) == 2)
    scene.upstreams.watch(1, None)
    assert scene.upstreams.watched(1) is None
    seen = len(traffic.last(99, ()))
    scene.server.nicks.clear()
    scene.upstreams.reconnect(1)
    await scene.server.until("user1")
    assert len(traffic.last(99, ())) == seen
    scene.upstreams.watch(77, Traffic())
    assert scene.upstreams.watched(77) is None
