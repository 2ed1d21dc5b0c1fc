"""What a session needs, as handlers that one installs on a :class:`Client`.

Owns the timers and subscriptions that drive the pure machines of this package: registration, regaining the nick,
liveness, reconnecting. What is decided is decided there. No handler here keeps a task while nothing happens: a timer
is one deadline, re-armed when it fires.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bouncer.client import regain as regaining
from bouncer.client import registration as registering
from bouncer.client.backoff import Cause, HostPacing, Server, cause_of
from bouncer.client.client import Client
from bouncer.client.connection import Connection
from bouncer.client.errors import NotConnected, SendQueueFull
from bouncer.client.liveness import PATIENCE, SILENCE, Liveness, Verdict
from bouncer.client.pacing import Pace
from bouncer.client.reconnect import Reconnect
from bouncer.client.regain import Regain
from bouncer.client.registration import Identity, Registration, Sasl, Stage
from bouncer.client.wheel import Wheel
from bouncer.irc.caps import CapRequester
from bouncer.irc.isupport import ISupport
from bouncer.irc.message import Message
from bouncer.irc.numerics import RPL_ISUPPORT

logger = logging.getLogger(__name__)

STALL_LIMIT = 120.0  # seconds in which a server takes nothing of what we write, before it counts as dead
TURNS = 60  # in the silence before a PING, of a wheel of one's own
COLLISIONS_LIMIT = 2  # kills for the nick after which it is left to who wants it so much
COLLISION_MEMORY = 600.0  # seconds until it is tried again
_NONCE_BYTES = 18  # 24 characters: unguessable, and no "=" of base64's padding


class Register:
    """Register on every connect: capabilities, password, nick and user, SASL; then get the wanted nick back.

    Fires ``registered`` with ``nick`` at 001, and ``login_changed`` with ``account`` and ``failure`` (see
    :attr:`login_failure`) when services log us in or out after that; or ``registration_failed`` with
    ``reason`` and ``permanent`` (bool), and then disconnects. ``identity`` may be replaced at any time and holds from
    the next connect; ``caps`` has the capabilities ``available`` and ``enabled``, ``isupport`` what the server says of
    itself, of the last connection. Raises ValueError for what could not be said to a server.
    """

    def __init__(
        self,
        nick: str,
        *,
        alternative_nicks: Sequence[str] = (),
        ident: str = "",
        realname: str = "",
        password: str = "",
        sasl: Sasl | None = None,
        wanted_caps: Iterable[str] = (),
        regain: bool = True,
        regain_by_services: bool = False,
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(_NONCE_BYTES),
    ) -> None:
        self.identity = Identity(
            nick, tuple(alternative_nicks), ident, realname, password, sasl, frozenset(wanted_caps)
        )
        self.regain = regain  # take the wanted nick when it becomes free
        self.regain_by_services = regain_by_services  # and, where we are logged in, ask NickServ for it
        self.registered = False
        self.nick = nick  # the one we have or ask for, as far as the registration; later changes are not followed
        self.caps = CapRequester(())
        self.isupport = ISupport()
        self._nonce = nonce
        self._nicklen: int | None = None  # of the last connection: the next one has it before it is told
        self._machine: Registration | None = None
        self._regain: Regain | None = None
        self._collisions: dict[int, float] = {}  # by connection: when it was killed for its nick
        self._timer: asyncio.TimerHandle | None = None
        self._client: Client

    def install(self, client: Client) -> Register:
        """Put it on a client; returns itself."""
        self._client = client
        client.on("client_connect", self._connected)
        client.on("client_disconnect", self._disconnected)
        client.on(RPL_ISUPPORT, self._supports)
        client.on("kill", self._killed)
        client.on("error", self._killed)
        for event in registering.EVENTS:
            client.on(event, self._received)
        return self

    @property
    def login_failure(self) -> str:
        """Why we are not logged in to services, though ``sasl`` asks for it; "" if we are, or need not be."""
        return self._machine.login_failure if self._machine is not None else ""

    @property
    def account(self) -> str:
        """As whom services have us logged in, as far as they tell; "" if not."""
        return self._machine.account if self._machine is not None else ""

    @property
    def logged_in(self) -> bool:
        """Whether services have us logged in."""
        return self._machine is not None and self._machine.logged_in

    def _connected(self, connection: Connection) -> None:
        self._stop()
        self.isupport = ISupport()
        now = connection.loop.time()
        recent = [each for each in self._collisions.values() if now - each < COLLISION_MEMORY]
        machine = Registration(
            self.identity, now, self._nonce, nicklen=self._nicklen, yielding=len(recent) >= COLLISIONS_LIMIT
        )
        self._machine = machine
        self.caps = machine.caps
        self._say(machine.start())
        self._arm(connection.loop)

    def _killed(self, message: str) -> None:
        """By ERROR, KILL or both."""
        connection = self._client.connection
        if connection is not None and cause_of(message) is Cause.COLLISION:
            self._collisions[connection.number] = connection.loop.time()
            for number in list(self._collisions)[:-COLLISIONS_LIMIT]:
                del self._collisions[number]

    def _disconnected(self) -> None:
        self._stop()
        self.registered = False
        self._machine = None

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end_regain()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the one timer, of the registration and of the regaining."""
        if self._timer is not None:
            self._timer.cancel()
        machines = (self._machine, self._regain)
        deadlines = [each.deadline for each in machines if each is not None and each.deadline is not None]
        self._timer = loop.call_at(min(deadlines), self._fire) if deadlines else None

    def _fire(self) -> None:
        self._timer = None
        connection = self._client.connection
        if connection is None:
            return
        now = connection.loop.time()
        if self._regain is not None:
            self._say(self._regain.handle_timer(now))
        if self._machine is not None:
            self._say(self._machine.handle_timer(now))
            self._follow(self._machine, connection)
        self._arm(connection.loop)

    def _received(self, line: Message) -> None:
        machine, connection = self._machine, self._client.connection
        if machine is None or connection is None:
            return
        before = machine.deadline, machine.logged_in, machine.account
        self._say(machine.receive(line, connection.loop.time()))
        if not self.registered:
            self._follow(machine, connection)
        elif before != (machine.deadline, machine.logged_in, machine.account):
            self._arm(connection.loop)
            if before[1:] != (machine.logged_in, machine.account):
                self._login_changed(machine)

    def _login_changed(self, machine: Registration) -> None:
        if machine.logged_in and self._regain is not None and self.regain_by_services:
            self._say(self._regain.ask_services())
        self._client.trigger("login_changed", account=machine.account, failure=machine.login_failure)

    def _follow(self, machine: Registration, connection: Connection) -> None:
        """Do what the machine's stage asks for."""
        if self.registered:
            return
        self.nick = machine.nick
        if machine.stage is Stage.REGISTERED:
            self.registered = True
            if self.regain and machine.wanted_in_use:
                self._begin_regain(machine, connection)
            self._arm(connection.loop)
            self._client.trigger("registered", nick=machine.nick)
        elif machine.stage is Stage.FAILED:
            self._machine = None
            self._arm(connection.loop)
            self._client.trigger("registration_failed", reason=machine.reason, permanent=machine.permanent)
            connection.abort(machine.reason)
        else:
            self._arm(connection.loop)

    def _supports(self, params: list[str]) -> None:
        self.isupport.update(params[1:-1])
        self._client.line_limit = self.isupport.linelen
        if "NICKLEN" in self.isupport.tokens:
            self._nicklen = self.isupport.nicklen
        if self._regain is not None:
            self._regain.fold = self.isupport.fold
            if self.isupport.monitor is not None:
                self._say(self._regain.monitor())

    def _begin_regain(self, machine: Registration, connection: Connection) -> None:
        self._regain = Regain(self.identity.nick, machine.nick, connection.loop.time())
        for event in regaining.EVENTS:
            self._client.on(event, self._watched)
        if machine.logged_in and self.regain_by_services:
            self._say(self._regain.ask_services())

    def _watched(self, line: Message) -> None:
        if self._regain is None:
            return
        self._say(self._regain.receive(line))
        if self._regain.done:
            self._say(self._regain.finish())
            self._end_regain()
            if self._client.connection is not None:
                self._arm(self._client.connection.loop)

    def _end_regain(self) -> None:
        if self._regain is not None:
            self._regain = None
            for event in regaining.EVENTS:
                self._client.off(event, self._watched)

    def _say(self, lines: list[Message]) -> None:
        for line in lines:
            say(self._client, line)


class KeepAlive:
    """Answer the server's PING, and ask it one after ``silence`` seconds without a byte.

    A server that has not said anything ``patience`` seconds later, or takes nothing of what we write for two minutes,
    is dead: the connection is ended, and ``client_disconnect`` says why. All this may be late by a sixtieth of
    ``silence``. ``wheel`` has the deadlines of many clients on one loop, which makes them cheap; none: one of our own.
    """

    def __init__(self, silence: float = SILENCE, patience: float = PATIENCE, wheel: Wheel | None = None) -> None:
        self._silence = silence
        self._patience = patience
        self._shared = wheel
        self._wheel: Wheel | None = None
        self._turn = 0  # of the wheel, in which we are rung
        self._pulse: Liveness | None = None
        self._client: Client

    def install(self, client: Client) -> KeepAlive:
        """Put it on a client; returns itself."""
        self._client = client
        client.on("ping", self._answer)
        client.on("client_connect", self._connected)
        client.on("client_disconnect", self._stop)
        return self

    def _answer(self, line: Message) -> None:
        say(self._client, Message.parse(b"PONG :" + line.param(0).encode("utf-8", "surrogateescape")))

    def _connected(self, connection: Connection) -> None:
        self._stop()
        loop = connection.loop
        self._pulse = Liveness(loop.time(), self._silence, self._patience)
        shared = self._shared
        self._wheel = shared if shared is not None and shared.loop is loop else Wheel(loop, self._silence / TURNS)
        self._turn = self._wheel.put(self, self._pulse.deadline)

    def _stop(self) -> None:
        self._pulse = None
        if self._wheel is not None:
            self._wheel.take(self, self._turn)
            self._wheel = None

    def ring(self, now: float) -> None:
        """The wheel rings: it may be time to ask."""
        pulse, wheel, connection = self._pulse, self._wheel, self._client.connection
        if pulse is None or wheel is None or connection is None:
            return
        # while we do not read, the silence is ours
        pulse.heard(connection.last_heard if connection.reading else now)
        stalled = connection.stalled_since
        verdict = pulse.check(now)
        if stalled is not None and now - stalled >= STALL_LIMIT:
            connection.abort(f"the server took nothing of what was sent for {now - stalled:.0f} seconds")
        elif verdict is Verdict.DEAD:
            connection.abort(f"the server did not answer for {now - connection.last_heard:.0f} seconds")
        else:
            if verdict is Verdict.PING:
                say(self._client, Message.build("PING", f"alive-{connection.number}"))
            self._turn = wheel.put(self, pulse.deadline)


class Usual(NamedTuple):
    """What :func:`install_usual` installed."""

    register: Register
    keep_alive: KeepAlive
    reconnect: Reconnect


def install_usual(
    client: Client,
    register: Register,
    *,
    servers: Sequence[Server] = (),
    pacing: HostPacing | None = None,
    pace: Pace | None = Pace(),  # noqa: B008  # frozen
) -> Usual:
    """All that a session needs: registration, keep-alive, flood control, reconnecting. Then ``reconnect.start()``."""
    client.pace = pace
    return Usual(
        register.install(client),
        KeepAlive().install(client),
        Reconnect(servers, pacing=pacing).install(client),
    )


def say(client: Client, line: Message) -> None:
    """Send a line that a machine asked for; if there is nobody to take it any more, so be it."""
    try:
        client.send_raw(line)
    except (NotConnected, SendQueueFull, ValueError) as error:
        logger.debug("%r: a %s was not sent: %s", client, line.command, error)
