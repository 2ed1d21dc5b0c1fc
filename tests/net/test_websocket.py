"""IRC over WebSocket over real sockets, on asyncio's loop and on uvloop: the kinds of messages, who may come, how bad
input ends, and whom a proxy brings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from bouncer.irc.message import Message
from bouncer.net.limits import Limits
from bouncer.net.listen import Listeners
from bouncer.net.peer import PASS_LINES, Peer
from bouncer.net.proxies import Proxies
from bouncer.net.tls import ServerTls
from bouncer.net.websocket import MESSAGE_LIMIT
from tests.net.conftest import Run
from tests.net.test_tls_listen import trusting

TEXT, BINARY = Subprotocol("text.ircv3.net"), Subprotocol("binary.ircv3.net")
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: bnc.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def turn() -> None:
    """Let the loop go round once: no time, but other callbacks."""
    await asyncio.sleep(0)


class Echo:
    """A conversation that says every PING back, and closes at QUIT."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.said: list[bytes] = []
        self.longest = 0
        self.refused_lines = 0
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def receive(self, messages: list[Message]) -> None:
        self.longest = max(self.longest, len(messages))
        for message in messages:
            self.said.append(message.raw)
            if message.command == "PING":
                self.peer.write(message.raw + b"\r\n")
            elif message.command == "QUIT":
                self.peer.close(b"ERROR :Bye\r\n")

    def refused(self, count: int) -> None:
        self.refused_lines += count
        self.peer.write(b"417\r\n")

    def writable(self) -> None: ...

    def closed(self, reason: str) -> None:
        self.ended.set_result(reason)


class Host:
    """WebSocket listeners on a free port, and the conversations that began."""

    def __init__(self, tls: ServerTls | None, limits: Limits | None, origins: tuple[str, ...], trusted: str) -> None:
        self.began: asyncio.Queue[Echo] = asyncio.Queue()
        proxies = Proxies((ip_network(trusted),))
        self.listeners = Listeners(self.converse, tls, limits, origins=origins, proxies=proxies)
        self._tls = tls

    def converse(self, peer: Peer) -> Echo:
        echo = Echo(peer)
        self.began.put_nowait(echo)
        return echo

    @property
    def port(self) -> int:
        return int(self.listeners.addresses[0].rpartition(":")[2])

    def client(
        self, *kinds: Subprotocol, origin: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> connect:
        scheme, context = ("wss", trusting()) if self._tls else ("ws", None)
        return connect(
            f"{scheme}://127.0.0.1:{self.port}/",
            subprotocols=kinds or None,
            origin=origin,  # type: ignore[arg-type]  # a NewType of str
            additional_headers=headers,
            ssl=context,
            proxy=None,
            max_size=None,
        )

    async def raw(self, data: bytes) -> tuple[bytes, asyncio.StreamWriter]:
        """What comes back to these bytes until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
        return answer, writer


@contextlib.asynccontextmanager
async def listening(
    tls: ServerTls | None = None,
    limits: Limits | None = None,
    origins: tuple[str, ...] = (),
    trusted: str = "127.0.0.0/8",
) -> AsyncIterator[Host]:
    host = Host(tls, limits, origins, trusted)
    await host.listeners.open(["wss://127.0.0.1:0" if tls else "ws+insecure://127.0.0.1:0"])
    try:
        yield host
    finally:
        await host.listeners.close()


async def end_of(client: ClientConnection) -> tuple[int, str]:
    """How a client sees the end."""
    with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # until it ends
        while True:
            await client.recv()
    frame = closed.value.rcvd
    return (frame.code, frame.reason) if frame else (1006, "")


@pytest.mark.parametrize("ask", [None, False, True], ids=["plain", "tls", "tls-asking"])
def test_lines_go_both_ways_as_messages(play: Run, tmp_path: Path, ask: bool | None) -> None:
    tls = None if ask is None else ServerTls(tmp_path / "server.pem", "bnc.example.org", ask=ask)

    async def talk() -> None:
        async with listening(tls) as host, host.client(TEXT) as client:
            await client.send("PING a")
            assert await client.recv() == "PING a"
            await client.send("PING b\r\n")  # not as it should be, and clear enough
            assert await client.recv() == "PING b"
            echo = await host.began.get()
            assert (echo.peer.secure, echo.peer.fingerprint, echo.peer.crowd) == (tls is not None, "", "")
            echo.peer.write(b"A\r\n" + b"B" * 125 + b"\r\n" + b"C" * 126 + b"\r\n\r\n" + b"D" * 70000 + b"\r\n")
            got = [await client.recv() for _ in range(4)]
            assert got == ["A", "B" * 125, "C" * 126, "D" * 70000]
            await client.send("QUIT")
            assert await client.recv() == "ERROR :Bye"
            assert await end_of(client) == (1000, "")
            assert await echo.ended == "connection closed by the bouncer"

    play(talk())


@pytest.mark.parametrize(
    ("kinds", "first", "text"),
    [
        ((TEXT,), "PING x", True),
        ((BINARY,), b"PING x", False),
        ((BINARY, TEXT), b"PING x", False),
        ((TEXT, BINARY), "PING x", True),
        ((Subprotocol("irc"), BINARY), b"PING x", False),
        ((), "PING x", True),
        ((), b"PING x", False),
    ],
)
def test_the_clients_first_choice_holds(
    play: Run, kinds: tuple[Subprotocol, ...], first: str | bytes, text: bool
) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(*kinds) as client:
            assert client.subprotocol == next((kind for kind in kinds if kind in (TEXT, BINARY)), None)
            await client.send(first)
            await client.recv()
            (await host.began.get()).peer.write(b"PRIVMSG #a :gr\xfc\xdfe \xc3\xa4\r\n")
            expected: str | bytes = b"PRIVMSG #a :gr\xfc\xdfe \xc3\xa4"
            assert await client.recv() == ("PRIVMSG #a :gr\ufffd\ufffde ä" if text else expected)

    play(talk())


def test_two_kinds_of_one_write_do_not_mix(play: Run) -> None:
    async def talk() -> None:
        async with (
            listening() as host,
            host.client(TEXT) as one,
            host.client(BINARY) as two,
            host.client(TEXT) as three,
        ):
            data = b"PRIVMSG #a :\xff\r\nPING b\r\n"
            for _ in range(3):
                (await host.began.get()).peer.write(data)
            for client, first in (
                (one, "PRIVMSG #a :\ufffd"),
                (two, b"PRIVMSG #a :\xff"),
                (three, "PRIVMSG #a :\ufffd"),
            ):
                assert await client.recv() == first
                await client.recv()

    play(talk())


def test_fragments_and_pings_are_taken(play: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as client:
            await client.send(["PING ", "", "one", " two"])
            assert await client.recv() == "PING one two"
            await (await client.ping())
            await client.send(b"PING gr\xfc", text=True)  # a frame of text that is none
            assert await client.recv() == "PING gr\ufffd"
            assert (await host.began.get()).said[0] == b"PING one two"

    play(talk())


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        ("PING one\nQUIT", b"PING one QUIT"),
        ("PING one\r\nQUIT\r\n", b"PING one QUIT"),
        ("PING one\rQUIT", b"PING one QUIT"),
        ("\nPING one\n\n", b"PING one"),
    ],
)
def test_a_message_is_one_line(play: Run, sent: str, heard: bytes) -> None:
    """A page that puts in what somebody typed or pasted does not say a second command by it."""

    async def talk() -> None:
        async with listening() as host:
            for kind, data in ((TEXT, sent), (BINARY, sent.encode())):
                async with host.client(kind) as client:
                    await client.send(data)
                    await client.send("PING last" if kind is TEXT else b"PING last")
                    while str(await client.recv(decode=True)) != "PING last":
                        pass
                    assert (await host.began.get()).said == [heard, b"PING last"]

    play(talk())


def test_frames_are_the_same_however_they_are_cut(play: Run) -> None:
    frames = [
        b"\x81\x86\0\0\0\0PING a",
        b"\x01\x83\1\2\3\4" + bytes(a ^ b for a, b in zip(b"PIN", b"\1\2\3", strict=True)),
        b"\x89\x80abcd",
        b"\x80\x83\0\0\0\0G b",
        b"\x81\xfe\x00\x87\0\0\0\0PING :" + b"c" * 129,
        b"\x88\x82\0\0\0\0\x03\xe8",
    ]
    stream = UPGRADE + b"".join(frames)

    async def talk() -> None:
        async with listening() as host:
            for size in (1, 2, 3, 5, 7, 64):
                reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
                writer.write(UPGRADE)
                await reader.readuntil(b"\r\n\r\n")
                rest = stream[len(UPGRADE) :]
                for start in range(0, len(rest), size):
                    writer.write(rest[start : start + size])
                    await turn()
                echo = await host.began.get()
                writer.write_eof()
                assert await echo.ended == "connection closed by the client"
                assert echo.said == [b"PING a", b"PING b", b"PING :" + b"c" * 129]
                writer.close()
                await writer.wait_closed()

    play(talk())


def test_a_line_too_long_is_answered_and_a_message_much_too_long_ends_it(play: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as client:
            await client.send("PING " + "x" * 6000)
            assert await client.recv() == "417"
            await client.send("x" * (MESSAGE_LIMIT + 1))
            assert (await end_of(client))[0] == 1009
            echo = await host.began.get()
            assert "exceeds limit" in await echo.ended

    play(talk())


def test_the_client_closes(play: Run) -> None:
    async def talk() -> None:
        async with listening() as host:
            async with host.client(TEXT) as client:
                await client.send("PING x")
            assert client.close_code == 1000
            echo = await host.began.get()
            assert await echo.ended == "connection closed by the client"
            assert echo.said == [b"PING x"]
            async with host.client(TEXT) as client:
                client.transport.abort()
            assert (await (await host.began.get()).ended).startswith("connection ")

    play(talk())


@pytest.mark.parametrize(
    ("junk", "answer"),
    [
        (b"NICK alice\r\nUSER alice 0 * :Alice\r\n\r\n", b""),
        (b"\x16\x03\x01\xff\xff" + b"\0" * 999 + b"\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 "),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /" + b"a" * 100_000, b"HTTP/1.1 414 "),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000, b"HTTP/1.1 431 "),
        (UPGRADE.replace(b": 13", b": 12"), b"HTTP/1.1 4"),
        (UPGRADE.replace(b"Host: bnc", b"Origin: https://[\r\nHost: bnc"), b"HTTP/1.1 403 "),
        (UPGRADE + b"\xff" * 500, b""),
        (UPGRADE + b"\x88\x80abcd", b""),
        (UPGRADE + b"\x89\x80abcd", b""),
    ],
)
def test_garbage_ends_that_connection_alone(play: Run, junk: bytes, answer: bytes) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as good:
            got, writer = await host.raw(junk)
            assert got.startswith(answer)
            writer.close()
            await good.send("PING x")
            assert await good.recv() == "PING x"
            while host.listeners.unregistered > 1:
                await turn()

    play(talk())


@pytest.mark.parametrize(
    "junk",
    [
        b"\xff" * 500,
        b"\x81\x01a",  # not masked, as a client's frames must be
        b"\x80\x80abcd",  # the rest of nothing
        b"\x01\x80abcd\x81\x80abcd",  # a message within a message
        b"\x88\xfe\xff\xff",  # a close frame too long
        b"\x88\x81abcd\0",  # one too short
        b"\xc1\x80abcd",  # compressed, which nobody agreed on
    ],
)
def test_wrong_frames_end_that_connection_alone(play: Run, junk: bytes) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as good:
            await host.began.get()
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(UPGRADE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            writer.write(junk)
            assert (await reader.read())[2:4] in (b"\x03\xea", b"\x03\xf1")  # 1002, protocol error; 1009, too big
            writer.close()
            assert (await (await host.began.get()).ended).startswith("connection ")
            await good.send("PING x")
            assert await good.recv() == "PING x"

    play(talk())


def test_who_says_nothing_is_not_waited_for(play: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(handshake=0.05)) as host:
            _, writer = await host.raw(b"GET / HTTP/1.1\r\n")
            writer.close()
            assert host.began.empty()
            while host.listeners.unregistered:
                await turn()

    with caplog.at_level(logging.INFO):
        play(talk())
    assert "no WebSocket with 127.0.0.1: no handshake within 0.05 seconds" in caplog.messages


def test_a_refused_request_does_not_hold_its_place(play: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(handshake=0.05)) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 4")
            while host.listeners.unregistered:  # it has not closed its end
                await turn()
            writer.close()

    play(talk())


def test_many_small_frames_leave_turns_to_others(play: Run) -> None:
    frame = b"\x81\x83abcd" + bytes(x ^ y for x, y in zip(b"X y", b"abcd", strict=False))

    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as good:
            await host.began.get()
            _, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(UPGRADE)
            echo = await host.began.get()
            writer.write(frame * 20_000)
            await good.send("PING x")
            assert await good.recv() == "PING x"
            assert len(echo.said) < 20_000
            writer.write_eof()
            await echo.ended
            assert echo.said == [b"X y"] * 20_000
            assert echo.longest <= PASS_LINES
            writer.close()

    play(talk())


def test_a_held_client_says_nothing_until_it_may(play: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as client:
            echo = await host.began.get()
            echo.peer.hold(True)
            for number in range(2000):
                await client.send(f"A {number}")
            assert echo.said == []
            echo.peer.hold(False)
            await client.send("PING x")
            assert await client.recv() == "PING x"
            assert len(echo.said) == 2001

    play(talk())


def test_a_client_that_pings_and_does_not_read_costs_no_more_than_others(play: Run) -> None:
    ping = b"\x89\xfd\0\0\0\0" + b"p" * 125

    async def talk() -> None:
        async with listening(limits=Limits(close=0.05)) as host:
            _, writer = await asyncio.open_connection("127.0.0.1", host.port)
            writer.write(UPGRADE)
            echo = await host.began.get()
            while not echo.peer.full:
                writer.write(ping * 500)
                await turn()
            layer = host.listeners._layers[echo.peer]
            for _ in range(200):
                writer.write(ping * 500)
                await turn()
            assert layer._below.get_write_buffer_size() < 1 << 20
            echo.peer.close()
            assert await echo.ended == "connection closed by the bouncer"
            writer.transport.abort()

    play(talk())


@pytest.mark.parametrize(
    ("origin", "origins", "fits"),
    [
        (None, (), True),
        ("http://127.0.0.1:8080", (), True),
        ("https://evil.example.org", (), False),
        ("null", (), False),
        ("https://chat.example.org", ("https://chat.example.org",), True),
        ("https://Chat.example.org", ("https://chat.example.org",), True),
        ("https://chat.example.org:8443", ("https://chat.example.org",), False),
        ("http://127.0.0.1", ("https://chat.example.org",), False),
        (None, ("https://chat.example.org",), True),
    ],
)
def test_only_pages_that_may_connect(play: Run, origin: str | None, origins: tuple[str, ...], fits: bool) -> None:
    async def talk() -> None:
        async with listening(origins=origins) as host:
            if fits:
                async with host.client(TEXT, origin=origin):
                    await host.began.get()
            else:
                with pytest.raises(InvalidStatus) as refused:
                    async with host.client(TEXT, origin=origin):
                        pass
                assert refused.value.response.status_code == 403
                assert b"origins in bouncer.toml" in refused.value.response.body
                assert host.began.empty()

    play(talk())


@pytest.mark.parametrize(
    ("headers", "trusted", "address", "crowd"),
    [
        ([], "127.0.0.0/8", "127.0.0.1", ""),
        ([("X-Forwarded-For", "192.0.2.7")], "127.0.0.0/8", "192.0.2.7", "192.0.2.7"),
        ([("X-Forwarded-For", "9.9.9.9, 192.0.2.7, 127.0.0.2")], "127.0.0.0/8", "192.0.2.7", "192.0.2.7"),
        (
            [("Forwarded", 'for=9.9.9.9, for="[2001:db8::7]:4711";proto=https')],
            "127.0.0.0/8",
            "2001:db8::7",
            "2001:db8::/64",
        ),
        ([("X-Forwarded-For", "unknown")], "127.0.0.0/8", "127.0.0.1", ""),
        ([("X-Forwarded-For", "192.0.2.7")], "10.0.0.0/8", "127.0.0.1", ""),
    ],
)
def test_a_trusted_proxy_says_where_its_client_comes_from(
    play: Run, headers: list[tuple[str, str]], trusted: str, address: str, crowd: str
) -> None:
    async def talk() -> None:
        async with listening(trusted=trusted) as host, host.client(TEXT, headers=headers):
            peer = (await host.began.get()).peer
            assert (peer.address, peer.crowd, peer.local) == (address, crowd, address == "127.0.0.1")

    play(talk())


def test_a_proxys_clients_have_the_limits_of_their_addresses(play: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(unregistered_per_address=1)) as host:
            headers = [("X-Forwarded-For", "192.0.2.7")]
            async with host.client(TEXT, headers=headers):
                with pytest.raises(InvalidStatus) as refused:
                    async with host.client(TEXT, headers=headers):
                        pass
                assert refused.value.response.status_code == 429
                async with host.client(TEXT, headers=[("X-Forwarded-For", "192.0.2.8")]):
                    pass

    play(talk())


def test_stopping_breaks_off_handshakes_and_closing_ends_all(play: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client(TEXT) as client:
            await host.began.get()
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            while host.listeners.unregistered < 2:
                await turn()
            closing = asyncio.ensure_future(host.listeners.close(b"ERROR :Restarting\r\n"))
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert await client.recv() == "ERROR :Restarting"
            assert await end_of(client) == (1000, "")
            await closing

    play(talk())
