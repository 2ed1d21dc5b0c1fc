"""The sockets that clients come in by: opened as the settings say, accepting whatever happens, closed again.

Owns listening sockets, TLS handshakes and the set of connections. Must not know what is said over them.

Connections are accepted here and not by the loop's own server, for three reasons: a connection counts from its
first byte on, not from the end of its handshake; a handshake uses the certificate of its moment; and being out of
descriptors pauses accepting, where uvloop's server ends and asyncio's complains once per waiting connection.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers

from bouncer.model.errors import Refused
from bouncer.net.address import LONGEST_UNIX_PATH, ListenAddress, parse_listen
from bouncer.net.layer import Layer
from bouncer.net.limits import Full, Limits, Lobby, Place, crowd_of
from bouncer.net.peer import Conversation, Peer
from bouncer.net.proxies import Proxies, address_of
from bouncer.net.secure import Secured
from bouncer.net.tls import ServerTls, fingerprint_of
from bouncer.net.websocket import WebSocket, origin_fits

logger = logging.getLogger(__name__)

BACKLOG = 512  # connections the kernel holds for us: as many as may be unregistered, all of whom may come at once
ACCEPT_PASS = 64  # connections accepted before others have their turn
ACCEPT_PAUSE = 0.25  # seconds without accepting when the system has no room: short for a client, long for a CPU
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
REFUSALS_TOLD = 60.0  # seconds between two lines in the log about connections that were refused: a flood is one event
KNOWN_ADDRESSES = 256  # remembered with their crowds
_WRONG_PAGE = "The page at that origin may not connect here; the admin can add it to origins in bouncer.toml.\n"


class Door:
    """One listening socket."""

    def __init__(
        self, listening: socket.socket, at: ListenAddress, come: Callable[[Door, socket.socket, str], None]
    ) -> None:
        self.at = at
        self._socket = listening
        self._come = come
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._inode = _inode(at.path) if at.path else None
        self._open()

    def _open(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPT_PASS):
            try:
                accepted, name = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # mostly EMFILE: the waiting connection would wake us at once again, so nobody is asked for a while
                logger.warning("accepting on %s pauses for %s s: %s", self.at, ACCEPT_PAUSE, error.strerror)
                self._loop.remove_reader(self._socket.fileno())
                self._retry = self._loop.call_later(ACCEPT_PAUSE, self._open)
                return
            self._come(self, accepted, name[0] if isinstance(name, tuple) else "")

    def close(self) -> None:
        """Accept no more; a unix socket's file goes, unless another one has taken its place."""
        if self._retry is not None:
            self._retry.cancel()
        else:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        if self._inode is not None and _inode(self.at.path) == self._inode:
            Path(self.at.path).unlink(missing_ok=True)


class Listeners:
    """All doors, and all who came in by them.

    ``converse`` makes the conversation for a new connection. ``tls`` may be None if no address asks for TLS.
    ``proxies`` are believed what they say of a WebSocket's client; ``origins`` are the pages that may open one, and
    with none only pages of the host itself. Both may be set at any time and hold for who comes then.
    """

    def __init__(
        self,
        converse: Callable[[Peer], Conversation],
        tls: ServerTls | None = None,
        limits: Limits | None = None,
        *,
        proxies: Proxies | None = None,
        origins: tuple[str, ...] = (),
    ) -> None:
        self._converse = converse
        self._tls = tls
        self._limits = limits or Limits()
        self._lobby = Lobby(self._limits)
        self._refusals = Refusals()
        self.proxies = proxies or Proxies()
        self.origins = origins
        self._doors: dict[ListenAddress, list[Door]] = {}
        self._peers: set[Peer] = set()
        self._entering: dict[asyncio.Task[None], Peer] = {}
        self._layers: dict[Peer, Layer] = {}  # what stands between a peer and its socket
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def proxies(self) -> Proxies:
        """Whom we believe where a client comes from."""
        return self._proxies

    @proxies.setter
    def proxies(self, proxies: Proxies) -> None:
        self._proxies = proxies
        # who comes often is asked for often, and reading an address is the dearest part of turning somebody away
        self._known = lru_cache(KNOWN_ADDRESSES)(partial(_describe, proxies))

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where we listen in truth: with the port that was found for port 0, with IPv4 where IPv6 was missing."""
        return tuple(str(door.at) for doors in self._doors.values() for door in doors)

    @property
    def unregistered(self) -> int:
        """How many are connected, or in their TLS handshake, and have not registered."""
        return len(self._lobby)

    async def open(self, wanted: Iterable[str]) -> None:
        """Listen on these addresses, and on no others from now on; who is connected stays.

        Raises Refused, and nothing has changed, if one can't be had. The sentence names it, the problem and the fix.
        """
        addresses = dict.fromkeys(parse_listen(text) for text in wanted)
        fresh: dict[ListenAddress, list[Door]] = {}
        try:
            for at in addresses:
                if at not in self._doors:
                    fresh[at] = [Door(listening, found, self._come) for listening, found in await self._bind(at)]
        except BaseException:
            _close_all(fresh.values())
            raise
        _close_all(doors for at, doors in self._doors.items() if at not in addresses)
        self._doors = {at: fresh.get(at) or self._doors[at] for at in addresses}

    def stop(self) -> None:
        """Accept nobody any more, and break off handshakes; who is connected stays."""
        _close_all(self._doors.values())
        self._doors = {}
        for task, peer in self._entering.items():
            if not peer.connected:
                task.cancel()
        for peer, layer in tuple(self._layers.items()):
            if not peer.connected:
                layer.abort()

    async def close(self, last: bytes = b"") -> None:
        """Stop, write ``last`` to everybody still there, and return when all are gone: within the close deadline."""
        self.stop()
        for peer in tuple(self._peers):
            peer.close(last)
        await asyncio.gather(*self._entering, return_exceptions=True)
        await self._empty.wait()

    async def _bind(self, at: ListenAddress) -> list[tuple[socket.socket, ListenAddress]]:
        if at.secure and self._tls is None:
            raise Refused(f"Can't listen on {at}: there is no certificate; name one under [tls].")
        try:
            if at.path:
                return [(_bind_unix(at.path), at)]
            return await _bind_tcp(at)
        except OSError as error:
            raise Refused(f"Can't listen on {at}: {_why(error, at)}.") from error

    def _come(self, door: Door, accepted: socket.socket, name: str) -> None:
        """Somebody is at a door."""
        now = asyncio.get_running_loop().time()
        address, local, crowd = self._known(name)
        place = self._lobby.enter(crowd, now)
        if isinstance(place, Full):
            self._refusals.count(address, place, now)
            _turn_away(accepted, b"" if door.at.secure or door.at.websocket else f"ERROR :{place.value}\r\n".encode())
            return
        accepted.setblocking(False)
        peer = Peer(
            self._converse,
            address=address,
            local=local,
            crowd=crowd,
            secure=door.at.secure,
            place=place,
            limits=self._limits,
            on_lost=self._forget,
        )
        self._peers.add(peer)
        self._empty.clear()
        enter = self._enter(peer, accepted, place, door.at)
        task = asyncio.get_running_loop().create_task(enter, name=f"entering: {address}")
        self._entering[task] = peer
        # not a "finally" inside of it: a task that is cancelled before its first step never gets there
        task.add_done_callback(partial(self._entered, peer, accepted, place))

    async def _enter(self, peer: Peer, accepted: socket.socket, place: Place, at: ListenAddress) -> None:
        """Give the socket to the loop, and wait for the TLS handshake if that is the loop's."""
        loop = asyncio.get_running_loop()
        protocol: asyncio.Protocol = peer
        if at.websocket:
            admit = partial(self._admit, peer, place)
            protocol = self._layers[peer] = WebSocket(peer, self._limits.handshake, admit)
        if not peer.secure or self._tls is None:
            await loop.connect_accepted_socket(lambda: protocol, accepted)
        elif self._tls.asking is not None and not at.websocket:  # a browser would ask its user which one to show
            protocol = self._layers[peer] = Secured(
                peer, self._limits.handshake, self._tls.asking, partial(_show, peer)
            )
            await loop.connect_accepted_socket(lambda: protocol, accepted)
        else:
            await loop.connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._tls.context,
                ssl_handshake_timeout=self._limits.handshake,
                ssl_shutdown_timeout=self._limits.close,
            )

    def _entered(self, peer: Peer, accepted: socket.socket, place: Place, task: asyncio.Task[None]) -> None:
        del self._entering[task]
        if not task.cancelled() and task.exception() is None:  # from now on the transport tells it all
            return
        error = None if task.cancelled() else task.exception()
        layer = self._layers.get(peer)
        if peer.connected:
            return
        if layer is not None:
            layer.abort()  # cancelled between the transport's beginning and the task's end
            if layer.made:
                return
        accepted.close()  # the loop's own, if it had taken it: closing twice does no harm
        place.leave()
        self._layers.pop(peer, None)
        self._drop(peer)
        if isinstance(error, OSError):  # ssl.SSLError and the time-out are among them
            self._no_handshake(peer, getattr(error, "reason", None) or str(error) or "it hung up")
        elif error is not None:
            logger.error("a connection from %s could not be taken", peer.address, exc_info=error)

    def _admit(self, peer: Peer, place: Place, headers: Headers) -> tuple[HTTPStatus, str] | None:
        """Whether a WebSocket may be opened: None, or why not. Learns where it comes from, if a proxy says so."""
        if not origin_fits(headers, self.origins):
            return HTTPStatus.FORBIDDEN, _WRONG_PAGE
        nearest = address_of(peer.address)
        if nearest is None or nearest not in self._proxies:
            return None
        found = self._proxies.client(headers.get_all("X-Forwarded-For"), headers.get_all("Forwarded"))
        if found is None:
            return None
        address, local, crowd = self._known(str(found))
        now = asyncio.get_running_loop().time()
        full = place.move(crowd, now)
        if full is not None:
            self._refusals.count(address, full, now)
            return HTTPStatus.TOO_MANY_REQUESTS, f"{full.value}.\n"
        peer.address, peer.local, peer.crowd = address, local, crowd
        return None

    def _forget(self, peer: Peer, reason: str) -> None:
        self._layers.pop(peer, None)
        if not peer.connected and peer in self._peers:
            self._no_handshake(peer, reason)
        self._drop(peer)

    def _no_handshake(self, peer: Peer, reason: str) -> None:
        logger.info("no %s with %s: %s", "TLS" if peer.secure else "WebSocket", peer.address, reason)

    def _drop(self, peer: Peer) -> None:
        self._peers.discard(peer)
        if not self._peers:
            self._empty.set()


class Refusals:
    """Connections that were refused, told to the log once in a while."""

    def __init__(self) -> None:
        self._since = 0
        self._quiet_until = 0.0

    def count(self, address: str, why: Full, now: float) -> None:
        """One was refused."""
        self._since += 1
        if now >= self._quiet_until:
            self._quiet_until = now + REFUSALS_TOLD
            logger.warning("%d refused since the last such line, now %s: %s", self._since, address, why.value)
            self._since = 0


def _show(peer: Peer, certificate: bytes) -> None:
    peer.fingerprint = fingerprint_of(certificate)


def _close_all(doors: Iterable[Sequence[Door]]) -> None:
    for several in doors:
        for door in several:
            door.close()


def _turn_away(accepted: socket.socket, last: bytes) -> None:
    accepted.setblocking(False)
    try:
        if last:
            accepted.send(last)
        accepted.recv(4096)  # what is left unread makes the end a reset, and a reset may overtake our last words
    except OSError:
        pass  # a courtesy: who does not wait for it does not get it
    accepted.close()


def _describe(proxies: Proxies, name: str) -> tuple[str, bool, str]:
    """The peer's address as text, whether it is on this machine, and its crowd. ``name`` is "" on a unix socket."""
    if not name:
        return "unix", True, ""
    address = address_of(name)
    if address is None:
        return name, False, name
    # a zone belongs to the address, and is not in the parsed one
    text = name if address.version == 6 else str(address)
    free = address.is_loopback or address in proxies
    return text, address.is_loopback, "" if free else crowd_of(text)


async def _bind_tcp(at: ListenAddress) -> list[tuple[socket.socket, ListenAddress]]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[tuple[socket.socket, ListenAddress]] = []
    try:
        for family, _type, _protocol, _canonical, name in found:
            host = str(name[0])
            try:
                listening = _listen_on(family, name)
            except OSError as error:
                if family != socket.AF_INET6 or error.errno not in _NO_IPV6:
                    raise
                if host == "::":
                    logger.info("there is no IPv6 on this machine: %s listens on IPv4 only", at)
                    host = "0.0.0.0"
                    listening = _listen_on(socket.AF_INET, (host, at.port))
                elif len(found) > 1:
                    continue  # a host name, which has other addresses too
                else:
                    raise
            bound.append((listening, replace(at, host=host, port=listening.getsockname()[1])))
    except BaseException:
        for listening, _at in bound:
            listening.close()
        raise
    return bound


def _listen_on(family: int, name: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait out old connections
        if family == socket.AF_INET6:
            # [::] means both worlds, whatever the system's default is
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if name[0] == "::" else 1)
        listening.bind(name)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _bind_unix(path: str) -> socket.socket:
    """A socket file that only we may use; one that nobody answers at any more is replaced."""
    _clear_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(path)
        os.chmod(path, 0o600)  # before listen(): nobody has been able to connect yet
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _clear_stale(path: str) -> None:
    """Remove a socket left behind by a process that is gone. Raises FileExistsError or EADDRINUSE for what is alive."""
    if len(os.fsencode(path)) >= LONGEST_UNIX_PATH:
        raise OSError(errno.ENAMETOOLONG, "")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its backlog is full: alive
    raise OSError(errno.EADDRINUSE, "")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why(error: OSError, at: ListenAddress) -> str:
    """The problem and its fix."""
    if isinstance(error, socket.gaierror):
        return f"the host name {at.host} is not known; use an address of this machine, or [::] for all"
    what = f"the socket {at.path}" if at.path else f"port {at.port}"
    folder = os.path.dirname(at.path) or "."
    reasons = {
        errno.EADDRINUSE: f"{what} is taken by another program; stop that one, or listen elsewhere",
        errno.EADDRNOTAVAIL: f"{at.host} is not an address of this machine; use one that is, or [::] for all",
        errno.EEXIST: f"{at.path} is a file of another kind; move it away, or choose another path",
        errno.ENAMETOOLONG: f"a unix socket's path must be shorter than {LONGEST_UNIX_PATH} bytes; choose another path",
        errno.ENOENT: f"there is no folder {folder}; make it, or choose another path",
        errno.EACCES: f"there is no permission to use {what}; "
        + ("choose a path in a folder of your own" if at.path else "choose a port above 1023"),
    }
    return reasons.get(error.errno or 0) or f"{(error.strerror or str(error)).lower()}; listen elsewhere"
