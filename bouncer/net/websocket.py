"""IRC over WebSocket (IRCv3 "WebSocket support", RFC 6455): a line a message, without its line end.

Owns the way between frames and lines, and who may come by an HTTP request. Must not know what a line means. The
protocol itself is that of the `websockets` library without its input and output; only the header of the frames that
we send is made here, since those of one write are shared by all connections that get it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from bouncer.net.layer import Layer

# A line with all its tags has at most 4,608 bytes; one that is longer is to get its 417, not the end of the connection.
MESSAGE_LIMIT = 16 * 1024
# Bytes parsed before others have their turn: at six bytes for the smallest frame, some 700 frames, 5 ms
SLICE = 4096
TEXT, BINARY = Subprotocol("text.ircv3.net"), Subprotocol("binary.ircv3.net")
_CODES = {TEXT: Opcode.TEXT, BINARY: Opcode.BINARY}
_FIN = 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # lengths that say that the length follows (RFC 6455 section 5.2)

_LINE_ENDS = re.compile(rb"[\r\n]+")

_quiet = logging.getLogger(f"{__name__}.frames")
_quiet.setLevel(logging.CRITICAL)  # it tells of each connection and each refusal, which is a stranger's to decide


class Frames:
    """What a write looks like as frames of one kind; the last one is kept, since what is said in a channel is written
    to several connections one after the other."""

    __slots__ = ("_code", "_data", "_made", "_text")

    def __init__(self, code: Opcode) -> None:
        self._code = _FIN | code
        self._text = code is Opcode.TEXT
        self._data = self._made = b""

    def of(self, data: bytes) -> bytes:
        """Each line of ``data`` (CRLF ends it) as a frame. In text, what is not UTF-8 becomes U+FFFD."""
        if data is not self._data:
            self._data, self._made = data, self._frame(utf8(data) if self._text else data)
        return self._made

    def _frame(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        for line in data.split(b"\r\n"):
            size = len(line)
            if not size:
                continue
            if size < _TWO_BYTES:
                parts.append(bytes((self._code, size)))
            elif size < 1 << 16:
                parts.append(bytes((self._code, _TWO_BYTES)) + size.to_bytes(2, "big"))
            else:
                parts.append(bytes((self._code, _EIGHT_BYTES)) + size.to_bytes(8, "big"))
            parts.append(line)
        return b"".join(parts)


_FRAMES = {code: Frames(code) for code in _CODES.values()}


class WebSocket(Layer):
    """One connection's WebSocket. ``admit`` is called with the request's headers and says why it is refused, with
    the HTTP status, or None."""

    __slots__ = (
        "_admit",
        "_eof",
        "_frames",
        "_full",
        "_held",
        "_kind_open",
        "_parts",
        "_protocol",
        "_scheduled",
        "_unread",
    )

    def __init__(
        self,
        above: asyncio.Protocol,
        deadline: float,
        admit: Callable[[Headers], tuple[HTTPStatus, str] | None],
    ) -> None:
        super().__init__(above, deadline)
        self._admit = admit
        self._protocol = ServerProtocol(max_size=MESSAGE_LIMIT, select_subprotocol=_choose, logger=_quiet)
        self._frames = _FRAMES[Opcode.TEXT]
        self._kind_open = False  # no subprotocol was named: the first message says which kind the client takes
        self._parts: list[Frame] = []  # of a message in fragments, MESSAGE_LIMIT in all
        self._unread = b""  # of one read at most: nothing is read while it holds a byte
        self._eof = False
        self._held = False
        self._full = False
        self._scheduled = False

    # For what is above

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over whole lines."""
        if self._protocol.state is State.OPEN:
            self._below.write(self._frames.of(bytes(data)))

    def close(self) -> None:
        """Say that this is the end, and wait for the client to say so: the owner's deadline aborts."""
        if self._closing:
            return
        self._closing = True
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._put_out()
        self._settle()

    def pause_reading(self) -> None:
        """As of any transport."""
        self._held = True
        self._settle()

    def resume_reading(self) -> None:
        """As of any transport."""
        self._held = False
        self._settle()

    # For what is below

    def pause_writing(self) -> None:
        self._full = True  # the answers to pings would be kept for ever for a client that does not read
        super().pause_writing()
        self._settle()

    def resume_writing(self) -> None:
        self._full = False
        super().resume_writing()
        self._settle()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._work()

    def eof_received(self) -> bool:
        self._eof = True
        self._settle()
        return True

    # Inside

    def _work(self) -> None:
        """Parse one slice of what was read."""
        if self._unread and self._may_read():
            piece, self._unread = self._unread[:SLICE], self._unread[SLICE:]
            self._protocol.receive_data(piece)
            self._look()
        self._settle()

    def _look(self) -> None:
        """Deal with what came of a slice."""
        lines: list[bytes] = []
        ended = False
        events = self._protocol.events_received()
        if not self._ready and (len(events) > 1 or (events and self._protocol.eof_sent)):
            # it did not wait for the answer to its request, and the library would put its own to these frames first
            self._error = ConnectionError("frames before the handshake was over")
            self._end_below()
            return
        for event in events:
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame):
                ended = ended or event.opcode is Opcode.CLOSE
                self._take(event, lines)
        if lines and not self._closing:
            self._above.data_received(b"".join(lines))
        if ended and not self._closing:
            self._above.eof_received()
        wrong = self._protocol.parser_exc or self._protocol.handshake_exc
        if wrong is not None and self._error is None:
            self._error = ConnectionError(str(wrong))
        self._put_out()

    def _answer(self, request: Request) -> None:
        refused = self._admit(request.headers)
        response = self._protocol.reject(*refused) if refused else self._protocol.accept(request)
        self._protocol.send_response(response)
        if refused:
            self._error = ConnectionError(refused[1].strip())
        if self._protocol.state is not State.OPEN:
            return
        self._put_out()
        if self._protocol.subprotocol is None:
            self._kind_open = True
        else:
            self._frames = _FRAMES[_CODES[self._protocol.subprotocol]]
        self._open()

    def _take(self, frame: Frame, lines: list[bytes]) -> None:
        """Add the message to ``lines`` if this frame completes one."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.data or not self._parts:  # empty ones would cost without end
            self._parts.append(frame)
        if not frame.fin:
            return
        parts, self._parts = self._parts, []
        kind = parts[0].opcode
        data = b"".join(bytes(part.data) for part in parts)
        if self._kind_open:
            self._kind_open = False
            self._frames = _FRAMES[kind]
        lines.append(_one_line(utf8(data) if kind is Opcode.TEXT else data) + b"\r\n")

    def _put_out(self) -> None:
        """Write what the protocol has to say of itself, and its end."""
        for data in self._protocol.data_to_send():
            if data:
                self._send(data)
            else:
                self._end_below()

    def _may_read(self) -> bool:
        return self._closing or not (self._held or self._full)

    def _settle(self) -> None:
        """Do what the state asks for: the next slice, the end, reading or not."""
        if self._unread and self._may_read():
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._next)
        elif self._eof and not self._unread:
            self._eof = False
            self._over()
        if not self._unread and self._may_read():
            super().resume_reading()
        else:
            super().pause_reading()

    def _next(self) -> None:
        self._scheduled = False
        self._work()

    def _over(self) -> None:
        """The client sends no more."""
        if self._ready and not self._closing:
            self._above.eof_received()
        self._closing = True
        self._below.close()


def _choose(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The client's order counts; one that names none of ours goes on without (IRCv3 leaves that to us)."""
    return next((each for each in offered if each in _CODES), None)


def _one_line(data: bytes) -> bytes:
    """A message as the one line that it is: what would begin a second one is a space."""
    line = data.strip(b"\r\n")
    return _LINE_ENDS.sub(b" ", line) if b"\n" in line or b"\r" in line else line


def utf8(data: bytes) -> bytes:
    """The bytes if they are UTF-8, else with U+FFFD for what is not."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data


def origin_fits(headers: Headers, origins: Sequence[str]) -> bool:
    """Whether the page that a browser shows may connect to us: one of ``origins``, or (there are none) one of the host
    that was asked for. What sends no Origin is no browser."""
    found = headers.get_all("Origin")
    if not found:
        return True
    if len(found) > 1:
        return False
    if origins:
        return found[0].lower() in origins
    try:
        page = urlsplit(found[0]).hostname
        asked = [urlsplit(f"//{host}").hostname for host in headers.get_all("Host")]
    except ValueError:
        return False
    return page is not None and asked == [page]
