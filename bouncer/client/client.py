"""The asynchronous IRC client: one network's connection at a time, and the events that come of it.

Owns connecting and disconnecting, and the way of lines between the connection, taps and handlers. Must not know what
a session needs (registration, answering PING, coming back): those are handlers that one installs, see
``bouncer.client.handlers``. A bare Client says nothing on its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar, overload

from bouncer.client.commands import render_command
from bouncer.client.connection import Connection, Sent
from bouncer.client.dialing import (
    Sight,
    certificate_context,
    fingerprint_of,
    normal_fingerprint,
    open_socket,
    shared_tls_context,
)
from bouncer.client.dispatch import Arguments, Dispatcher, F, Listener, Waiter, Where, describe
from bouncer.client.errors import NotConnected
from bouncer.client.events import event_arguments, event_key
from bouncer.client.pacing import RANKS, Pace, Rank
from bouncer.client.proxy import open_through, parse_proxy
from bouncer.irc.encoding import line_encoding
from bouncer.irc.framing import BODY_LIMIT, DOWNSTREAM_TAG_LIMIT
from bouncer.irc.message import Message

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0  # seconds for name, TCP and TLS together; kernels alone would try for two minutes
HANDOVER_PASSES = 5  # passes of the loop in which a transport has surely taken its socket over
LOOK_TIMEOUT = 5.0  # seconds to see which certificate it is that is not trusted
LOOK_AGAIN = 600.0  # seconds after which it may have changed: a look costs a connection
CLOSE_TIMEOUT = 5.0  # seconds that disconnect() gives to what is still unsent

SocketAddress = tuple[str, int]
OnSocket = Callable[[SocketAddress, SocketAddress], Callable[[], object] | None]
Tap = Callable[[list[Message], float], object]
T = TypeVar("T", bound=Tap)

_TEXT: Final = Rank.TEXT
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})  # OpenSSL's words for plain text


class ConnectCancelled(ConnectionAbortedError):
    """disconnect() was called before the connection was made."""


class _Attempt:
    """One try to connect, shared by all who called connect() meanwhile."""

    __slots__ = ("connection", "task", "waiters")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.task: asyncio.Task[OSError | None]
        self.waiters = 0


class Client:
    """A client for one network.

    ``ssl``: True verifies the server's certificate, an ``SSLContext`` decides for itself (see :func:`tls_context` for
    client certificates), False is plain text. ``tls_fingerprint`` is the SHA-256 of the server's certificate in hex,
    colons optional: it is then compared instead of looking at who signed it. ``certificate`` is a client certificate
    with its key, as PEM text, shown over TLS (unless ``ssl`` is a context of one's own).
    ``encoding`` is for text that is not UTF-8, and for what we send; what it lacks goes out as a question mark.
    ``local_addr`` is the address to connect from; ``sources`` are addresses to connect from if they are of the
    server's family (at most one of each), where neither that nor a proxy is given.
    ``proxy`` is the URL of one, as in ``socks5://user:password@host:port`` (or ``socks4://``, ``http://``), "" for
    none: it resolves the host's name, and ``local_addr`` is then where it is reached from.
    ``on_socket(local, remote)`` is called with both addresses (host, port) of a connected socket before anything is
    said over it; what it returns, if anything, is called when that connection has ended.
    ``pace`` is flood control, None for none. Times are seconds.

    All of these may be set as attributes; connecting takes them as they are then. ``pace`` holds at once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        ssl: bool | ssl.SSLContext = True,
        encoding: str = "utf-8",
        loop: asyncio.AbstractEventLoop | None = None,
        tls_fingerprint: str | None = None,
        certificate: str = "",
        local_addr: str | None = None,
        sources: Sequence[str] = (),
        proxy: str = "",
        on_socket: OnSocket | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        close_timeout: float = CLOSE_TIMEOUT,
        pace: Pace | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.ssl = ssl
        self.certificate = certificate
        self.local_addr = local_addr
        self.sources = sources
        self.proxy = proxy
        self.on_socket = on_socket
        self.connect_timeout = connect_timeout
        self.close_timeout = close_timeout
        self.encoding = encoding
        self.tls_fingerprint = tls_fingerprint
        self._pace = pace
        self._loop = loop
        self._dispatcher = Dispatcher()
        self._taps: tuple[Tap, ...] = ()
        self._sent_taps: tuple[Tap, ...] = ()
        self._connection: Connection | None = None
        self._attempt: _Attempt | None = None
        self._line_limit = BODY_LIMIT
        # the last server whose certificate was not trusted, that certificate, and when it was looked at
        self._seen: tuple[tuple[str, int], bytes, float] = (("", 0), b"", 0.0)

    def __repr__(self) -> str:
        return f"<Client of {self.host}:{self.port}, {'connected' if self.is_connected else 'not connected'}>"

    # --- settings -------------------------------------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that was given, else the running one, else that of the connection.

        May be set at any time and holds for what comes next: after ``client.loop = other``, a ``disconnect()`` or
        ``connect()`` on the other loop aborts a connection that was left on the old one, and does not wait for it.
        Raises RuntimeError if there is none of the three.
        """
        loop = self._known_loop()
        if loop is None:
            raise RuntimeError("no event loop is running, and none was given to the client")
        return loop

    @loop.setter
    def loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop

    def _known_loop(self) -> asyncio.AbstractEventLoop | None:
        if self._loop is not None:
            return self._loop
        try:
            return asyncio.get_running_loop()
        except RuntimeError:
            return self._connection.loop if self._connection is not None else None

    @property
    def encoding(self) -> str:
        """That of text which is not UTF-8, and of what we send. Setting one that is not usable raises ValueError."""
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: str) -> None:
        self._lines = line_encoding(encoding)
        self._encoding = encoding

    @property
    def tls_fingerprint(self) -> str | None:
        """The pinned certificate's SHA-256 in lower-case hex. Setting anything else raises ValueError."""
        return self._tls_fingerprint

    @tls_fingerprint.setter
    def tls_fingerprint(self, fingerprint: str | None) -> None:
        self._tls_fingerprint = None if fingerprint is None else normal_fingerprint(fingerprint)

    @property
    def pace(self) -> Pace | None:
        """Flood control of what is sent."""
        return self._pace

    @pace.setter
    def pace(self, pace: Pace | None) -> None:
        self._pace = pace
        if self._connection is not None:
            self._connection.pace = pace

    @property
    def line_limit(self) -> int:
        """The longest line of this connection in bytes, CRLF counted and tags not; 512 when it begins."""
        return self._line_limit

    @line_limit.setter
    def line_limit(self, limit: int) -> None:
        self._line_limit = limit
        if self._connection is not None:
            self._connection.framer.body_limit = limit

    # --- events ---------------------------------------------------------------------------------------------------

    @overload
    def on(self, event: str, function: F, *, ordered: bool = False) -> F: ...
    @overload
    def on(self, event: str, function: None = None, *, ordered: bool = False) -> Callable[[F], F]: ...
    def on(self, event: str, function: F | None = None, *, ordered: bool = False) -> F | Callable[[F], F]:
        """Call a function at every ``event``: ``@client.on("privmsg")`` or ``client.on("privmsg", function)``.

        Events are the commands and numerics of IRC (``"001"`` and ``"RPL_WELCOME"`` are one), those of the client
        (``client_connect``, ``client_disconnect``, ``client_connect_failed``), those of installed handlers
        (``registered``, ``client_stopped``) and those of :meth:`trigger`. Names are case-insensitive.

        The function gets keyword arguments, of which it may take fewer. A sync one runs at once; what an async one
        returns is run as a task, which does not hold back later events. With ``ordered=True`` an event waits until the
        function is done with the one before. An exception is logged. Returns the function unchanged.
        """
        if function is None:

            def register(function: F) -> F:
                self._dispatcher.on(event, function, ordered)
                return function

            return register
        self._dispatcher.on(event, function, ordered)
        return function

    def off(self, event: str, function: Callable[..., Any]) -> None:
        """Take a function away again; nothing happens if it is not there."""
        self._dispatcher.off(event, function)

    def tap(self, function: T) -> T:
        """Call ``function(messages, now)`` with all lines of each read, inline and before any handler.

        ``now`` is the time of the read, in seconds since 1970. A list has at most 256 lines; more make another one
        after other connections had their turn. Exceptions are logged.
        """
        self._taps = (*self._taps, function)
        return function

    def tap_sent(self, function: T) -> T:
        """Call ``function(messages, now)`` with our lines in the moment they are handed to the socket."""
        self._sent_taps = (*self._sent_taps, function)
        return function

    def untap(self, function: Tap) -> None:
        """Take away a function of :meth:`tap` or :meth:`tap_sent`."""
        self._taps = tuple(tap for tap in self._taps if tap != function)
        self._sent_taps = tuple(tap for tap in self._sent_taps if tap != function)

    def trigger(self, event: str, /, **arguments: Any) -> None:
        """Fire an event: its sync handlers run before this returns."""
        self._dispatcher.fire(event_key(event), arguments, self._known_loop())

    async def wait(self, event: str, timeout: float | None = None, where: Where | None = None) -> Arguments:
        """The keyword arguments of the next ``event``; past events satisfy nobody.

        ``where`` is called as a handler would be, and must return something true for an event that counts; what it
        raises, this raises. Raises TimeoutError after ``timeout`` seconds.
        """
        waiter = Waiter(asyncio.get_running_loop().create_future(), where)
        self._dispatcher.add_waiter(event, waiter)
        try:
            with self._dispatcher.idle():
                async with asyncio.timeout(timeout):
                    return await waiter.future
        finally:
            self._dispatcher.remove_waiter(event, waiter)

    def listen(self, *events: str) -> Listener:
        """Collect these events from now on.

        ``async with client.listen("001", "433") as replies: event, arguments = await replies.get()``
        """
        return Listener({event_key(event): event for event in events}, self._dispatcher)

    async def connected(self, timeout: float | None = None) -> None:
        """Return when there is a connection: at once if there is. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not self.is_connected:
                await self.wait("client_connect")

    # --- the connection -------------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The connection in use, also while it is closing."""
        return self._connection

    @property
    def is_connected(self) -> bool:
        """Whether something can be sent."""
        return self._connection is not None and not self._connection.closing

    async def connect(self) -> None:
        """Connect; when this returns, ``send`` works. Returns at once if connected; callers meanwhile share one try.

        Raises OSError (TimeoutError and ssl.SSLError are such) after firing ``client_connect_failed`` with ``reason``
        and ``exc``. Cancelling all callers ends the try.
        """
        loop = asyncio.get_running_loop()
        while (connection := self._connection) is not None:
            if connection.loop is not loop:
                self._forsake(connection, "the client moved to another event loop")
            elif connection.closing:
                await connection.wait_ended()
            else:
                return
        attempt = self._attempt
        if attempt is not None and attempt.connection.loop is not loop:
            self._drop_attempt(attempt)
            attempt = None
        if attempt is None:
            attempt = self._start_attempt(loop)
        attempt.waiters += 1
        try:
            await asyncio.wait([attempt.task])
        finally:
            attempt.waiters -= 1
            if not attempt.waiters and not attempt.task.done():
                self._drop_attempt(attempt)
        if attempt.task.cancelled():
            raise ConnectCancelled("the connect was given up: disconnect() was called")
        error = attempt.task.result()
        if error is not None:
            raise error
        if not self.is_connected and not attempt.connection.asked:
            raise ConnectionResetError(f"the connection was made and lost again: {attempt.connection.reason}")

    def _start_attempt(self, loop: asyncio.AbstractEventLoop) -> _Attempt:
        attempt = self._attempt = _Attempt(  # before its task, which an eager loop begins at once
            Connection(
                self,
                loop,
                host=self.host,
                port=self.port,
                pace=self._pace,
                line_limit=BODY_LIMIT,
                tls_fingerprint=self._tls_fingerprint,
                encoding=self._lines,
            )
        )
        attempt.task = loop.create_task(self._dial(attempt), name=f"connect to {self.host}:{self.port}")
        return attempt

    def _drop_attempt(self, attempt: _Attempt) -> None:
        """Give a try up, on whatever loop it is; once its connection is in use, there is nothing left to give up."""
        if self._attempt is attempt:
            self._attempt = None
        if attempt.connection.used:
            return
        loop = attempt.connection.loop
        if loop.is_running() and loop is not asyncio.get_running_loop():
            loop.call_soon_threadsafe(attempt.task.cancel)
        elif not loop.is_closed():
            attempt.task.cancel()

    async def _dial(self, attempt: _Attempt) -> OSError | None:
        """Try to connect; the failure, if it was one, is returned, since nobody may be left to take it."""
        connection = attempt.connection
        error: OSError | None = None
        try:
            async with asyncio.timeout(self.connect_timeout) as limit:
                await self._open(connection)
        except TimeoutError as timeout:
            error = timeout
            if limit.expired():
                error = TimeoutError(f"no connection within {self.connect_timeout:g} seconds{self._detour()}")
        except ssl.SSLCertVerificationError as failure:
            error = await self._explained(connection, failure)
        except OSError as failure:
            error = failure
        except (ValueError, OverflowError) as failure:  # a host name or port that can't be one
            error = OSError(f"{connection.host}:{connection.port} is no address: {failure}")
        finally:
            if self._attempt is attempt:
                self._attempt = None
        if connection.used:
            return None
        error = connection.refusal or error
        if error is not None:
            self._fire("CLIENT_CONNECT_FAILED", connection.loop, reason=reason_of(error), exc=error)
        return error

    async def _open(self, connection: Connection) -> None:
        context: ssl.SSLContext | None = None
        if isinstance(self.ssl, ssl.SSLContext):
            context = self.ssl
        elif self.ssl:
            verify = self._tls_fingerprint is None
            context = certificate_context(self.certificate, verify) if self.certificate else shared_tls_context(verify)
        elif self._tls_fingerprint is not None:
            raise ssl.SSLError("a certificate is pinned by its fingerprint, but TLS is off")
        sock = await self._socket(connection.host, connection.port)
        connection.on_end = self._announce(sock)
        try:
            await self._make_transport(connection.loop, connection, sock, context, connection.host)
        finally:
            if not connection.used:
                sock.close()
                connection.let_go()

    async def _make_transport(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.Protocol,
        sock: socket.socket,
        context: ssl.SSLContext | None,
        host: str,
    ) -> None:
        """Give a connected socket to a transport, which shakes hands by TLS if there is a context."""
        handing_over = loop.create_task(
            loop.create_connection(
                lambda: protocol,
                sock=sock,
                ssl=context,
                server_hostname=host if context is not None else None,
                ssl_shutdown_timeout=self.close_timeout if context is not None else None,
            ),
            name=f"make a transport to {host}",
        )
        try:
            await asyncio.shield(handing_over)
        except asyncio.CancelledError:
            # For its first moments uvloop's transport and the socket both think that the descriptor is theirs: only
            # after those it is safe to cancel.
            for _ in range(HANDOVER_PASSES):
                await asyncio.sleep(0)
            handing_over.cancel()
            await asyncio.gather(handing_over, return_exceptions=True)
            raise

    async def _explained(self, connection: Connection, failure: ssl.SSLCertVerificationError) -> OSError:
        """The same failure, with what would make the certificate trusted all the same."""
        server = (connection.host, connection.port)
        now = connection.loop.time()
        if self._seen[0] != server or now - self._seen[2] > LOOK_AGAIN:
            sight = Sight(connection.loop)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(LOOK_TIMEOUT):
                    sock = await self._socket(*server)
                    try:
                        await self._make_transport(
                            connection.loop, sight, sock, shared_tls_context(False), connection.host
                        )
                        await sight.over
                    finally:
                        sock.close()
            self._seen = (server, sight.certificate, now)
        certificate = self._seen[1]
        if not certificate:
            return failure
        why = failure.verify_message.rstrip(".")
        return ssl.SSLCertVerificationError(
            1, f"{why}; to trust it all the same, set tls_fingerprint={fingerprint_of(certificate)}"
        )

    async def _socket(self, host: str, port: int) -> socket.socket:
        """A connected socket, by the way that is asked for."""
        if not self.proxy:
            return await open_socket(host, port, self.local_addr, self.sources)
        try:
            proxy = parse_proxy(self.proxy)
        except ValueError as error:
            raise OSError(str(error)) from None
        return await open_through(proxy, host, port, self.local_addr)

    def _detour(self) -> str:
        try:
            return f" through the proxy {parse_proxy(self.proxy)}" if self.proxy else ""
        except ValueError:
            return ""

    def _announce(self, sock: socket.socket) -> Callable[[], object] | None:
        """Tell of a socket that has been connected."""
        if self.on_socket is None:
            return None
        try:
            return self.on_socket(sock.getsockname()[:2], sock.getpeername()[:2])
        except OSError:  # the peer has gone already, as the next step will find
            return None
        except Exception:
            logger.exception("%s failed", describe(self.on_socket))
            return None

    async def disconnect(self, reason: str = "disconnected on request") -> None:
        """Send what waits, close, and return when ``client_disconnect`` has fired; nothing happens if not connected.

        A peer that does not read is given ``close_timeout`` seconds. From the first moment, ``send`` raises.
        A connect that is under way is given up. ``reason`` goes into the event; it is not sent (see QUIT).
        """
        loop = asyncio.get_running_loop()
        attempt = self._attempt
        if attempt is not None:
            self._drop_attempt(attempt)
            if attempt.connection.loop is loop and not attempt.connection.used:
                await asyncio.wait([attempt.task])
        connection = self._connection
        if connection is None:
            return
        if connection.loop is not loop:
            self._forsake(connection, reason)
            return
        connection.close(reason, self.close_timeout)
        await connection.wait_ended()

    def abort(self, reason: str) -> None:
        """End the connection without sending what waits; ``client_disconnect`` follows with this reason."""
        if self._connection is not None:
            self._connection.abort(reason)

    async def aclose(self) -> None:
        """Disconnect, and cancel the handlers that are still running (but not the one that calls this)."""
        await self.disconnect()
        tasks = self._dispatcher.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _forsake(self, connection: Connection, reason: str) -> None:
        """Leave a connection of another loop behind."""
        self._connection = None
        connection.forsake(reason)
        loop = asyncio.get_running_loop()
        self._fire("CLIENT_DISCONNECT", loop, connection=connection, reason=reason, exc=None)

    # --- what a connection tells (see connection.Owner) -----------------------------------------------------------

    def connection_made(self, connection: Connection) -> None:
        """Called by the connection."""
        if self._attempt is None or self._attempt.connection is not connection:
            connection.abort("the connect was given up")
            return
        self._connection = connection
        self._line_limit = BODY_LIMIT
        connection.pace = self._pace
        self._fire("CLIENT_CONNECT", connection.loop, connection=connection, host=connection.host, port=connection.port)

    def lines_received(self, connection: Connection, messages: list[Message], now: float) -> None:
        """Called by the connection, once per read or 256 lines."""
        if connection is not self._connection:
            return
        for tap in self._taps:
            try:
                tap(messages, now)
            except Exception:
                logger.exception("the tap %s failed", describe(tap))
        dispatcher = self._dispatcher
        for message in messages:
            if message.command in dispatcher.heard:
                if connection is not self._connection:
                    return
                arguments = event_arguments(message)
                dispatcher.fire(message.command, arguments, connection.loop, connection)

    def lines_sent(self, messages: list[Message], now: float) -> None:
        """Called by the connection when lines went to the socket."""
        for tap in self._sent_taps:
            try:
                tap(messages, now)
            except Exception:
                logger.exception("the tap %s of what is sent failed", describe(tap))

    def connection_lost(self, connection: Connection, exc: Exception | None) -> None:
        """Called by the connection, once, when all it received has been handled."""
        if connection is self._connection:
            self._connection = None
            self._fire("CLIENT_DISCONNECT", connection.loop, connection=connection, reason=connection.reason, exc=exc)

    def _fire(self, key: str, loop: asyncio.AbstractEventLoop, **arguments: Any) -> None:
        """An event of the client's own. Its handlers may outlive the connection, so they are no load of it."""
        self._dispatcher.fire(key, arguments, loop)

    # --- sending --------------------------------------------------------------------------------------------------

    def send(self, command: str, /, **arguments: Any) -> Sent:
        """Send a command by name: ``client.send("privmsg", target="#channel", message="hello")``.

        Call it, or await it to know that the line was handed to the socket. Raises at once, and sends nothing:
        ValueError for an unknown command, a missing, unknown or unfit argument, CR, LF or NUL anywhere, or a line that
        is too long; NotConnected (a ConnectionError) without a connection; SendQueueFull if too much is waiting.
        """
        return self._send(Message.parse(_bytes(render_command(command, arguments))))

    def send_raw(self, line: bytes | str | Message) -> Sent:
        """Send one line of any kind, given without a line end. As :meth:`send`, also in what it raises."""
        if not isinstance(line, Message):
            line = Message.parse(_bytes(line) if isinstance(line, str) else line)
        if not line.command:
            raise ValueError("a line needs a command")
        return self._send(line)

    def _send(self, message: Message) -> Sent:
        raw = message.raw
        if b"\n" in raw or b"\r" in raw or b"\0" in raw:
            raise ValueError("a line of IRC can't hold CR, LF or NUL")
        if len(raw) + 2 > self._line_limit:
            body = len(message.body) + 2
            if self._lines is not None:  # it counts what goes out; that may also be longer: then it is cut
                body = min(body, self._lines.length(raw) + 2)
            if body > self._line_limit or len(raw) - len(message.body) > DOWNSTREAM_TAG_LIMIT:
                raise ValueError(f"the line is too long: {len(raw)} bytes")
        if self._connection is None:
            raise NotConnected("not connected")
        return self._connection.send(message, RANKS.get(message.command, _TEXT))


def _bytes(text: str) -> bytes:
    """Bytes that were not UTF-8 when they came go out again as they were."""
    return text.encode("utf-8", "surrogateescape")


def reason_of(error: BaseException) -> str:
    """Why a connect failed, in a few words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {getattr(error, 'verify_message', '') or error}"
    if isinstance(error, socket.gaierror):
        return f"the host's name could not be resolved: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        if getattr(error, "reason", None) in _NO_TLS:
            return "the server does not speak TLS on that port; give its TLS port, or connect without TLS"
        return f"TLS failed: {getattr(error, 'reason', '') or error}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
