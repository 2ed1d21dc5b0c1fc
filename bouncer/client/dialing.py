"""From a host's name to a connected socket, and the TLS contexts for it.

Owns the resolving, the race of IPv6 and IPv4 (RFC 8305, "happy eyeballs"; done here because uvloop's
``create_connection`` has no such thing) and certificate pinning. Must not know IRC.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Any, cast

STAGGER = 0.25  # seconds before the next address is tried beside the ones before (RFC 8305 section 8)
CERTIFICATES_LIMIT = 256  # contexts of client certificates that are kept: 0.5 MB each, as long as nobody uses them
ADDRESSES_LIMIT = 16  # addresses of one name that are tried: pools of servers publish dozens

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


@lru_cache(2)
def shared_tls_context(verify: bool) -> ssl.SSLContext:
    """The process's context for connects without a client certificate: loading the CAs takes long, and 0.5 MB each."""
    return tls_context(verify=verify)


def tls_context(
    *, verify: bool = True, certificate: str | None = None, key: str | None = None, password: str | None = None
) -> ssl.SSLContext:
    """A context for ``Client(ssl=...)``, with the client certificate of a PEM file if one is given.

    ``verify=False`` is for servers whose certificate is pinned by its fingerprint instead. Raises OSError for files
    that cannot be read and ssl.SSLError (an OSError) for what is in them.
    """
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, key, password)
    return context


@lru_cache(CERTIFICATES_LIMIT)
def certificate_context(pem: str, verify: bool) -> ssl.SSLContext:
    """A context with the client certificate and unencrypted key of a PEM text; made once for each text.

    Raises OSError with a sentence for a text that is none.
    """
    context = tls_context(verify=verify)
    try:
        with _readable(pem.encode("utf-8", "surrogateescape")) as path:
            context.load_cert_chain(path, password="")  # an encrypted key must not be asked about on the terminal
    except (ssl.SSLError, ValueError):
        raise OSError("the client certificate can't be used: it needs its unencrypted key beside it, in PEM") from None
    return context


@contextmanager
def _readable(secret: bytes) -> Iterator[str]:
    """A path under which a secret can be read meanwhile: the ssl module takes nothing else. Not on a disk, if the
    machine has memory files."""
    try:
        descriptor = os.memfd_create("certificate")
        path = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(path):
            os.close(descriptor)
            raise OSError("no /proc")
    except (AttributeError, OSError):
        with tempfile.NamedTemporaryFile() as file:  # readable by us alone
            file.write(secret)
            file.flush()
            yield file.name
        return
    with open(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        yield path


def normal_fingerprint(text: str) -> str:
    """A SHA-256 fingerprint as 64 lower-case hex digits, colons and spaces dropped. Raises ValueError for others."""
    digits = text.replace(":", "").replace(" ", "").lower()
    if len(digits) != 64 or not all(digit in "0123456789abcdef" for digit in digits):
        raise ValueError("a certificate's SHA-256 fingerprint has 64 hex digits")
    return digits


def fingerprint_of(certificate: bytes) -> str:
    """The SHA-256 of a certificate (DER), in lower-case hexadecimal."""
    return hashlib.sha256(certificate).hexdigest()


def fingerprint_matches(certificate: bytes, fingerprint: str) -> bool:
    """Whether the certificate (DER) is the pinned one; compared in constant time."""
    return hmac.compare_digest(fingerprint_of(certificate), fingerprint)


async def open_socket(
    host: str, port: int, local_addr: str | None = None, sources: Sequence[str] = ()
) -> socket.socket:
    """Connect to the first address of ``host`` that answers; each further one starts a quarter second later.

    ``local_addr`` is the address to connect from, which also decides between IPv6 and IPv4. ``sources`` are addresses
    to connect from where they fit, at most one of each family: they decide nothing. The caller owns the socket
    (non-blocking). Raises OSError, with the reasons of all addresses if they differ.
    """
    addresses = _interleaved(await _resolve(host, port))
    if local_addr is not None:
        sources = (local_addr,)
    origins = {_family(source): source for source in sources}
    if local_addr is not None:
        addresses = [address for address in addresses if address[0] in origins]
        if not addresses:
            raise OSError(f"{host} has no address that can be reached from {local_addr}")
    return await _race(addresses, origins)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def _resolve(host: str, port: int) -> list[AddressInfo]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found: Iterable[Any] = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    else:  # nothing to look up, so no thread is needed
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return list(found)


def _interleaved(addresses: list[AddressInfo]) -> list[AddressInfo]:
    """By turns of each family, beginning with the one that the resolver put first (RFC 8305 section 4)."""
    families: dict[int, list[AddressInfo]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in turns if address is not None][:ADDRESSES_LIMIT]


async def _race(addresses: list[AddressInfo], origins: Mapping[int, str]) -> socket.socket:
    waiting = list(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                task = asyncio.create_task(_connect(waiting.pop(0), origins), name="connect to an address")
                running.add(task)
            done, running = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner: socket.socket | None = None
            for task in done:
                try:
                    sock = task.result()
                except OSError as error:
                    errors.append(error)
                else:
                    if winner is None:
                        winner = sock
                    else:
                        sock.close()
            if winner is not None:
                return winner
    finally:
        await _give_up(running)
    reasons = list(dict.fromkeys(str(error) for error in errors))
    if len(errors) == 1 or len(reasons) == 1:
        raise errors[0]
    raise OSError("; ".join(reasons) or "the name has no address")


async def _give_up(losers: set[asyncio.Task[socket.socket]]) -> None:
    for task in losers:
        task.cancel()
        task.add_done_callback(_close_result)
    if losers:
        # cancelled connects end in the next pass of the loop; a cancel of ours meanwhile must not be lost
        await asyncio.wait(losers)


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    """A loser that connected in the very moment it was cancelled."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect(address: AddressInfo, origins: Mapping[int, str]) -> socket.socket:
    family, kind, proto, _, where = address
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        with suppress(OSError):  # a socket that can't is merely slower
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family in origins:
            _bind(sock, origins[family])
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, address: str) -> None:
    try:
        sock.bind((address, 0))
    except OSError as error:
        raise OSError(f"can't connect from {address}: {error.strerror}; this machine must have that address") from error


class Sight(asyncio.Protocol):
    """A connection for one look at the server's certificate (DER, empty if it shows none). ``over`` is done when it
    has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.certificate = b""
        self.over: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = transport.get_extra_info("ssl_object")
        self.certificate = tls.getpeercert(binary_form=True) or b""
        # not within this call: then uvloop never gives the socket back
        self._loop.call_soon(cast(asyncio.Transport, transport).abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)
