"""One TCP connection, from its being made to its being lost: never reset, never used again.

Owns the transport, framing, the lines that wait to go out, and the reasons for not reading. Must not know what a line
means, nor whether another connection follows. Its owner, the client, is told through the :class:`Owner` port.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
import time
from collections.abc import Callable, Generator
from typing import Any, Protocol, cast

from bouncer.client.dialing import fingerprint_matches, fingerprint_of
from bouncer.client.errors import NotConnected
from bouncer.client.pacing import Pace, Pacer, Rank
from bouncer.irc.encoding import LineEncoding
from bouncer.irc.framing import UPSTREAM_TAG_LIMIT, Framer
from bouncer.irc.message import Message

logger = logging.getLogger(__name__)

LINES_PER_PASS = 256  # lines handled before other connections get their turn: 1 ms or so of work
WRITE_BUFFER_LIMIT = 1 << 16  # bytes given to a transport that the kernel has not taken: then our own queue waits
WRITE_CHUNK = 1 << 16  # bytes joined for one write
LOAD_HIGH = 1000  # handlers and events unfinished before the reading of this connection stops
LOAD_LOW = 500  # and when it goes on

_numbers = itertools.count(1)


class Sent:
    """What ``send`` returns: may be awaited, and is done when the line was handed to the socket.

    Awaiting raises NotConnected if the connection ended before that.
    """

    __slots__ = ("_error", "_futures", "done")

    def __init__(self) -> None:
        self.done = False
        self._error: str | None = None
        self._futures: list[asyncio.Future[None]] | None = None

    def settle(self, error: str | None = None) -> None:
        self.done = True
        self._error = error
        for future in self._futures or ():
            if not future.done():
                future.set_result(None)
        self._futures = None

    def __await__(self) -> Generator[Any, None, None]:
        if not self.done:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._futures = [*(self._futures or ()), future]
            yield from future.__await__()
        if self._error is not None:
            raise NotConnected(self._error)


class Owner(Protocol):
    """What a connection tells its client."""

    def connection_made(self, connection: Connection) -> None: ...

    def lines_received(self, connection: Connection, messages: list[Message], now: float) -> None: ...

    def lines_sent(self, messages: list[Message], now: float) -> None: ...

    def connection_lost(self, connection: Connection, exc: Exception | None) -> None: ...


class Connection(asyncio.Protocol):
    """See the module. ``number`` tells connections of one process apart."""

    __slots__ = (
        "_backlog",
        "_close_timer",
        "_encoding",
        "_end_waiters",
        "_ended",
        "_fingerprint",
        "_flushing",
        "_framer",
        "_held",
        "_last",
        "_load",
        "_lost",
        "_overloaded",
        "_owner",
        "_pace_timer",
        "_pacer",
        "_passing",
        "_reading",
        "_stopped",
        "_transport",
        "asked",
        "closing",
        "host",
        "last_heard",
        "loop",
        "number",
        "on_end",
        "port",
        "reason",
        "refusal",
        "stalled_since",
        "used",
    )

    def __init__(
        self,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        *,
        host: str,
        port: int,
        pace: Pace | None,
        line_limit: int,
        tls_fingerprint: str | None,
        encoding: LineEncoding | None = None,
    ) -> None:
        self.number = next(_numbers)
        self.host = host
        self.port = port
        self.loop = loop
        self.last_heard = loop.time()  # on the loop's clock
        self.stalled_since: float | None = None  # on the loop's clock: when the peer stopped taking what we write
        self.closing = False  # nothing more can be sent
        self.asked = False  # we wanted it closed
        self.reason = ""  # a sentence, once it is known
        self.refusal: OSError | None = None  # why the connection was not good enough to be used
        self.used = False  # its owner has been told of it
        self.on_end: Callable[[], object] | None = None  # to be called once, when the socket is given back
        self._owner = owner
        self._fingerprint = tls_fingerprint
        self._encoding = encoding  # None: lines are UTF-8 on the wire, too
        self._transport: asyncio.Transport | None = None
        self._framer = Framer(UPSTREAM_TAG_LIMIT, line_limit, cut=True)
        self._pacer: Pacer[tuple[Message, Sent]] = Pacer(pace)
        self._backlog: list[bytes] = []  # at most the lines of one read: reading stops while there are any
        self._passing = False  # a pass over the backlog is scheduled
        self._load = 0
        self._overloaded = False
        self._held = False
        self._stopped = False  # overloaded, held, or both: no line is handled
        self._reading = True
        self._flushing = False  # a flush is scheduled for the next pass of the loop
        self._pace_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._lost: tuple[Exception | None] | None = None
        self._ended = False
        self._end_waiters: list[asyncio.Future[None]] = []
        self._last: Message | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.number} to {self.host}:{self.port}>"

    # --- what the transport tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of that class
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_LIMIT)
        self.last_heard = self.loop.time()
        if self._fingerprint is not None and not self._pinned(self._transport, self._fingerprint):
            self.closing = True
            self._soon(self._transport.abort)
            return
        self.used = True
        self._owner.connection_made(self)

    def _pinned(self, transport: asyncio.Transport, fingerprint: str) -> bool:
        """Whether the server has the pinned certificate; if not, ``refusal`` says which one it has."""
        tls = transport.get_extra_info("ssl_object")
        certificate = (tls.getpeercert(binary_form=True) if tls is not None else None) or b""
        if fingerprint_matches(certificate, fingerprint):
            return True
        shown = f"its SHA-256 fingerprint is {fingerprint_of(certificate)}" if certificate else "it shows none"
        self.refusal = ssl.SSLCertVerificationError(1, f"it is not the pinned one; {shown}")
        return False

    def data_received(self, data: bytes) -> None:
        self.last_heard = self.loop.time()
        lines = self._framer.feed(data)
        if not lines:
            return
        if self._encoding is not None:
            lines = list(map(self._encoding.decode, lines))
        if self._backlog or len(lines) > LINES_PER_PASS or self._stopped:
            self._backlog.extend(lines)
            self._update_reading()
            if not self._passing and not self._stopped:
                self._pass()
            return
        messages = Message.parse_all(lines)
        self._last = messages[-1]
        self._owner.lines_received(self, messages, time.time())

    def _pass(self) -> None:
        """Handle the next lines of the backlog; others get their turn before the ones after."""
        self._passing = False
        backlog = self._backlog
        if backlog and (not self._stopped or self._lost is not None):
            messages = Message.parse_all(backlog[:LINES_PER_PASS])
            del backlog[:LINES_PER_PASS]
            self._last = messages[-1]
            self._owner.lines_received(self, messages, time.time())
        if backlog:
            self._schedule_pass()
        else:
            self._update_reading()
            if self._lost is not None:
                self._end()

    def _schedule_pass(self) -> None:
        if not self._passing and (not self._stopped or self._lost is not None):
            self._passing = True
            self.loop.call_soon(self._pass)

    def pause_writing(self) -> None:
        self.stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        self.stalled_since = None
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.let_go()
        if self.refusal is not None:
            return
        self.closing = True
        self._lost = (exc,)
        for timer in (self._pace_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        for _, sent in self._pacer.clear():
            sent.settle("the connection ended before the line could be sent")
        if self._backlog:  # what came before the end is handled before the end
            self._schedule_pass()
        elif not self._passing:
            self._end()

    def let_go(self) -> None:
        """The socket is used no more."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    def _end(self) -> None:
        if self._ended or self._lost is None:
            return
        self._ended = True
        exc = self._lost[0]
        if not self.reason:
            self.reason = end_of_connection(exc, self._last)
        self._owner.connection_lost(self, exc)
        self._wake_end_waiters()

    def _wake_end_waiters(self) -> None:
        for waiter in self._end_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._end_waiters.clear()

    # --- reading and not reading ----------------------------------------------------------------------------------

    @property
    def reading(self) -> bool:
        """False while this side takes nothing: the peer's silence then means nothing."""
        return self._reading

    @property
    def framer(self) -> Framer:
        """The framer of what is received: its limits, and what it refused."""
        return self._framer

    def take(self) -> None:
        """One more handler or event is unfinished."""
        self._load += 1
        if self._load >= LOAD_HIGH and not self._overloaded:
            self._overloaded = True
            self._stop_or_go_on()
            logger.warning("%r: %d handlers are unfinished; its reading stops until they are fewer", self, self._load)

    def release(self) -> None:
        """One is finished."""
        self._load -= 1
        if self._overloaded and self._load <= LOAD_LOW:
            self._overloaded = False
            self._stop_or_go_on()

    def hold(self, held: bool) -> None:
        """Stop handling and reading lines, or go on: for an owner that can't keep what comes."""
        if held != self._held:
            self._held = held
            self._stop_or_go_on()

    def _stop_or_go_on(self) -> None:
        self._stopped = self._overloaded or self._held
        if self._backlog and not self._stopped:
            self._schedule_pass()
        else:
            self._update_reading()

    def _update_reading(self) -> None:
        wanted = not self._backlog and not self._stopped
        if wanted == self._reading or self._lost is not None or self._transport is None:
            return
        self._reading = wanted
        if self._transport.is_closing():
            return
        if wanted:
            self.last_heard = self.loop.time()
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # --- writing --------------------------------------------------------------------------------------------------

    @property
    def pace(self) -> Pace | None:
        """The pace of what goes out; may be set at any time."""
        return self._pacer.pace

    @pace.setter
    def pace(self, pace: Pace | None) -> None:
        self._pacer.pace = pace
        self._schedule_flush()

    def send(self, message: Message, rank: Rank) -> Sent:
        """Queue a line. Raises NotConnected, or SendQueueFull; then nothing is queued."""
        if self.closing:
            raise NotConnected("not connected: the connection is closing")
        sent = Sent()
        self._pacer.push((message, sent), len(message.raw) + 2, rank)
        if self._pacer.size > WRITE_CHUNK:
            self.flush()
        self._schedule_flush()
        return sent

    def _schedule_flush(self) -> None:
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._flushing = False
        self.flush()

    def flush(self) -> None:
        """Hand over what is due, in as few writes as can be, and come back when more is."""
        if self._lost is not None or self._transport is None:
            return
        if self._pace_timer is not None:
            self._pace_timer.cancel()
            self._pace_timer = None
        while self.stalled_since is None:
            items = self._pacer.due(self.loop.time(), WRITE_CHUNK)
            if not items:
                break
            pieces = []
            for message, _ in items:
                pieces.append(message.raw if self._encoding is None else self._encoded(message.raw))
                pieces.append(b"\r\n")
            self._transport.write(b"".join(pieces))
            for _, sent in items:
                sent.settle()
            self._owner.lines_sent([message for message, _ in items], time.time())
            if not self._pacer:
                break
        if not self._pacer:
            if self.asked:
                self._soon(self._transport.close)
        elif self.stalled_since is None:
            deadline = self._pacer.deadline(self.loop.time())
            assert deadline is not None
            self._pace_timer = self.loop.call_at(deadline, self.flush)

    def _encoded(self, line: bytes) -> bytes:
        assert self._encoding is not None
        return self._encoding.encode(line, self._framer.body_limit - len(b"\r\n"))

    # --- the end --------------------------------------------------------------------------------------------------

    def close(self, reason: str, patience: float) -> None:
        """Send what waits, then close; after ``patience`` seconds, close whatever waits. Sending ends at once."""
        if self.closing or self._transport is None:
            return
        self.closing = self.asked = True
        self.reason = reason
        self._close_timer = self.loop.call_later(patience, self._transport.abort)
        self.flush()

    def abort(self, reason: str) -> None:
        """Close without sending what waits."""
        self.closing = True
        self.reason = self.reason or reason
        if self._transport is not None:
            self._soon(self._transport.abort)

    def _soon(self, end: Callable[[], None]) -> None:
        """In the next pass: a transport of uvloop that ends within connection_made() never gives its socket back."""
        self.loop.call_soon(end)

    def forsake(self, reason: str) -> None:
        """End now, from another loop than the connection's own, which may never run again. Nothing more is told."""
        self.closing = self.asked = self._ended = True
        self.reason = reason
        self.let_go()
        for _, sent in self._pacer.clear():
            sent.settle(reason)
        if self._transport is None or self.loop.is_closed():
            return
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self._transport.abort)
            return
        shut_down(self._transport)
        self._transport.abort()

    async def wait_ended(self) -> None:
        """Until the owner has been told that the connection is lost."""
        if not self._ended:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._end_waiters.append(waiter)
            await waiter


def shut_down(transport: asyncio.Transport) -> None:
    """Tell the peer that the connection is over, although the transport's loop does not run.

    ``abort`` closes the socket in the next pass of its loop, which may never come. A duplicate of the descriptor is
    the one way to it that asyncio and uvloop share.
    """
    wrapped = transport.get_extra_info("socket")
    if wrapped is None:
        return
    try:
        duplicate = wrapped.dup()
        try:
            duplicate.shutdown(2)
        finally:
            duplicate.close()
    except OSError:  # closed already
        pass


def end_of_connection(exc: Exception | None, last: Message | None) -> str:
    """Why a connection ended, as a sentence for people."""
    if last is not None and last.command == "ERROR":
        return f"the server closed the connection: {last.param(0)}"
    if exc is None:
        return "the server closed the connection"
    if isinstance(exc, ConnectionResetError):
        return "the connection was reset"
    return f"the connection broke: {exc}"
