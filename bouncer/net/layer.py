"""What stands between a socket and a :class:`~bouncer.net.peer.Peer`: a protocol to what is below, a transport to
what is above.

Owns what all such layers do alike: pass on flow control both ways, give their handshake a deadline, and tell the end
once. Must not know what a layer does with the bytes.
"""

from __future__ import annotations

import asyncio
from typing import cast


class Layer(asyncio.Transport, asyncio.Protocol):
    """One step of a connection. ``above`` gets its ``connection_made`` when the handshake of this layer is over, and
    its ``connection_lost`` in any case, with why the handshake failed if it did.

    ``deadline`` is how many seconds the handshake may take; ``made`` is True once there is a socket below. Never
    raises at what a peer sends.
    """

    __slots__ = (
        "_above",
        "_below",
        "_closing",
        "_ended",
        "_error",
        "_loop",
        "_paused",
        "_ready",
        "_seconds",
        "_timer",
        "made",
    )

    def __init__(self, above: asyncio.Protocol, deadline: float) -> None:
        super().__init__()
        self._above = above
        self._seconds = deadline
        self._below: asyncio.Transport
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self.made = False
        self._ready = False
        self._closing = False
        self._ended = False
        self._paused = False

    # For what is above

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As of any transport."""
        self._below.set_write_buffer_limits(high, low)

    def is_closing(self) -> bool:
        """True from the call of close() or abort() on."""
        return self._closing or self._below.is_closing()

    def can_write_eof(self) -> bool:
        """The end of one direction alone can't be told: these layers have an end of their own."""
        return False

    def pause_reading(self) -> None:
        """As of any transport."""
        if not self._paused:
            self._paused = True
            if not self._below.is_closing():
                self._below.pause_reading()

    def resume_reading(self) -> None:
        """As of any transport."""
        if self._paused:
            self._paused = False
            if not self._below.is_closing():
                self._below.resume_reading()

    def abort(self) -> None:
        """End at once."""
        self._closing = True
        if self.made:
            self._below.abort()

    # For what is below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast(asyncio.Transport, transport)
        self.made = True
        if self._closing:  # given up while the loop took the socket, as uvloop tells only afterwards
            self._below.abort()
            return
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._seconds, self._overdue)

    def pause_writing(self) -> None:
        if self._ready:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        if self._ready:
            self._above.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._stop_timer()
        self._above.connection_lost(self._error or exc)

    # Inside

    def _open(self) -> None:
        """The handshake is over."""
        self._stop_timer()
        self._ready = True
        self._above.connection_made(self)

    def _fail(self, why: str) -> None:
        """End with a reason; what is written already still goes out."""
        if self._error is None:
            self._error = ConnectionError(why)
        if not self._closing:
            self._end_below()

    def _end_below(self) -> None:
        """Nothing more will be written: flush, until a deadline, and close."""
        self._closing = True
        if self._ended or self._below.is_closing():
            return
        self._ended = True
        self._stop_timer()
        self._timer = self._loop.call_later(self._seconds, self._below.abort)
        if not self._below.can_write_eof():
            self._below.close()
            return
        # reading goes on: a socket that is closed with something unread in it resets, before our last words
        self._below.write_eof()
        self.resume_reading()

    def _overdue(self) -> None:
        self._error = ConnectionError(f"no handshake within {self._seconds:g} seconds")
        self.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, data: bytes) -> None:
        try:
            self._below.write(data)
        except RuntimeError:  # uvloop, from the failure of a write until it has called connection_lost
            pass
