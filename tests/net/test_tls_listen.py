"""The listener's TLS over real sockets, on asyncio's loop and on uvloop: handshakes good and bad, a certificate that
changes under connections that stand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bouncer.irc.message import Message
from bouncer.model.errors import Refused
from bouncer.net.limits import Limits
from bouncer.net.listen import Listeners
from bouncer.net.peer import WRITE_HIGH_WATER, Peer
from bouncer.net.tls import ServerTls, fingerprint_of, make_certificate

Run = Callable[[Coroutine[Any, Any, None]], None]
SOON = 20  # seconds: no test waits this long unless it fails


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on either loop."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda test: runner.run(asyncio.wait_for(test, SOON))


@pytest.fixture(params=[False, True], ids=["loop", "asking"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> ServerTls:
    """Both ways: the loop's own TLS, and ours that asks for a certificate."""
    return ServerTls(tmp_path / "certs" / "server.pem", "bnc.example.org", ask=request.param)


async def turn() -> None:
    """Let the loop go round once: no time, but other callbacks."""
    await asyncio.sleep(0)


class Echo:
    """A conversation that says every line back, and closes at QUIT."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.said: list[bytes] = []
        self.ready = asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def receive(self, messages: list[Message]) -> None:
        for message in messages:
            self.said.append(message.raw)
            if message.command == "QUIT":
                self.peer.close(b"ERROR :Bye\r\n")
            elif message.command == "PING":
                self.peer.write(message.raw + b"\r\n")

    def refused(self, count: int) -> None:
        self.peer.write(b"417\r\n")

    def writable(self) -> None:
        self.ready.set()

    def closed(self, reason: str) -> None:
        self.ended.set_result(reason)


class Host:
    """TLS listeners on a free port, and the conversations that began."""

    def __init__(self, tls: ServerTls, limits: Limits | None = None) -> None:
        self.began: asyncio.Queue[Echo] = asyncio.Queue()
        self.listeners = Listeners(self.converse, tls, limits)

    def converse(self, peer: Peer) -> Echo:
        echo = Echo(peer)
        self.began.put_nowait(echo)
        return echo

    @property
    def port(self) -> int:
        return int(self.listeners.addresses[0].rpartition(":")[2])

    async def __aenter__(self) -> Host:
        await self.listeners.open(["ircs://127.0.0.1:0"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.listeners.close()


def trusting(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.maximum_version = context.minimum_version = version
    return context


class Client:
    """A TLS client."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, name: str | None = None) -> None:
        self._dial = (port, context or trusting(), name)
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Client:
        port, context, name = self._dial
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def ping(self, word: bytes = b"x") -> None:
        self.writer.write(b"PING " + word + b"\r\n")
        assert await self.reader.readline() == b"PING " + word + b"\r\n"

    @property
    def fingerprint(self) -> str:
        seen = self.writer.get_extra_info("ssl_object").getpeercert(True)
        return fingerprint_of(seen)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_lines_go_both_ways(run: Run, tls: ServerTls, version: ssl.TLSVersion) -> None:
    async def talk() -> None:
        async with Host(tls) as host, Client(host.port, trusting(version)) as client:
            await client.ping()
            assert client.fingerprint == tls.fingerprint
            echo = await host.began.get()
            assert (echo.peer.address, echo.peer.secure, echo.peer.local) == ("127.0.0.1", True, True)
            client.writer.write(b"QUIT\r\n")
            assert await client.reader.read() == b"ERROR :Bye\r\n"
            assert await echo.ended == "connection closed by the bouncer"

    run(talk())


def test_a_client_that_trusts_our_certificate_verifies_it_strictly(run: Run, tls: ServerTls, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "certs" / "server.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    async def talk() -> None:
        async with Host(tls) as host:
            for name in ("bnc.example.org", "localhost", "127.0.0.1", "::1"):
                async with Client(host.port, context, name) as client:
                    await client.ping()
            with pytest.raises(ssl.SSLCertVerificationError):
                async with Client(host.port, context, "other.example.org"):
                    pass

    run(talk())


def test_many_lines_and_a_close_at_once_lose_nothing(run: Run, tls: ServerTls) -> None:
    lines = [b"PRIVMSG #a :%d" % number for number in range(3000)]

    async def talk() -> None:
        async with Host(tls) as host:
            async with Client(host.port) as client:
                client.writer.write(b"\r\n".join(lines) + b"\r\n")
            echo = await host.began.get()
            assert "closed by the client" in await echo.ended
            assert echo.said == lines

    run(talk())


def test_a_peer_that_does_not_read_is_full_then_writable(run: Run, tls: ServerTls) -> None:
    async def talk() -> None:
        async with Host(tls) as host, Client(host.port) as client:
            echo = await host.began.get()
            left = 0
            while not echo.peer.full:
                echo.peer.write(b"x" * 1023 + b"\n")
                left += 1024
                if left % WRITE_HIGH_WATER == 0:
                    await asyncio.sleep(0)
                    assert left < 1 << 30
            while left:
                left -= len(await client.reader.read(min(left, 1 << 20)))
            await echo.ready.wait()
            assert not echo.peer.full

    run(talk())


def test_close_does_not_wait_for_a_peer_that_does_not_read(run: Run, tls: ServerTls) -> None:
    async def talk() -> None:
        async with Host(tls, Limits(close=0.05)) as host, Client(host.port) as client:
            echo = await host.began.get()
            while not echo.peer.full:
                echo.peer.write(b"x" * 65536)
                await asyncio.sleep(0)
            echo.peer.close(b"ERROR :Bye\r\n")
            assert await echo.ended == "connection closed by the bouncer"
            client.writer.transport.abort()

    run(talk())


@pytest.mark.parametrize(
    "junk", [b"NICK alice\r\nUSER alice 0 * :Alice\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 999, b""]
)
def test_what_is_no_handshake_ends_alone(run: Run, tls: ServerTls, junk: bytes) -> None:
    async def talk() -> None:
        async with Host(tls) as host, Client(host.port) as good:
            await host.began.get()
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(junk)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                await reader.read()  # an alert, at most
            writer.close()
            await good.ping()
            while host.listeners.unregistered > 1:
                await turn()
            assert host.began.empty()

    run(talk())


def test_a_handshake_has_a_deadline(run: Run, tls: ServerTls) -> None:
    async def talk() -> None:
        async with Host(tls, Limits(handshake=0.05)) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(b"\x16\x03\x01")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            while host.listeners.unregistered:
                await turn()
            assert host.began.empty()

    run(talk())


def test_unfinished_handshakes_take_places_and_end_with_the_listener(run: Run, tls: ServerTls) -> None:
    async def talk() -> None:
        async with Host(tls, Limits(unregistered=3)) as host:
            idle = [await asyncio.open_connection("127.0.0.1", host.port) for _ in range(3)]
            while host.listeners.unregistered < 3:
                await turn()
            with pytest.raises((ConnectionError, ssl.SSLError)):
                async with Client(host.port):
                    pass
            await host.listeners.close()
            assert host.listeners.unregistered == 0
            for reader, writer in idle:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()

    run(talk())


def test_a_new_certificate_holds_for_new_connections_and_drops_nobody(run: Run, tls: ServerTls, tmp_path: Path) -> None:
    path = tmp_path / "certs" / "server.pem"
    first = tls.fingerprint

    async def talk() -> None:
        async with Host(tls) as host, Client(host.port) as before:
            await before.ping()
            assert not tls.changed()
            path.write_bytes(make_certificate("new.example.org", datetime.now(UTC)))
            os.utime(path, ns=(1, 1))  # also on a file system with coarse times
            assert tls.changed()
            tls.reload()
            assert not tls.changed()
            assert tls.fingerprint != first
            async with Client(host.port) as after:
                await after.ping()
                assert after.fingerprint == tls.fingerprint
            await before.ping()

    run(talk())


def test_a_bad_certificate_is_refused_and_the_old_one_stays(run: Run, tls: ServerTls, tmp_path: Path) -> None:
    path = tmp_path / "certs" / "server.pem"
    good = path.read_bytes()
    key_at = good.index(b"-----BEGIN PRIVATE KEY-----")
    other = make_certificate("other", datetime.now(UTC))
    other_key = other[other.index(b"-----BEGIN PRIVATE KEY-----") :]
    first = tls.fingerprint

    async def talk() -> None:
        async with Host(tls) as host:
            for number, (bad, words) in enumerate(
                [
                    (b"", "no certificate can be read in it"),
                    (b"\0\xff" * 500, "no certificate can be read in it"),
                    (good[:200], "no certificate can be read in it"),
                    (b"x" * 2_000_000, "no certificate can be read in it"),
                    (good[key_at:], "no certificate can be read in it"),
                    (good[:key_at], "its key is missing or encrypted"),
                    (good[: key_at + 60], "its key is missing or encrypted"),
                    (good[:key_at] + other_key, "its key belongs to another certificate"),
                ]
            ):
                path.write_bytes(bad)
                os.utime(path, ns=(number, number))
                assert tls.changed()
                with pytest.raises(Refused, match=words) as refused:
                    tls.reload()
                assert str(refused.value).startswith(f"Can't use the certificate {path}: ")
                assert not tls.changed()  # the same bad file is not reported again and again
                async with Client(host.port) as client:
                    await client.ping()
                    assert client.fingerprint == tls.fingerprint == first
            path.unlink()
            assert not tls.changed()
            with pytest.raises(Refused, match="no such file"):
                tls.reload()

    run(talk())


def test_an_old_tls_version_is_refused(run: Run, tls: ServerTls, caplog: pytest.LogCaptureFixture) -> None:
    # a ClientHello of TLS 1.1 with two suites that every old client has
    hello = b"\x03\x02" + b"\0" * 32 + b"\0" + b"\0\x04\x00\x2f\x00\x35" + b"\x01\0"
    record = b"\x01" + len(hello).to_bytes(3, "big") + hello

    async def talk() -> None:
        async with Host(tls) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(b"\x16\x03\x01" + len(record).to_bytes(2, "big") + record)
            # at most an alert: fatal (2), protocol_version (70)
            assert await reader.read() in (b"", b"\x15\x03\x02\x00\x02\x02\x46")
            writer.close()
            while host.listeners.unregistered:
                await turn()
            assert host.began.empty()

    with caplog.at_level(logging.INFO):
        run(talk())
    assert "no TLS with 127.0.0.1: UNSUPPORTED_PROTOCOL" in caplog.messages


def test_the_development_certificate_is_made_by_its_script(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "certs" / "make.py"
    path = tmp_path / "dev.pem"
    made = subprocess.run([sys.executable, script, path, "dev.example.org"], capture_output=True, text=True, check=True)
    assert ServerTls(path, "").fingerprint in made.stdout
    again = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("made_for", ["", "alice"])
def test_a_client_may_show_any_certificate(run: Run, tmp_path: Path, version: ssl.TLSVersion, made_for: str) -> None:
    tls = ServerTls(tmp_path / "server.pem", "bnc.example.org", ask=True)
    context = trusting(version)
    expected = ""
    if made_for:
        pem = make_certificate(made_for, datetime(2001, 1, 1, tzinfo=UTC))  # self-signed, and expired: a key is a key
        (tmp_path / "client.pem").write_bytes(pem)
        context.load_cert_chain(tmp_path / "client.pem")
        expected = fingerprint_of(ssl.PEM_cert_to_DER_cert(pem.decode().partition("-----BEGIN PRIVATE")[0]))

    async def talk() -> None:
        async with Host(tls) as host:
            for _ in range(2):  # the second one has the session of the first
                reader, writer = await asyncio.open_connection("127.0.0.1", host.port, ssl=context)
                writer.write(b"PING x\r\n")
                assert await reader.readline() == b"PING x\r\n"
                assert (await host.began.get()).peer.fingerprint == expected
                writer.close()
                await writer.wait_closed()

    run(talk())


def test_a_certificate_that_is_strange_inside_is_its_bytes(run: Run, tmp_path: Path) -> None:
    """OpenSSL takes more than a strict parser does, such as a version that nobody has defined."""
    tls = ServerTls(tmp_path / "server.pem", "bnc.example.org", ask=True)
    pem = make_certificate("alice", datetime.now(UTC)).decode()
    certificate, mark, key = pem.partition("-----BEGIN PRIVATE")
    der = ssl.PEM_cert_to_DER_cert(certificate)
    strange = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    assert strange != der
    (tmp_path / "client.pem").write_text(ssl.DER_cert_to_PEM_cert(strange) + mark + key)
    context = trusting()
    context.load_cert_chain(tmp_path / "client.pem")

    async def talk() -> None:
        async with Host(tls) as host, Client(host.port, context) as client:
            await client.ping()
            assert (await host.began.get()).peer.fingerprint == fingerprint_of(strange)

    run(talk())
