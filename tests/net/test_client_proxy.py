"""Connecting by way of a proxy, from an address of one's own, and telling of the socket before it is used."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pytest

from bouncer.client import Client
from bouncer.client.proxy import parse_proxy
from tests.net.fake_server import SOON, FakeServer

Play = Callable[[Coroutine[Any, Any, Any]], Any]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HELLO = b":irc.test NOTICE * :Looking up your hostname\r\n"


class Certificate(Protocol):
    path: str

    def server_context(self) -> ssl.SSLContext: ...

    def client_context(self) -> ssl.SSLContext: ...


class FakeProxy:
    """``async with FakeProxy(talk) as port``: what it does with each visitor is the test's."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._visited, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client gave up
        finally:
            writer.transport.abort()

    async def __aexit__(self, *ends: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks)
        for _ in range(3):
            await asyncio.sleep(0)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, answer: bytes) -> None:
    """Be the wire between a client and the server on ``port``; what the server says first rides with the answer."""
    there, back = await asyncio.open_connection("127.0.0.1", port)
    writer.write(answer + await there.readexactly(len(HELLO)) if answer[:4] == b"HTTP" else answer)
    ways = [asyncio.ensure_future(pump(reader, back)), asyncio.ensure_future(pump(there, writer))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for end in (back, writer):
        end.transport.abort()
    await asyncio.gather(*ways, return_exceptions=True)


def socks5(port: int, seen: list[bytes], login: bytes = b"") -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(2)
        methods = await reader.readexactly(head[1])
        assert head[0] == 5
        if login:
            assert 2 in methods
            writer.write(b"\x05\x02")
            length = (await reader.readexactly(2))[1]
            user = await reader.readexactly(length)
            given = user + b":" + await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\x01\x00" if given == login else b"\x01\x01")
        else:
            writer.write(b"\x05\x00")
        head = await reader.readexactly(5)
        seen.append(await reader.readexactly(head[4]))
        await reader.readexactly(2)
        await splice(reader, writer, port, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")

    return talk


def socks4(port: int, seen: list[bytes]) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        await reader.readuntil(b"\0")
        seen.append((await reader.readuntil(b"\0"))[:-1])
        await splice(reader, writer, port, b"\x00\x5a\x00\x50\x7f\x00\x00\x01")

    return talk


def http(port: int, seen: list[bytes], answer: bytes = b"HTTP/1.1 200 Fine\r\nVia: me\r\n\r\n") -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        await splice(reader, writer, port, answer)

    return talk


def says(answer: bytes, *, hang: bool = False) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        if hang:
            await reader.read(-1)

    return talk


@pytest.mark.parametrize(
    ("kind", "make", "told"),
    [
        ("socks5", socks5, b"irc.example"),
        ("socks4", socks4, b"irc.example"),
        ("http", http, b"CONNECT irc.example:6667 HTTP/1.1\r\nHost: irc.example:6667\r\n\r\n"),
    ],
)
def test_a_proxy_resolves_the_name_and_loses_no_byte(
    play: Play, kind: str, make: Callable[[int, list[bytes]], Talk], told: bytes
) -> None:
    async def test() -> None:
        seen: list[bytes] = []
        async with FakeServer(greeting=HELLO) as server, FakeProxy(make(server.port, seen)) as port:
            client = Client("irc.example", 6667, ssl=False, proxy=f"{kind}://127.0.0.1:{port}")
            heard = asyncio.create_task(client.wait("notice", SOON))
            await client.connect()
            visitor = await server.visitor()
            assert (await heard)["message"] == "Looking up your hostname"
            client.send("privmsg", target="#c", message="hello")
            assert await visitor.line() == "PRIVMSG #c :hello"
            assert seen == [told]
            await client.disconnect()

    play(test())


def test_credentials_are_given(play: Play) -> None:
    async def test() -> None:
        seen: list[bytes] = []
        async with (
            FakeServer(greeting=HELLO) as server,
            FakeProxy(socks5(server.port, seen, b"bob:p@ss")) as socks,
            FakeProxy(http(server.port, seen)) as web,
        ):
            for url in (f"socks5://bob:p%40ss@127.0.0.1:{socks}", f"http://bob:p%40ss@127.0.0.1:{web}"):
                client = Client("irc.example", 6667, ssl=False, proxy=url)
                await client.connect()
                await client.disconnect()
            assert b"\r\nProxy-Authorization: Basic " + b64encode(b"bob:p@ss") + b"\r\n" in seen[1]

    play(test())


def test_tls_goes_through_a_proxy_to_the_server(play: Play, certificate: Certificate) -> None:
    async def test() -> None:
        async with (
            FakeServer(certificate.server_context()) as server,
            FakeProxy(socks5(server.port, [])) as port,
        ):
            client = Client("localhost", 6697, ssl=certificate.client_context(), proxy=f"socks5://127.0.0.1:{port}")
            await client.connect()
            visitor = await server.visitor()
            client.send_raw("PING x")
            assert await visitor.line() == "PING x"
            await client.disconnect()

    play(test())


@pytest.mark.parametrize(
    ("kind", "talk", "words"),
    [
        ("socks5", says(b"\x05\xff"), "wants a user name and a password, as in socks5://user:password@host:port"),
        ("socks5", says(b"\x05\x00\x05\x05\x00\x01"), "Connection refused by destination host"),
        ("socks5", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "Unexpected SOCKS version"),
        ("socks5", says(b""), "closed"),
        ("socks5", says(b"\x05\x00\x05\x00\x00\x03\x01\xff\x00\x50"), "codec can't decode"),
        ("socks4", says(b"\x00\x5b\x00\x50\x00\x00\x00\x00"), "rejected"),
        ("http", says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "wants a user name and a password"),
        ("http", says(b"HTTP/1.0 503 Not \x1b[2Jnow\r\n\r\n"), "it answers 503 Not ?[2Jnow"),
        ("http", says(b"SSH-2.0-x\r\n", hang=True), "it does not speak HTTP"),
        ("http", says(b"HTTP/1.1 200 OK\r\n"), "it closed the connection"),
        ("http", says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000, hang=True), "it does not speak HTTP"),
        ("http", says(b"HTTP/9 x\r\n\r\n"), "it does not speak HTTP"),
    ],
)
def test_what_a_proxy_refuses_or_stammers_is_a_reason(play: Play, kind: str, talk: Talk, words: str) -> None:
    async def test() -> None:
        async with FakeProxy(talk) as port:
            client = Client("irc.example", 6667, ssl=False, proxy=f"{kind}://127.0.0.1:{port}")
            reasons: list[str] = []
            client.on("client_connect_failed", lambda reason: reasons.append(reason))
            with pytest.raises(OSError):
                await client.connect()
            (reason,) = reasons
            assert reason.startswith(f"the proxy {kind}://127.0.0.1:{port} did not connect us to irc.example:6667: ")
            assert words in reason

    play(test())


@pytest.mark.parametrize("kind", ["socks5", "socks4", "http"])
def test_a_proxy_that_hangs_is_given_up(play: Play, kind: str) -> None:
    async def test() -> None:
        async with FakeProxy(says(b"", hang=True)) as port:
            url = f"{kind}://bob:secret@127.0.0.1:{port}"
            client = Client("irc.example", 6667, ssl=False, proxy=url, connect_timeout=0.05)
            with pytest.raises(TimeoutError, match=f"within 0.05 seconds through the proxy {kind}://127.0.0.1:{port}"):
                await client.connect()

    play(test())


def test_no_proxy_there(play: Play) -> None:
    async def test() -> None:
        client = Client("irc.example", 6667, ssl=False, proxy="socks5://bob:secret@127.0.0.1:1")
        with pytest.raises(OSError, match=r"the proxy socks5://127\.0\.0\.1:1 could not be reached: Conn") as caught:
            await client.connect()
        assert "secret" not in str(caught.value)

    play(test())


@pytest.mark.parametrize("url", ["https://h:1", "socks5://h", "socks5://:1", "h:1", "http://h:99999", "http://h:1/x?y"])
def test_an_url_that_is_none_makes_connects_fail(play: Play, url: str) -> None:
    async def test() -> None:
        with pytest.raises(OSError, match="a proxy's URL"):
            await Client("irc.example", 6667, ssl=False, proxy=url).connect()

    play(test())


@pytest.mark.parametrize("login", ["b%C3%B6b:x", "bob:" + "x" * 256])
def test_credentials_that_can_not_be_said_are_refused_unseen(login: str) -> None:
    with pytest.raises(ValueError, match="at most 255") as caught:
        parse_proxy(f"socks5://{login}@127.0.0.1:1080")
    assert "xxx" not in str(caught.value)


def test_a_proxy_shows_no_password() -> None:
    proxy = parse_proxy("socks5://bob:secret@[::1]:1080")
    assert str(proxy) == "socks5://[::1]:1080"
    assert "secret" not in repr(proxy)


# --- where from


def test_a_source_is_taken_where_it_fits(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            told: list[tuple[str, str]] = []
            client = Client("127.0.0.1", server.port, ssl=False, sources=("127.7.7.7", "2001:db8::1"))
            client.on_socket = lambda local, remote: told.append((local[0], remote[0]))
            await client.connect()
            await client.disconnect()
            client.sources = ("2001:db8::1",)
            await client.connect()
            await client.disconnect()
            assert told == [("127.7.7.7", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")]

    play(test())


def test_an_address_that_is_not_ours_is_named(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            for settings in ({"local_addr": "192.0.2.9"}, {"sources": ("192.0.2.9",)}):
                client = Client("127.0.0.1", server.port, ssl=False, **settings)
                with pytest.raises(OSError, match=r"can't connect from 192\.0\.2\.9: .* must have that address"):
                    await client.connect()

    play(test())


# --- telling of the socket


def test_the_socket_is_told_before_tls_and_given_back_at_the_end(play: Play, certificate: Certificate) -> None:
    async def test() -> None:
        async with FakeServer(certificate.server_context()) as server:
            order: list[object] = []
            client = Client("localhost", server.port, ssl=certificate.client_context())

            def claim(local: tuple[str, int], remote: tuple[str, int]) -> Callable[[], object]:
                order.append(("claimed", remote[1]))
                return lambda: order.append("released")

            client.on_socket = claim
            client.on("client_connect", lambda: order.append("connected"))
            client.on("client_disconnect", lambda: order.append("disconnected"))
            await client.connect()
            visitor = await server.visitor()
            visitor.say("NOTICE x :here")
            await client.wait("notice", SOON)
            await client.disconnect()
            assert order == [("claimed", server.port), "connected", "released", "disconnected"]

    play(test())


def test_a_connect_that_fails_gives_the_socket_back(play: Play, certificate: Certificate) -> None:
    async def test() -> None:
        released: list[bool] = []
        async with FakeServer(certificate.server_context()) as server:
            for settings in ({}, {"tls_fingerprint": "00" * 32}):
                client = Client(
                    "localhost",
                    server.port,
                    on_socket=lambda local, remote: lambda: released.append(True),
                    **settings,  # type: ignore[arg-type]  # either
                )
                with pytest.raises(ssl.SSLError):
                    await client.connect()
        assert released == [True, True]

    play(test())


def test_who_fails_at_being_told_harms_nobody(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            settings: dict[object, Callable[[], None]] = {}
            client = Client("127.0.0.1", server.port, ssl=False, on_socket=lambda local, remote: settings[local])
            await client.connect()
            await client.disconnect()

    play(test())
    assert "lambda" in caplog.text
