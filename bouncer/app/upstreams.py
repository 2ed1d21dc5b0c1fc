"""Keeps every enabled link connected: one client of `client/` for each, all with one pace of connects.

Owns the clients, and which settings need a new connection. What lines mean is the link's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from bouncer.client import (
    Client,
    Connection,
    HostPacing,
    NotConnected,
    Pace,
    Reconnect,
    Register,
    Sasl,
    SendQueueFull,
    Server,
)
from bouncer.client import Phase as Trying
from bouncer.client.backoff import Cause
from bouncer.client.handlers import KeepAlive
from bouncer.client.pacing import Slowdown
from bouncer.client.registration import Identity
from bouncer.client.sources import AddressRange, source_addresses
from bouncer.client.wheel import Wheel
from bouncer.core.link import Link
from bouncer.core.status import Phase, printable
from bouncer.irc.message import Message
from bouncer.irc.numerics import RPL_MYINFO
from bouncer.model.ports import Archive, Cancellable, IdentClaims, Timers
from bouncer.model.records import (
    DEFAULT_QUIT_MESSAGE,
    REGAIN_OFF,
    REGAIN_SERVICES,
    Flood,
    Network,
    nick_of,
    realname_of,
)
from bouncer.operations.tap import Traffic

logger = logging.getLogger(__name__)

# Lines that a working store may have waiting (design 3.1); above it, whoever brings more is not read for a while.
STORE_BEHIND = 20_000
STORE_CHECK = 0.01  # seconds between two looks whether the store has caught up: its commit interval
COMING_BACK = "Reconnecting"
PARTING = 3.0  # seconds for a QUIT to go out; the network's own time-out is the worst that can follow
SWITCHED_OFF = "switched off with `network disconnect`"
ACCOUNT_OFF = "the account is switched off"
OUR_VERSION = "bouncer-"  # what 004 of a bouncer begins with
OURSELVES = "it is this bouncer itself; give the network another server with `network update NAME servers=ircs://...`"
NO_SERVER = "it has no server; set one with `network update NAME servers=ircs://host:6697`"

_STATES: Mapping[Trying, str] = MappingProxyType(
    {
        Trying.IDLE: "disconnected",
        Trying.WAITING: "waiting",
        Trying.CONNECTING: "connecting",
        Trying.CONNECTED: "connecting",  # until 001
        Trying.STOPPED: "stopped",
    }
)
# What a network is told only when a connection begins.
_AT_CONNECT = (
    "servers",
    "ident",
    "realname",
    "server_password",
    "sasl",
    "tls_fingerprint",
    "certificate",
    "bind",
    "proxy",
    "encoding",
)


class Upstream:
    """One link's way to its network, and the link's Uplink."""

    def __init__(
        self,
        link: Link,
        wanted_caps: frozenset[str],
        pacing: HostPacing,
        timers: Timers,
        archive: Archive,
        ident: IdentClaims | None = None,
        source: Sequence[AddressRange] = (),
        hostname: str = "",
        wheel: Wheel | None = None,
    ) -> None:
        self.link = link
        self._ident = ident
        self._source = source
        self._hostname = hostname
        self._slowdown = Slowdown()
        self._faster: Cancellable | None = None  # when the pace is the usual one again
        self._archive = archive
        self._wanted_caps = wanted_caps
        self._timers = timers
        first = servers_of(link.network)[0]
        self.client = Client(first.host, first.port, ssl=first.tls)
        self._register = Register(nick_of(link.user, link.network))
        self._take_settings()
        self._register.identity = self._identity()
        self._register.install(self.client)
        KeepAlive(wheel=wheel).install(self.client)
        self.reconnect = Reconnect(servers_of(link.network), pacing=pacing).install(self.client)
        self.client.tap(self._receive)
        self.client.tap_sent(link.sent)
        self.traffic: Traffic | None = None
        # after the handlers above, so that what they decided is known here
        self.client.on("client_connect", self._opened)
        self.client.on("registered", self._registered)
        self.client.on("login_changed", self._login_changed)
        self.client.on(RPL_MYINFO, self._met)
        self.client.on("client_disconnect", self._ended)
        self.client.on("client_connect_failed", self._ended)
        self.client.on("client_stopped", self._stopped)
        link.uplink = self

    @property
    def registered(self) -> bool:
        """Whether the network has let us in."""
        return self._register.registered

    @property
    def wanted(self) -> bool:
        """Whether it is to be connected."""
        return self.link.network.enabled and self.link.user.enabled

    @property
    def unwanted(self) -> str:
        """Why it is not."""
        return SWITCHED_OFF if self.link.user.enabled else ACCOUNT_OFF

    def begin(self) -> None:
        """Connect, if that has not begun."""
        if self.reconnect.state.phase in (Trying.IDLE, Trying.STOPPED):
            self.link.phase = Phase("connecting", self._timers.now())
        self.reconnect.start_soon()

    def send(self, message: Message) -> bool:
        """Queue a line at the network's pace; False if it can't be sent."""
        try:
            self.client.send_raw(message)
        except (NotConnected, SendQueueFull, ValueError) as failure:
            logger.debug("%s was not sent to %s: %s", message.command, self.link.network.name, failure)
            return False
        return True

    def watch(self, traffic: Traffic | None) -> None:
        """Give all lines to it, and to nobody else; None costs nothing."""
        if self.traffic is not None:
            self.client.untap(self.traffic.received)
            self.client.untap(self.traffic.sent)
        self.traffic = traffic
        if traffic is not None:
            self.client.tap(traffic.received)
            self.client.tap_sent(traffic.sent)

    def _receive(self, messages: list[Message], now: float) -> None:
        self.link.receive(messages, now)
        if self._archive.undurable > STORE_BEHIND and not self._archive.failing:
            connection = self.client.connection
            if connection is not None and connection.reading:
                connection.hold(True)
                connection.loop.call_later(STORE_CHECK, self._go_on, connection)

    def _go_on(self, connection: Connection) -> None:
        """Read again if the store has caught up; one that fails is no reason to wait, since text goes on then."""
        if self._archive.undurable > STORE_BEHIND // 2 and not self._archive.failing:
            connection.loop.call_later(STORE_CHECK, self._go_on, connection)
        else:
            connection.hold(False)

    def settings_changed(self, before: Network) -> None:
        """Take the link's settings as they are now; reconnect if some are told to a network only at the start."""
        network = self.link.network
        self._register.identity = self._identity()
        self._take_settings()
        if network.servers != before.servers or network.tls_fingerprint != before.tls_fingerprint:
            self.reconnect.servers = servers_of(network)
        if any(getattr(network, name) != getattr(before, name) for name in _AT_CONNECT):
            self.again("its settings were changed")
        elif self.registered and nick_of(self.link.user, network) != self.link.state.nick:
            self.send(Message.lenient("NICK", nick_of(self.link.user, network)))

    def _take_settings(self) -> None:
        """Give the client what is about the way to the network."""
        network, client = self.link.network, self.client
        self._register.regain = network.regain != REGAIN_OFF
        self._register.regain_by_services = network.regain == REGAIN_SERVICES
        self._keep_pace()
        client.local_addr = network.bind or None
        client.proxy = network.proxy
        client.certificate = network.certificate
        client.encoding = network.encoding
        client.sources = source_addresses(self._source, self.link.user.id)
        # through a proxy, the one whom a server could ask who we are is the proxy
        client.on_socket = self._claim if self._ident is not None and not network.proxy else None

    def _keep_pace(self) -> None:
        """The pace that is set, or a slower one for a while after it was too fast."""
        self.client.pace = self._slowdown.pace(pace_of(self.link.network.flood), self._timers.now())

    def _slow_down(self) -> None:
        self._slowdown.flooded(self._timers.now())
        if self._faster is not None:
            self._faster.cancel()
        self._faster = self._timers.at(self._slowdown.until, self._keep_pace)
        self._keep_pace()

    def _claim(self, local: tuple[str, int], remote: tuple[str, int]) -> Callable[[], None] | None:
        name = self.link.network.ident or self.link.user.name
        return self._ident.claim(local, remote, name) if self._ident is not None else None

    def again(self, reason: str) -> None:
        """QUIT, if we are there, and connect anew."""
        self._say_goodbye(COMING_BACK)
        self.reconnect.reconnect_now(reason)

    def _say_goodbye(self, words: str) -> None:
        if self.client.is_connected:
            self.send(Message.lenient("QUIT", self.link.network.quit_message or words))

    async def leave(self, reason: str, words: str = DEFAULT_QUIT_MESSAGE) -> None:
        """QUIT and disconnect, within a few seconds. ``reason`` is for the user, ``words`` are for the network."""
        self.reconnect.stop(reason)
        if self._faster is not None:
            self._faster.cancel()
        self._say_goodbye(words)
        try:
            async with asyncio.timeout(PARTING):
                await self.client.disconnect(reason)
        except TimeoutError:
            self.client.abort(reason)

    def _identity(self) -> Identity:
        network, user = self.link.network, self.link.user
        login = network.sasl
        certificate = bool(network.certificate)
        sasl = None
        if login is not None:
            sasl = Sasl(login.mechanism or None, login.user, login.password, login.required, certificate)
        elif certificate:
            sasl = Sasl("EXTERNAL", certificate=True, optional=True)
        return Identity(
            nick_of(user, network),
            network.alternative_nicks,
            network.ident or user.name,
            realname_of(user, network),
            network.server_password,
            sasl,
            self._wanted_caps,
        )

    def _opened(self) -> None:
        self.link.opened(str(self.reconnect.state.server))

    def _registered(self) -> None:
        logger.info("%s/%s: connected to %s", self.link.user.name, self.link.network.name, self.reconnect.state.server)
        self.link.registered(self._register.login_failure)

    def _met(self, params: list[str]) -> None:
        """004: who it is. A bouncer that is its own network would tell itself everything for ever."""
        server, version = (*params[1:3], "", "")[:2]
        if version.startswith(OUR_VERSION) and self._hostname in (server, ""):
            self.reconnect.stop(OURSELVES)
            self.client.abort(OURSELVES)

    def _login_changed(self, failure: str) -> None:
        """Services came, or went, while we were connected."""
        link = self.link
        link.phase = replace(link.phase, reason=f"not logged in to services: {failure}" if failure else "")

    def _ended(self, reason: str) -> None:
        if self.reconnect.cause is Cause.FLOODED:
            self._slow_down()
        state = self.reconnect.state
        if state.phase is not Trying.STOPPED:
            self._close(
                Phase(_STATES[state.phase], self._timers.now(), reason, state.next_attempt or 0.0, str(state.server))
            )

    def _stopped(self, reason: str) -> None:
        state = "stopped" if self.link.network.enabled else "disconnected"
        self._close(Phase(state, self._timers.now(), reason, 0.0, str(self.reconnect.state.server)))

    def _close(self, phase: Phase) -> None:
        user, network = self.link.user.name, self.link.network.name
        logger.info("%s/%s: %s: %s", user, network, phase.state, printable(phase.reason))
        self.link.closed(phase)


class Upstreams:
    """All links' upstreams: the house's Connector, and the operations' Dialer.

    ``ident`` is told of every connection made; each user connects from an address of its own out of ``source``.
    ``hostname`` is our own name as a server, by which we know ourselves. ``wheel`` has the deadlines of connections.
    """

    def __init__(
        self,
        wanted_caps: frozenset[str],
        pacing: HostPacing,
        timers: Timers,
        archive: Archive,
        *,
        ident: IdentClaims | None = None,
        source: Sequence[AddressRange] = (),
        hostname: str = "",
        wheel: Wheel | None = None,
    ) -> None:
        self._hostname = hostname
        self._wheel = wheel
        self._archive = archive
        self._ident = ident
        self._source = source
        self._wanted_caps = wanted_caps
        self._pacing = pacing
        self._timers = timers
        self._upstreams: dict[int, Upstream] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._running = False

    def start(self) -> None:
        """Connect all links that are there; those that come later connect when they come."""
        self._running = True
        for upstream in self._upstreams.values():
            if upstream.wanted:
                upstream.begin()

    def added(self, link: Link) -> None:
        """A link has come."""
        if not link.network.servers:
            link.phase = Phase("disconnected", self._timers.now(), NO_SERVER)
            return
        upstream = Upstream(
            link,
            self._wanted_caps,
            self._pacing,
            self._timers,
            self._archive,
            self._ident,
            self._source,
            self._hostname,
            self._wheel,
        )
        self._upstreams[link.network.id] = upstream
        if not upstream.wanted:
            link.phase = Phase("disconnected", self._timers.now(), upstream.unwanted)
        elif self._running:
            upstream.begin()

    def changed(self, link: Link, before: Network) -> None:
        """A link's settings have changed."""
        upstream = self._upstreams.get(link.network.id)
        network = link.network
        if upstream is None or not self._running:  # nothing has begun that would have to be told
            self.added(link)
        elif not network.servers:
            del self._upstreams[network.id]
            self._leave(upstream, NO_SERVER)
            link.uplink = None
        elif not upstream.wanted:
            self._leave(upstream, upstream.unwanted)
        else:
            upstream.settings_changed(before)
            upstream.begin()

    def removed(self, link: Link) -> None:
        """A link has gone."""
        upstream = self._upstreams.pop(link.network.id, None)
        if upstream is not None:
            self._leave(upstream, "the network was removed")

    def connect(self, network_id: int) -> None:
        """Connect at once if it is not connected."""
        upstream = self._upstreams.get(network_id)
        if upstream is not None and upstream.wanted and not upstream.registered:
            upstream.reconnect.reconnect_now("connecting on request")

    def disconnect(self, network_id: int) -> None:
        """Leave a network."""
        upstream = self._upstreams.get(network_id)
        if upstream is not None:
            self._leave(upstream, SWITCHED_OFF)

    def reconnect(self, network_id: int) -> None:
        """Leave a network and connect again."""
        upstream = self._upstreams.get(network_id)
        if upstream is not None and upstream.wanted:
            upstream.again("reconnecting on request")

    def watch(self, network_id: int, traffic: Traffic | None) -> None:
        """Give all lines of a network to ``traffic`` from now on, to nobody if it is None."""
        upstream = self._upstreams.get(network_id)
        if upstream is not None:
            upstream.watch(traffic)

    def watched(self, network_id: int) -> Traffic | None:
        """Who is given a network's lines."""
        upstream = self._upstreams.get(network_id)
        return upstream.traffic if upstream is not None else None

    def _leave(self, upstream: Upstream, reason: str) -> None:
        if upstream.reconnect.state.phase is Trying.IDLE:  # there is nothing to leave, and nobody to be told
            upstream.link.phase = Phase("disconnected", self._timers.now(), reason)
            return
        task = asyncio.get_running_loop().create_task(
            upstream.leave(reason), name=f"leave {upstream.link.network.name}"
        )
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self, reason: str) -> None:
        """Leave all networks, at the same time."""
        self._running = False
        await asyncio.gather(*(each.leave(reason, reason) for each in self._upstreams.values()), return_exceptions=True)
        await asyncio.gather(*self._leaving, return_exceptions=True)


def servers_of(network: Network) -> tuple[Server, ...]:
    """The network's servers as the client takes them."""
    return tuple(
        Server(
            each.host, each.port, each.tls, network.tls_fingerprint if network.tls_fingerprint and each.tls else None
        )
        for each in network.servers
    )


def pace_of(flood: Flood) -> Pace | None:
    """The network's flood control as the client takes it."""
    return Pace(flood.burst, flood.every) if flood.burst else None
