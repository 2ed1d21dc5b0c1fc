"""A connected socket to a server, by way of a proxy: SOCKS5, SOCKS4 or HTTP CONNECT.

Owns the proxy's address as a URL, and what is said to it until the server is behind the socket. The server's name is
resolved by the proxy. Must not know IRC, nor TLS, which goes over this socket as over a direct one.

SOCKS is spoken by python-socks. HTTP is spoken here: that library reads the proxy's answer in one piece, which loses
what a server that speaks first has said, and breaks on an answer that comes in two.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as Socks

from bouncer.client.dialing import open_socket

HTTP_HEAD_LIMIT = 8192  # bytes of a proxy's answer to CONNECT; they have a few lines
LONGEST_CREDENTIAL = 255  # RFC 1929 section 2: its length is one byte

_SOCKS = {"socks5": ProxyType.SOCKS5, "socks4": ProxyType.SOCKS4}
_STATUS = re.compile(rb"HTTP/1\.[01] +(\d{3})(?: +([^\r\n]*))?\r?\n")
_UNFIT_HOST = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens. Its string shows no credentials."""

    kind: str  # "socks5", "socks4" or "http"
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """Read ``socks5://[user:password@]host:port``, ``socks4://`` or ``http://``; parts of the credentials may be
    percent-encoded. Raises ValueError with a sentence, which does not show the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("a proxy's URL is as in socks5://127.0.0.1:1080") from None
    if parts.scheme not in (*_SOCKS, "http"):
        raise ValueError("a proxy's URL begins with socks5://, socks4:// or http://")
    if not parts.hostname or not port or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"a proxy's URL has a host and a port and nothing else, as in {parts.scheme}://127.0.0.1:1080")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii() or max(len(user), len(password)) > LONGEST_CREDENTIAL or "\0" in user + password:
        raise ValueError("a proxy's user name and password are of ASCII, and at most 255 characters each")
    return Proxy(parts.scheme, parts.hostname, port, user, password)


async def open_through(proxy: Proxy, host: str, port: int, local_addr: str | None = None) -> socket.socket:
    """A socket (non-blocking; the caller owns it) at whose other end ``host`` is. ``local_addr`` is the address from
    which the proxy is reached. Raises OSError with a sentence that names the proxy; waits as long as the proxy does."""
    try:
        sock = await open_socket(proxy.host, proxy.port, local_addr)
    except OSError as error:
        raise OSError(f"the proxy {proxy} could not be reached: {_of_the_system(error) or error}") from error
    try:
        if proxy.kind == "http":
            await _http_connect(sock, proxy, host, port)
        else:
            await _socks_connect(sock, proxy, host, port)
    except (ProxyError, OSError, ValueError, LookupError) as error:  # the last two: an answer that makes no sense
        sock.close()
        raise OSError(f"the proxy {proxy} did not connect us to {host}:{port}: {_reason(error, proxy)}") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _of_the_system(error: Exception) -> str:
    """The system's words for an error of its own: a loop's begin with how it calls what it was doing."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return (isinstance(error, OSError) and error.strerror) or ""


def _reason(error: Exception, proxy: Proxy) -> str:
    text = _of_the_system(error) or str(error) or "its answer makes no sense"
    if "authentication" in text.lower():
        if proxy.user:
            return "it refused the user name and password"
        return f"it wants a user name and a password, as in {proxy.kind}://user:password@host:port"
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class _Opened:
    """Stands where python-socks has the proxy before this one: the way there is made already."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, **_: Any) -> socket.socket:
        return self._sock


async def _socks_connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    socks = Socks(
        _SOCKS[proxy.kind],
        proxy.host,
        proxy.port,
        proxy.user or None,
        proxy.password or None,
        rdns=True,
        forward=cast(Socks, _Opened(sock)),
        loop=asyncio.get_running_loop(),
    )
    await socks.connect(host, port)


async def _http_connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    if _UNFIT_HOST.search(name):
        raise OSError("the host's name can't be said to a proxy")
    where = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.user:
        lines.append(f"Proxy-Authorization: Basic {b64encode(f'{proxy.user}:{proxy.password}'.encode()).decode()}")
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode("ascii"))
    head = bytearray()
    # byte by byte, since what comes after the head is the server's
    while not head.endswith((b"\r\n\r\n", b"\n\n")):
        byte = await loop.sock_recv(sock, 1)
        if not byte:
            raise OSError("it closed the connection")
        head += byte
        if not head.startswith(b"HTTP/"[: len(head)]) or len(head) > HTTP_HEAD_LIMIT:
            raise OSError("it does not speak HTTP")
    status = _STATUS.match(head)
    if status is None:
        raise OSError("it does not speak HTTP")
    if status[1] == b"407":
        raise OSError("authentication required")
    if status[1][:1] != b"2":
        words = (status[2] or b"").decode("utf-8", "replace").strip()
        raise OSError(f"it answers {status[1].decode()} {words}".strip())
