"""One accepted connection: bytes in become messages, bytes out go to the socket.

Owns flow control both ways, the deadlines of one connection, and the fence between it and everybody else: whatever
the conversation code raises ends this connection only. Must not know what any line means.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVarTuple, cast

from bouncer.irc.framing import BODY_LIMIT, DOWNSTREAM_TAG_LIMIT, Framer
from bouncer.irc.message import Message
from bouncer.net.limits import Limits, Place

logger = logging.getLogger(__name__)

PASS_LINES = 256  # lines of one connection that are handled before the others have their turn (design 3)
# Bytes that wait in our memory for a slow client before it counts as full. A full one costs no more than this: it
# stays behind in the log. Large enough for one pump of some hundred lines, so that a quick client never pauses.
WRITE_HIGH_WATER = 64 * 1024

Args = TypeVarTuple("Args")

_FAULT = b"ERROR :Something went wrong in the bouncer; its log says what\r\n"


class Conversation(Protocol):
    """What is said over one connection. Whatever it raises is logged and ends that connection."""

    def receive(self, messages: list[Message]) -> None:
        """Lines came, in order; at most :data:`PASS_LINES`."""

    def refused(self, count: int) -> None:
        """So many lines were dropped since they were over the limit (answered with 417)."""

    def writable(self) -> None:
        """The peer takes bytes again: :attr:`Peer.full` is False after having been True."""

    def closed(self, reason: str) -> None:
        """The connection has ended; called once, last of all. ``reason`` is for people."""


class Peer(asyncio.Protocol):
    """One connection, of an IRC client that attaches; the core's ``Sink`` to it.

    ``address`` is the peer's address as text, or "unix"; ``secure`` is True with TLS; ``local`` is True on loopback
    and on unix sockets; ``connected`` is True from the end of all handshakes on, for ever. ``fingerprint`` is the
    SHA-256 of the client's certificate (DER) as 64 lower-case hexadecimal digits, "" if it has shown none; TLS has
    proved that the client holds its key, and nothing more. ``crowd`` is whom the address counts for
    (`limits.crowd_of`), "" for those without limits by address: loopback, unix sockets, trusted proxies.
    """

    __slots__ = (
        "_backlog",
        "_conversation",
        "_converse",
        "_deadline",
        "_framer",
        "_held",
        "_limits",
        "_loop",
        "_lost",
        "_on_lost",
        "_open",
        "_place",
        "_reading",
        "_reason",
        "_scheduled",
        "_transport",
        "address",
        "connected",
        "crowd",
        "fingerprint",
        "full",
        "local",
        "secure",
    )

    def __init__(
        self,
        converse: Callable[[Peer], Conversation],
        *,
        address: str,
        local: bool,
        crowd: str,
        secure: bool,
        place: Place,
        limits: Limits,
        on_lost: Callable[[Peer, str], None],
    ) -> None:
        self.address = address
        self.local = local
        self.crowd = crowd
        self.secure = secure
        self.fingerprint = ""
        self.full = False
        self._converse = converse
        self._place = place
        self._limits = limits
        self._on_lost = on_lost
        self._framer = Framer(DOWNSTREAM_TAG_LIMIT, BODY_LIMIT, cut=False)
        self._backlog: deque[bytes] = deque()  # of one read at most: nothing is read while it holds a line
        self._loop: asyncio.AbstractEventLoop
        self._transport: asyncio.Transport
        self._conversation: Conversation | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.connected = False
        self._open = False
        self._held = False
        self._reading = True
        self._scheduled = False
        self._lost = False
        self._reason = ""

    def __repr__(self) -> str:
        return f"<Peer {self.address}{' TLS' if self.secure else ''}{'' if self._open else ' closed'}>"

    # For the conversation

    def write(self, data: bytes) -> None:
        """Hand over whole lines. Never raises, also after the end."""
        if self._open:
            try:
                self._transport.write(data)
            except RuntimeError:  # uvloop, from the failure of a write until it has called connection_lost
                pass

    def close(self, last: bytes = b"") -> None:
        """Write ``last``, flush until the deadline, close. What the peer still sends is not looked at."""
        self._close(last, "closed by the bouncer")

    def hold(self, held: bool) -> None:
        """Stop or go on reading. While held, no messages come, also none of those already read."""
        self._held = held
        self._settle()

    def registered(self) -> None:
        """To be called when registration is complete: its deadline and its place in the lobby end."""
        self._place.leave()
        if self._open:
            self._cancel_deadline()

    # For the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self.connected = self._open = True
        self._deadline = self._loop.call_later(self._limits.registration, self._registration_overdue)
        try:
            self._conversation = self._converse(self)
        except Exception:
            self._fault()

    def data_received(self, data: bytes) -> None:
        if not self._open:
            return
        refused = self._framer.refused
        lines = self._framer.feed(data)
        if refused != self._framer.refused and self._conversation is not None:
            self._tell(self._conversation.refused, self._framer.refused - refused)
        if not lines or not self._open:
            return
        if self._backlog or self._held or len(lines) > PASS_LINES:
            self._backlog.extend(lines)
            self._settle()
        else:
            self._deliver(lines)

    def eof_received(self) -> None:
        # closing by ourselves, since the transport would wait for ever for a peer that has stopped reading as well
        self._close(b"", "closed by the client", keep_backlog=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False
        self._lost = True
        self._cancel_deadline()
        self._place.leave()
        if not self._reason:
            self._reason = f"lost: {getattr(exc, 'strerror', None) or exc}" if exc else "closed by the client"
        self._on_lost(self, str(exc or "it hung up"))
        self._settle()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self._open and self._conversation is not None:
            self._tell(self._conversation.writable)

    # Inside

    def _deliver(self, lines: list[bytes]) -> None:
        if self._conversation is not None:
            self._tell(self._conversation.receive, Message.parse_all(lines))

    def _work_off(self) -> None:
        """Handle one pass of the backlog."""
        self._scheduled = False
        if self._backlog and not self._held:
            count = min(PASS_LINES, len(self._backlog))
            self._deliver([self._backlog.popleft() for _ in range(count)])
        self._settle()

    def _settle(self) -> None:
        """Do what the state asks for: the next pass, the last word to the conversation, reading or not."""
        if self._backlog and not self._held:
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._work_off)
        elif self._lost and self._conversation is not None:
            conversation, self._conversation = self._conversation, None
            self._backlog.clear()  # a held conversation does not take it any more
            self._tell(conversation.closed, f"connection {self._reason}")
        reading = not (self._held or self._backlog)
        if self._open and reading != self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _close(self, last: bytes, reason: str, *, keep_backlog: bool = False) -> None:
        if not keep_backlog:
            self._backlog.clear()
        if not self._open:
            return
        if last:
            self.write(last)
        self._open = False
        self._reason = reason
        self._cancel_deadline()
        if self._transport.is_closing():  # it has failed already
            return
        self._deadline = self._loop.call_later(self._limits.close, self._transport.abort)
        if not self._transport.can_write_eof():  # TLS has an end of its own, which waits for the peer's
            self._transport.close()
            return
        # Only our half is closed, and the peer answers by closing its own. A socket closed with something unread in
        # it is reset, and the reset may overtake our last words.
        self._transport.write_eof()
        if not self._reading:
            self._transport.resume_reading()

    def _registration_overdue(self) -> None:
        seconds = f"{self._limits.registration:g} seconds"
        last = f"ERROR :You did not log in within {seconds}; connect again\r\n".encode()
        self._close(last, f"closed by the bouncer: no login within {seconds}")

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _tell(self, act: Callable[[*Args], None], *args: *Args) -> None:
        try:
            act(*args)
        except Exception:
            self._fault()

    def _fault(self) -> None:
        logger.exception("an error of ours ends the connection from %s", self.address)
        self._close(_FAULT, "closed by the bouncer after an error of its own")
