"""What a session needs, as handlers that one installs on a :class:`Client`.

Owns the timers and subscriptions that drive the pure machines of this package: registration, regaining the nick,
liveness, reconnecting. What is decided is decided there. No handler here keeps a task while nothing happens: a timer
is one deadline, re-armed when it fires.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

from bouncer.client import regain as regaining
from bouncer.client import registration as registering
from bouncer.client.client import Client, ConnectCancelled
from bouncer.client.connection import Connection, NotConnected
from bouncer.client.liveness import PATIENCE, SILENCE, Liveness, Verdict
from bouncer.client.pacing import Pace, SendQueueFull
from bouncer.client.reconnect import Cause, HostPacing, ReconnectPolicy, Server, cause_of
from bouncer.client.regain import Regain
from bouncer.client.registration import Identity, Registration, Sasl, Stage
from bouncer.irc.caps import CapRequester
from bouncer.irc.isupport import ISupport
from bouncer.irc.message import Message
from bouncer.irc.numerics import RPL_ISUPPORT

logger = logging.getLogger(__name__)

STALL_LIMIT = 120.0  # seconds in which a server takes nothing of what we write, before it counts as dead
_NONCE_BYTES = 18  # 24 characters: unguessable, and no "=" of base64's padding


class Register:
    """Register on every connect: capabilities, password, nick and user, SASL; then get the wanted nick back.

    Fires ``registered`` with ``nick`` at 001, or ``registration_failed`` with ``reason`` and ``permanent`` (bool) and
    then disconnects. ``identity`` may be replaced at any time and holds from the next connect; ``caps`` has the
    capabilities ``available`` and ``enabled``, ``isupport`` what the server says of itself, of the last connection.
    Raises ValueError for what could not be said to a server.
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
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(_NONCE_BYTES),
    ) -> None:
        self.identity = Identity(
            nick, tuple(alternative_nicks), ident, realname, password, sasl, frozenset(wanted_caps)
        )
        self.regain = regain
        self.registered = False
        self.nick = nick  # the one we have or ask for, as far as the registration; later changes are not followed
        self.caps = CapRequester(())
        self.isupport = ISupport()
        self._nonce = nonce
        self._nicklen: int | None = None  # of the last connection: the next one has it before it is told
        self._machine: Registration | None = None
        self._regain: Regain | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._client: Client

    def install(self, client: Client) -> Register:
        """Put it on a client; returns itself."""
        self._client = client
        client.on("client_connect", self._connected)
        client.on("client_disconnect", self._disconnected)
        client.on(RPL_ISUPPORT, self._supports)
        for event in registering.EVENTS:
            client.on(event, self._received)
        return self

    def _connected(self, connection: Connection) -> None:
        self._stop()
        self.isupport = ISupport()
        machine = Registration(self.identity, connection.loop.time(), self._nonce, nicklen=self._nicklen)
        self._machine = machine
        self.caps = machine.caps
        self._say(machine.start())
        self._arm(connection.loop, machine.deadline)

    def _disconnected(self) -> None:
        self._stop()
        self.registered = False
        self._machine = None

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end_regain()

    def _arm(self, loop: asyncio.AbstractEventLoop, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else loop.call_at(deadline, self._fire)

    def _fire(self) -> None:
        """The one timer, of the registration and then of the regaining."""
        self._timer = None
        connection = self._client.connection
        if connection is None:
            return
        if self._regain is not None:
            self._say(self._regain.handle_timer(connection.loop.time()))
            self._arm(connection.loop, self._regain.deadline)
        elif self._machine is not None:
            self._say(self._machine.handle_timer(connection.loop.time()))
            self._follow(self._machine, connection)

    def _received(self, line: Message) -> None:
        machine, connection = self._machine, self._client.connection
        if machine is None or connection is None:
            return
        self._say(machine.receive(line, connection.loop.time()))
        if not self.registered:
            self._follow(machine, connection)

    def _follow(self, machine: Registration, connection: Connection) -> None:
        """Do what the machine's stage asks for."""
        self.nick = machine.nick
        self._arm(connection.loop, machine.deadline)
        if machine.stage is Stage.REGISTERED:
            self.registered = True
            if self.regain and machine.wanted_in_use:
                self._begin_regain(machine.nick, connection)
            self._client.trigger("registered", nick=machine.nick)
        elif machine.stage is Stage.FAILED:
            self._machine = None
            self._client.trigger("registration_failed", reason=machine.reason, permanent=machine.permanent)
            connection.abort(machine.reason)

    def _supports(self, params: list[str]) -> None:
        self.isupport.update(params[1:-1])
        self._client.line_limit = self.isupport.linelen
        if "NICKLEN" in self.isupport.tokens:
            self._nicklen = self.isupport.nicklen
        if self._regain is not None:
            self._regain.fold = self.isupport.fold

    def _begin_regain(self, nick: str, connection: Connection) -> None:
        self._regain = Regain(self.identity.nick, nick, connection.loop.time())
        for event in regaining.EVENTS:
            self._client.on(event, self._watched)
        self._arm(connection.loop, self._regain.deadline)

    def _watched(self, line: Message) -> None:
        if self._regain is None:
            return
        self._say(self._regain.receive(line))
        if self._regain.done:
            self._stop()

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
    is dead: the connection is ended, and ``client_disconnect`` says why.
    """

    def __init__(self, silence: float = SILENCE, patience: float = PATIENCE) -> None:
        self._silence = silence
        self._patience = patience
        self._pulse: Liveness | None = None
        self._timer: asyncio.TimerHandle | None = None
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
        self._pulse = Liveness(connection.loop.time(), self._silence, self._patience)
        self._timer = connection.loop.call_at(self._pulse.deadline, self._check, connection)

    def _stop(self) -> None:
        self._pulse = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, connection: Connection) -> None:
        self._timer = None
        pulse = self._pulse
        if pulse is None or connection is not self._client.connection:
            return
        now = connection.loop.time()
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
            self._timer = connection.loop.call_at(pulse.deadline, self._check, connection)


class Phase(Enum):
    """What :class:`Reconnect` is about."""

    IDLE = "idle"  # not started
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ReconnectState:
    """How :class:`Reconnect` stands, for people to look at.

    ``attempts`` counts the failures since a connection held. ``next_attempt`` is on the handler's clock (seconds
    since 1970), None but while WAITING; ``reason`` is why the last connection or attempt ended, a sentence.
    """

    phase: Phase
    server: Server
    attempts: int = 0
    next_attempt: float | None = None
    reason: str = ""


class Reconnect:
    """Connect, and connect again whenever the connection is lost.

    ``servers`` are tried in turn (none: the client's own host and port). ``pacing`` is shared by all clients of a
    process. It waits longer from failure to failure, much longer after a ban, and stops for good, firing
    ``client_stopped`` with ``reason``, when the network refuses our credentials. It stops as well when somebody calls
    ``client.disconnect()`` or :meth:`stop`, until :meth:`start` or :meth:`reconnect_now`.
    ``rng`` gives floats from 0 up to 1, ``clock`` seconds since 1970.
    """

    def __init__(
        self,
        servers: Sequence[Server] = (),
        *,
        pacing: HostPacing | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pacing = pacing if pacing is not None else HostPacing()
        self._servers = tuple(servers)
        self._rng = rng
        self._clock = clock
        self._cause: Cause | None = None  # what the server said before the end
        self._again = False  # the end was asked for in order to begin again
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None  # the attempt, or the disconnect before it
        self._tasks: set[asyncio.Task[None]] = set()  # that one, and those that are just ending
        self._started: list[asyncio.Future[None]] = []
        self._client: Client
        self._tls: bool | ssl.SSLContext = True
        self._policy: ReconnectPolicy
        self._state: ReconnectState

    def install(self, client: Client) -> Reconnect:
        """Put it on a client; returns itself. Nothing is connected by that: see :meth:`start`."""
        self._client = client
        if isinstance(client.ssl, ssl.SSLContext):
            self._tls = client.ssl
        own = Server(client.host, client.port, bool(client.ssl), client.tls_fingerprint)
        self._policy = ReconnectPolicy(self._servers or (own,), self._rng)
        self._state = ReconnectState(Phase.IDLE, self._policy.server)
        client.on("client_connect", self._connected)
        client.on("client_disconnect", self._lost)
        client.on("client_connect_failed", self._failed)
        client.on("registration_failed", self._not_registered)
        client.on("465", self._banned)
        client.on("error", self._parting_words)
        return self

    @property
    def state(self) -> ReconnectState:
        """How things stand."""
        return self._state

    @property
    def servers(self) -> tuple[Server, ...]:
        """Those to try, in order. May be set; holds from the next attempt, and begins with the first one."""
        return self._policy.servers

    @servers.setter
    def servers(self, servers: Sequence[Server]) -> None:
        self._policy = ReconnectPolicy(servers, self._rng)

    async def start(self) -> None:
        """Begin, and return when connected for the first time; it may take many attempts.

        Raises ConnectionError if it stops before that. Returns at once if connected. See :meth:`start_soon`.
        """
        self.start_soon()
        if self._state.phase is Phase.CONNECTED:
            return
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started.append(started)
        try:
            await started
        finally:
            if started in self._started:
                self._started.remove(started)

    def start_soon(self) -> None:
        """Begin, without waiting for anything: the first attempt is made as soon as the pacing lets it."""
        if self._client.is_connected:
            self._now(Phase.CONNECTED)
        elif self._state.phase in (Phase.IDLE, Phase.STOPPED):
            self._attempt_in(0.0)

    def reconnect_now(self, reason: str = "reconnecting on request") -> None:
        """Connect anew as soon as the pacing lets it, whatever the state; earlier failures are forgotten."""
        self._policy.forget()
        self._cancel()
        self._again = True
        self._task = self._spawn(self._begin_again(reason), "begin again")

    def stop(self, reason: str) -> None:
        """Make no more attempts, and give up one that is under way. A connection that is up stays up."""
        self._cancel()
        self._again = False
        if self._state.phase is not Phase.STOPPED:
            self._stopped(reason)

    # --- attempts -------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _attempt_in(self, seconds: float) -> None:
        """Wait for the back-off first and then for the host's turn, which is not to be reserved long before."""
        self._cancel()
        if seconds <= 0:
            self._take_turn()
            return
        self._now(Phase.WAITING, next_attempt=self._clock() + seconds)
        self._timer = self._client.loop.call_later(seconds, self._take_turn)

    def _take_turn(self) -> None:
        wait = self.pacing.reserve(self._policy.server.host, self._clock())
        if wait > 0:
            self._now(Phase.WAITING, next_attempt=self._clock() + wait)
            self._timer = self._client.loop.call_later(wait, self._attempt)
        else:
            self._attempt()

    def _attempt(self) -> None:
        self._timer = None
        server, client = self._policy.server, self._client
        client.host, client.port = server.host, server.port
        client.ssl = (server.ssl or self._tls) if server.tls else False
        client.tls_fingerprint = server.tls_fingerprint
        self._cause = None
        self._now(Phase.CONNECTING)
        self._task = self._spawn(self._connect(), f"connect to {server}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._client.loop.create_task(work, name=f"reconnect: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _begin_again(self, reason: str) -> None:
        await self._client.disconnect(reason)
        self._again = False
        self._task = None
        self._now(Phase.WAITING, reason=reason)
        self._attempt_in(0.0)

    async def _connect(self) -> None:
        try:
            await self._client.connect()
        except ConnectCancelled:
            self._task = None
            if self._state.phase is Phase.CONNECTING:
                self._stopped("disconnected on request")
        except OSError:
            pass  # client_connect_failed or client_disconnect has told us

    # --- what happens ---------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        if self._timer is not None:  # somebody else connected
            self._timer.cancel()
            self._timer = None
        self._cause = None
        self._policy.connected(self._clock())
        self._now(Phase.CONNECTED)
        for started in self._started:
            if not started.done():
                started.set_result(None)
        self._started.clear()

    def _not_registered(self, reason: str, permanent: bool) -> None:
        self._cause = Cause.REFUSED if permanent else self._cause or cause_of(reason)

    def _banned(self) -> None:
        self._cause = Cause.BANNED

    def _parting_words(self, message: str) -> None:
        if self._cause in (None, Cause.LOST):
            self._cause = cause_of(message)
        if self._cause is Cause.THROTTLED:
            self.pacing.complain(self._client.host, self._clock())

    def _lost(self, connection: Connection, reason: str) -> None:
        if not connection.asked:
            self._back_off(reason)
        elif self._state.phase is Phase.CONNECTED and not self._again:
            self._stopped(reason)

    def _failed(self, reason: str) -> None:
        self._back_off(reason)

    def _back_off(self, reason: str) -> None:
        if self._state.phase is Phase.STOPPED:
            return
        wait = self._policy.failed(self._clock(), self._cause or Cause.LOST)
        if wait is None:
            self._stopped(reason)
            return
        self._now(Phase.WAITING, reason=reason)
        self._task = None  # it is the attempt that is telling us, and about to end
        self._attempt_in(wait)

    def _stopped(self, reason: str) -> None:
        self._now(Phase.STOPPED, reason=reason)
        for started in self._started:
            if not started.done():
                started.set_exception(ConnectionError(reason))
        self._started.clear()
        self._client.trigger("client_stopped", reason=reason)

    def _now(self, phase: Phase, *, next_attempt: float | None = None, reason: str | None = None) -> None:
        self._state = replace(
            self._state,
            phase=phase,
            server=self._policy.server,
            attempts=self._policy.attempts,
            next_attempt=next_attempt,
            reason=self._state.reason if reason is None else reason,
        )


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
