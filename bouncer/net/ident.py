"""Whose a connection of ours is, for networks that ask (RFC 1413): by a server of our own, or a file for oidentd.

Owns what was claimed, the ident sockets, and that file. Must not know users or networks.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from bouncer.model.errors import Refused
from bouncer.net.proxies import address_of

logger = logging.getLogger(__name__)

LONGEST_QUERY = 64  # bytes with the line end: two ports of five digits, and more spaces than anybody sends
ASKING = 64  # ident connections at once: each network asks once for each connection of ours, and it takes a round trip
QUERY_DEADLINE = 10.0  # seconds for question and answer together; networks wait for 5 to 30
LONGEST_NAME = 512  # characters, RFC 1413 section 6

End = tuple[str, int]  # a host's address as text, and a port
Pair = tuple[str, int, str, int]  # ours, and that of the network


def _host(text: str) -> str:
    """An address as it is compared: IPv4 in IPv6 is IPv4, and there is no zone."""
    return str(address_of(f"[{text}]" if ":" in text else text) or text)


def _pair(local: End, remote: End) -> Pair:
    return _host(local[0]), local[1], _host(remote[0]), remote[1]


def _name(name: str) -> str:
    """What may stand in an answer: no line ends, no quotes, no NUL."""
    return (
        "".join(each for each in name[:LONGEST_NAME] if each.isprintable() and each not in '"\\').strip() or "unknown"
    )


class Claims:
    """What is claimed now. A pair of addresses is one connection, so the last claim on it is right."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._names: dict[Pair, list[str]] = {}  # in a list of its own, so that one claim is told from its successor
        self._changed = changed

    def __len__(self) -> int:
        return len(self._names)

    def claim(self, local: End, remote: End, name: str) -> Callable[[], None]:
        """See `model.ports.IdentClaims`."""
        pair, entry = _pair(local, remote), [_name(name)]
        self._names[pair] = entry
        self._changed()
        return partial(self._release, pair, entry)

    def _release(self, pair: Pair, entry: list[str]) -> None:
        if self._names.get(pair) is entry:
            del self._names[pair]
            self._changed()

    def name(self, pair: Pair) -> str | None:
        """Whose this connection is."""
        entry = self._names.get(pair)
        return entry[0] if entry else None

    def all(self) -> list[tuple[Pair, str]]:
        """Every claim."""
        return [(pair, entry[0]) for pair, entry in self._names.items()]


class IdentServer:
    """Answers for our connections, on a port of our own. An `IdentClaims`.

    Nobody learns anything of a connection but the machine at its other end.
    """

    def __init__(self, host: str, port: int, deadline: float = QUERY_DEADLINE) -> None:
        self._at = host, port
        self._claims = Claims()
        self._deadline = deadline
        self._server: asyncio.Server | None = None
        self._asking: dict[_Query, None] = {}  # the oldest first

    def claim(self, local: End, remote: End, name: str) -> Callable[[], None]:
        """See `model.ports.IdentClaims`."""
        return self._claims.claim(local, remote, name)

    @property
    def port(self) -> int:
        """Where it listens in truth; 0 if it does not."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else 0

    async def open(self) -> None:
        """Listen. Raises Refused with the problem and the fix."""
        host, port = self._at
        loop = asyncio.get_running_loop()
        wanted = None if host == "::" else host  # both worlds, or IPv4 alone where there is no IPv6
        try:
            self._server = await loop.create_server(self._come, wanted, port, backlog=ASKING)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "the port is taken by another program" if taken else (error.strerror or str(error)).lower()
            fix = (
                'if that is oidentd, set "oidentd" to its file instead'
                if taken
                else "ports below 1024 need a permission (AmbientCapabilities=CAP_NET_BIND_SERVICE with systemd)"
            )
            raise Refused(f"Can't answer ident on {host} port {port}: {why}; {fix}.") from error

    async def close(self) -> None:
        """Answer no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for query in tuple(self._asking):
                query.end()
            await server.wait_closed()

    def _come(self) -> asyncio.Protocol:
        return _Query(self._claims, self._asking, self._deadline)


class _Query(asyncio.Protocol):
    """One question: answered, and that is the end of the connection."""

    def __init__(self, claims: Claims, asking: dict[_Query, None], deadline: float) -> None:
        self._claims = claims
        self._asking = asking
        self._seconds = deadline
        self._line = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._asking) >= ASKING:
            # networks ask at once: who has said nothing for longest is none, and is not to keep them out
            oldest = next(iter(self._asking))
            del self._asking[oldest]
            oldest.end()
        self._asking[self] = None
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self.end)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._line += data[:LONGEST_QUERY]
        line, end, _ = self._line.partition(b"\n")
        if end or len(self._line) >= LONGEST_QUERY:
            self._transport.write(self._answer(line) if end else b"0, 0 : ERROR : INVALID-PORT\r\n")
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Too late, or we are going."""
        self._transport.abort()

    def _answer(self, line: bytes) -> bytes:
        ours, _comma, theirs = line.decode("ascii", "replace").partition(",")
        try:
            ports = _port(ours), _port(theirs)
        except ValueError:
            return b"0, 0 : ERROR : INVALID-PORT\r\n"
        local, remote = self._transport.get_extra_info("sockname"), self._transport.get_extra_info("peername")
        name = None
        if local and remote:
            name = self._claims.name(_pair((local[0], ports[0]), (remote[0], ports[1])))
        said = f"USERID : UNIX : {name}" if name else "ERROR : NO-USER"
        return f"{ports[0]}, {ports[1]} : {said}\r\n".encode()


def _port(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 1 << 16 and len(text) < 6):
        raise ValueError
    return int(text)


class OidentdFile:
    """Keeps the file that oidentd reads of the user whom we run as (its capability "spoof" is needed). An
    `IdentClaims`.

    What stood in the file before stays, above ours; it is written whole each time, so that oidentd never reads half.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # the file that a link leads to, so that the link stays
        self._claims = Claims(self._write)
        self._failed = False
        self._before = ""

    async def open(self) -> None:
        """Read what is there already. Raises Refused with the problem and the fix."""
        self._before = _without_ours(self._path)

    def claim(self, local: End, remote: End, name: str) -> Callable[[], None]:
        """See `model.ports.IdentClaims`. When this returns, the line is in the file."""
        return self._claims.claim(local, remote, name)

    async def close(self) -> None:
        """Take all our lines out."""
        self._claims = Claims(self._write)
        self._write()

    def _write(self) -> None:
        lines = [
            f'to {pair[2]} fport {pair[3]} from {pair[0]} lport {pair[1]} {{ reply "{name}" }} {_MARK}\n'
            for pair, name in self._claims.all()
        ]
        try:
            _replace(self._path, self._before + "".join(lines))
        except OSError as error:
            if not self._failed:  # once: each connect would say it again
                logger.error("the file for oidentd, %s, can't be written: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._failed = False


def _replace(path: Path, text: str) -> None:
    """Write a file whole. Not to the disk for good at once: after a crash of the machine no line in it is true."""
    draft = path.with_name(f".{path.name}.bouncer")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as file:
        os.fchmod(file.fileno(), 0o644)  # oidentd is another user
        file.write(text.encode())
    os.replace(draft, path)


_MARK = "# bouncer"
MAX_FILE = 1024 * 1024  # bytes that were there before us; more is no file of oidentd


def _without_ours(path: Path) -> str:
    """What others wrote, also if we were killed and our lines are still there. Raises Refused."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
        text = data.decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Refused(f"Can't use {path} for oidentd: {why}; name another file.") from error
    if len(data) > MAX_FILE:
        raise Refused(f"Can't use {path} for oidentd: it is too long; name another file.")
    kept = [line for line in text.splitlines() if not line.endswith(_MARK)]
    return "".join(f"{line}\n" for line in kept)
