"""A client that attaches as people's do, and from then on only counts."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from benchmarks.wire import PATIENCE, Wire

USER = "alice"
PASSWORD = "correct-horse-battery"
CAPS = frozenset((b"message-tags", b"server-time", b"account-tag"))  # of a client that takes tags
_READY = b"bench-ready"


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients go. ``tls`` is for their side, None for plain text."""

    port: int
    tls: ssl.SSLContext | None = None


class Client(Wire):
    """Attached to one network. ``offered``: what it was told that the bouncer can do."""

    def __init__(self, login: str, wanted: frozenset[bytes]) -> None:
        super().__init__()
        self._login = login
        self._wanted = wanted
        self._asked = False
        self._last = b""
        self.offered: set[bytes] = set()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def attach(cls, place: Place, login: str, wanted: frozenset[bytes] = frozenset()) -> Client:
        """Log in as ``login``, a user with a device and a network; done when all that comes at first has come."""
        async with asyncio.timeout(PATIENCE):
            _, self = await asyncio.get_running_loop().create_connection(
                lambda: cls(login, wanted), "127.0.0.1", place.port, ssl=place.tls
            )
            await self._ready
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._wanted:
            self.transport.write(b"CAP LS 302\r\n")
        self.transport.write(f"PASS {PASSWORD}\r\nNICK {USER}\r\nUSER {self._login} 0 * :bench\r\n".encode())
        if not self._wanted:
            self.transport.write(b"PING :" + _READY + b"\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._ready.done():
            self._ready.set_exception(ConnectionError(f"{self._login} was not let in: {self._last.decode()!r}"))

    def data_received(self, data: bytes) -> None:
        if not self._ready.done():
            whole, newline, _ = (self._rest + data).rpartition(b"\r\n")
            self._negotiate(whole + newline)
        super().data_received(data)

    def _negotiate(self, data: bytes) -> None:
        self._last = data or self._last
        for line in data.split(b"\r\n"):
            words = line.split(b" ")
            if line.startswith(b"@"):
                del words[0]
            if len(words) > 3 and words[1] == b"CAP" and words[3] in (b"LS", b"ACK", b"NAK"):
                self._cap(words[3], words[4:])
            elif len(words) > 1 and words[1] == b"PONG" and line.endswith(_READY):
                self._ready.set_result(None)

    def _cap(self, verb: bytes, words: list[bytes]) -> None:
        if verb == b"LS":
            self.offered |= {word.lstrip(b":").partition(b"=")[0] for word in words}
            if words[0] == b"*" or self._asked:
                return
            self._asked = True
            if common := b" ".join(sorted(self._wanted & self.offered)):
                self.transport.write(b"CAP REQ :" + common + b"\r\n")
                return
        self.transport.write(b"CAP END\r\nPING :" + _READY + b"\r\n")
