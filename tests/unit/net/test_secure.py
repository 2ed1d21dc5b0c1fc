"""TLS that asks for a certificate, between two ends in memory: what goes in comes out, in whatever pieces."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

import pytest

from bouncer.net.secure import PIECE, Secured, asking_context
from bouncer.net.tls import make_certificate

SIZES = (1, 100, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 200_001)


class Above(asyncio.Protocol):
    """Who is spoken to."""

    def __init__(self) -> None:
        self.got = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data


class Below(asyncio.Transport):
    """The socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


class Client:
    """The other end: Python's own TLS."""

    def __init__(self, version: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        self._comes, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._comes, self._goes)

    def shakes(self, data: bytes) -> bytes:
        self._comes.write(data)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._goes.read()

    def says(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._goes.read()

    def gets(self, data: bytes) -> bytes:
        self._comes.write(data)
        got = b""
        try:
            while part := self.tls.read(1 << 20):
                got += part
        except ssl.SSLWantReadError:
            pass
        return got


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_what_goes_in_comes_out(version: ssl.TLSVersion) -> None:
    above, below, client = Above(), Below(), Client(version)
    context = asking_context(make_certificate("bnc.example.org", datetime.now(UTC)))
    secured = Secured(above, 20.0, context, lambda certificate: None)
    secured.connection_made(below)
    hello = client.shakes(b"")
    while hello:
        secured.data_received(hello)
        hello = client.shakes(b"".join(below.written))
        below.written.clear()
    for size in SIZES:
        data = bytes(number % 251 for number in range(size))
        above.transport.write(data)
        assert len(below.written) == 1  # one write for all the records
        assert client.gets(below.written.pop()) == data
        above.transport.write(memoryview(data))
        assert client.gets(below.written.pop()) == data
        records = client.says(data)
        for start in range(0, len(records), 50_000):
            secured.data_received(records[start : start + 50_000])
        assert above.got == data
        above.got = b""
    above.transport.write(b"")
    assert not below.written
    secured.connection_lost(None)
