"""Connecting, and connecting again: the handler that drives the machine of `backoff`.

Owns the attempts and their timer. When to try, and where, is decided there; nothing is kept running while it waits.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from bouncer.client.backoff import Cause, HostPacing, ReconnectPolicy, Server, cause_of
from bouncer.client.client import Client, ConnectCancelled
from bouncer.client.connection import Connection


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
        self._registering = False  # connected, and the server has not taken us yet
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
        client.on("001", self._registered)
        client.on("registration_failed", self._not_registered)
        client.on("465", self._banned)
        client.on("error", self._parting_words)
        client.on("kill", self._killed)
        return self

    @property
    def state(self) -> ReconnectState:
        """How things stand."""
        return self._state

    @property
    def cause(self) -> Cause:
        """What the end of the last connection was, as far as the server told."""
        return self._cause or Cause.LOST

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
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._task is task:
            self._task = None

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
        self._registering = True
        self._policy.connected(self._clock())
        self._now(Phase.CONNECTED)
        for started in self._started:
            if not started.done():
                started.set_result(None)
        self._started.clear()

    def _registered(self) -> None:
        self._registering = False

    def _not_registered(self, reason: str, permanent: bool) -> None:
        self._cause = Cause.REFUSED if permanent else self._cause or cause_of(reason)

    def _banned(self) -> None:
        self._cause = Cause.BANNED

    def _killed(self, nick: str, host: str, message: str) -> None:
        """KILL: of us, since nobody is told of others. Its text is a path of servers, and the reason in brackets."""
        words = message.partition(" ")[2].strip()
        why = words[1:-1] if words[:1] == "(" and words[-1:] == ")" else message
        self._cause = cause_of(f"killed: {message}")
        connection = self._client.connection
        if connection is not None and not connection.reason:
            connection.reason = f"killed by {nick or host or 'the server'}: {why}"

    def _parting_words(self, message: str) -> None:
        if self._cause in (None, Cause.LOST):
            self._cause = cause_of(message, registering=self._registering)
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
