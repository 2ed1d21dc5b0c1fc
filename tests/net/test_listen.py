"""Listeners and connections over real sockets, on asyncio's loop and on uvloop: what comes in, what goes out, how it
ends, and who is turned away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bouncer.irc.message import Message
from bouncer.model.errors import Refused
from bouncer.net.limits import Limits
from bouncer.net.listen import Listeners
from bouncer.net.peer import PASS_LINES, Peer

Run = Callable[[Coroutine[Any, Any, None]], None]
SOON = 20  # seconds: no test waits this long unless it fails


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a coroutine on either loop."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield lambda test: runner.run(asyncio.wait_for(test, SOON))


class Echo:
    """A conversation that remembers, and answers by what ``act`` says."""

    def __init__(self, peer: Peer, act: Callable[[Echo, Message], None]) -> None:
        self.peer = peer
        self.act = act
        self.bursts: list[int] = []
        self.said: list[bytes] = []
        self.dropped = 0
        self.ready = asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def receive(self, messages: list[Message]) -> None:
        self.bursts.append(len(messages))
        for message in messages:
            self.said.append(message.raw)
            self.act(self, message)

    def refused(self, count: int) -> None:
        self.dropped += count
        self.peer.write(b"417\r\n")

    def writable(self) -> None:
        self.ready.set()

    def closed(self, reason: str) -> None:
        self.ended.set_result(reason)


def answer(echo: Echo, message: Message) -> None:
    echo.peer.write(message.raw + b"\r\n")


class Host:
    """Listeners for a test, and the conversations that began."""

    def __init__(self, act: Callable[[Echo, Message], None], limits: Limits | None) -> None:
        self.act = act
        self.began: asyncio.Queue[Echo] = asyncio.Queue()
        self.listeners = Listeners(self.converse, limits=limits)

    def converse(self, peer: Peer) -> Echo:
        echo = Echo(peer, self.act)
        self.began.put_nowait(echo)
        return echo

    @property
    def port(self) -> int:
        return int(self.listeners.addresses[0].rpartition(":")[2])

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def listening(
    act: Callable[[Echo, Message], None] = answer, limits: Limits | None = None, at: str = "irc+insecure://127.0.0.1:0"
) -> AsyncIterator[Host]:
    host = Host(act, limits)
    await host.listeners.open([at])
    try:
        yield host
    finally:
        await host.listeners.close()


def test_lines_go_both_ways_in_order(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (reader, writer):
            writer.write(b"PING a\r\nPI")
            assert await reader.readline() == b"PING a\r\n"
            writer.write(b"NG b\nPING c\r\n\r\n")
            assert await reader.readline() == b"PING b\r\n"
            assert await reader.readline() == b"PING c\r\n"
            echo = await host.began.get()
            assert (echo.peer.address, echo.peer.local, echo.peer.secure) == ("127.0.0.1", True, False)
            assert echo.peer.fingerprint == ""
            writer.close()
            assert await echo.ended == "connection closed by the client"
            echo.peer.write(b"too late\r\n")
            echo.peer.close(b"too late\r\n")
            echo.peer.hold(True)

    run(talk())


def test_many_lines_come_in_passes_of_256_also_when_the_client_goes_at_once(run: Run) -> None:
    lines = [b"PRIVMSG #a :%d" % number for number in range(3000)]

    async def talk() -> None:
        async with listening(lambda echo, message: None) as host, host.client() as (_, writer):
            writer.write(b"\r\n".join(lines) + b"\r\nhalf a li")
            writer.close()
            echo = await host.began.get()
            await echo.ended
            assert echo.said == lines
            assert max(echo.bursts) == PASS_LINES

    run(talk())


def test_one_busy_client_leaves_turns_to_others(run: Run) -> None:
    order: list[bytes] = []

    async def talk() -> None:
        async with listening(lambda echo, message: order.append(message.params[0].encode())) as host:
            async with host.client() as (_, busy), host.client() as (_, other):
                first, second = await host.began.get(), await host.began.get()
                first.peer.hold(True)
                busy.write(b"X busy\r\n" * 8000)
                other.write(b"X other\r\n")
                await busy.drain()
                while not second.said and not first.said:
                    first.peer.hold(False)
                    await asyncio.sleep(0)
                busy.close()
                other.close()
                await first.ended
                await second.ended
            assert order.count(b"busy") == 8000
            assert order.index(b"other") < 7000

    run(talk())


def test_a_held_client_says_nothing_until_it_may(run: Run) -> None:
    def hold_at_stop(echo: Echo, message: Message) -> None:
        if message.command == "STOP":
            echo.peer.hold(True)
            echo.ready.set()

    async def talk() -> None:
        async with listening(hold_at_stop) as host, host.client() as (_, writer):
            lines = [b"A"] * (PASS_LINES - 1) + [b"STOP"] + [b"B"] * 600
            writer.write(b"\r\n".join(lines) + b"\r\n")
            writer.close()
            echo = await host.began.get()
            await echo.ready.wait()
            for _ in range(5):
                await asyncio.sleep(0)  # turns of the loop, not time
            assert echo.said[-1] == b"STOP"
            echo.peer.hold(False)
            await echo.ended
            assert echo.said == lines

    run(talk())


def test_over_long_lines_cost_only_themselves(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (reader, writer):
            writer.write(b"A" * 1024 * 1024)
            writer.write(b"\r\nPING " + b"b" * 506 + b"\r\nPING c\r\n")
            echo = await host.began.get()
            assert {await reader.readline(), await reader.readline()} == {b"417\r\n"} or echo.dropped == 2
            while (line := await reader.readline()) == b"417\r\n":
                pass
            assert line == b"PING c\r\n"
            assert echo.dropped == 2
            assert echo.said == [b"PING c"]

    run(talk())


@pytest.mark.parametrize(
    "junk", [b"\0\0\0\r\n", b"\r\n\n\r\r\n", b"@a=b\r\n", b":x\r\n", bytes(range(256)) * 40 + b"\n"]
)
def test_garbage_harms_nobody(run: Run, junk: bytes) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (_, bad), host.client() as (reader, good):
            bad.write(junk)
            bad.write(junk)
            bad.close()
            good.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"
            for echo in (await host.began.get(), await host.began.get()):
                if echo.said[-1:] != [b"PING x"]:
                    await echo.ended

    run(talk())


def test_a_peer_that_does_not_read_is_full_then_writable(run: Run) -> None:
    chunk = b"x" * 1023 + b"\n"

    async def talk() -> None:
        async with listening() as host, host.client() as (reader, _):
            echo = await host.began.get()
            written = 0
            while not echo.peer.full:
                echo.peer.write(chunk)
                written += len(chunk)
                if written % (256 * 1024) == 0:
                    await asyncio.sleep(0)  # uvloop writes at the end of a turn
                    assert written < 1 << 30
            left = written
            while left:
                left -= len(await reader.read(min(left, 1 << 20)))
            await echo.ready.wait()
            assert not echo.peer.full

    run(talk())


def test_close_flushes_its_last_words_and_ignores_what_comes_after(run: Run) -> None:
    def quit_at_once(echo: Echo, message: Message) -> None:
        if message.command == "QUIT":
            echo.peer.close(b"ERROR :Bye\r\n")

    async def talk() -> None:
        async with listening(quit_at_once) as host, host.client() as (reader, writer):
            writer.write(b"QUIT\r\n" * PASS_LINES + b"PING x\r\n" * 3)
            assert await reader.read() == b"ERROR :Bye\r\n"
            writer.write(b"PING x\r\n")
            writer.close()
            echo = await host.began.get()
            assert await echo.ended == "connection closed by the bouncer"
            assert set(echo.said) == {b"QUIT"}

    run(talk())


def test_close_does_not_wait_for_a_peer_that_does_not_read(run: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(close=0.05)) as host, host.client():
            echo = await host.began.get()
            while not echo.peer.full:
                echo.peer.write(b"x" * 65536)
                await asyncio.sleep(0)
            echo.peer.close(b"ERROR :Bye\r\n")
            assert await echo.ended == "connection closed by the bouncer"

    run(talk())


def test_an_end_by_the_client_does_not_wait_for_it_to_read(run: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(close=0.05)) as host, host.client() as (_, writer):
            echo = await host.began.get()
            while not echo.peer.full:
                echo.peer.write(b"x" * 65536)
                await asyncio.sleep(0)
            writer.write_eof()
            assert await echo.ended == "connection closed by the client"

    run(talk())


def test_a_reset_is_an_end_like_others(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host:
            with socket.create_connection(("127.0.0.1", host.port)) as raw:
                echo = await host.began.get()
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            assert (await echo.ended).startswith("connection lost: ")

    run(talk())


def test_writing_after_the_transport_has_failed_does_not_raise(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (_, writer):
            echo = await host.began.get()
            writer.transport.abort()
            while not echo.ended.done():
                echo.peer.write(b"x" * 4096)
                await asyncio.sleep(0)

        async with listening() as host, host.client():
            echo = await host.began.get()
            echo.peer._transport.abort()
            echo.peer.write(b"x")
            echo.peer.hold(True)
            echo.peer.close(b"x")
            await echo.ended

    run(talk())


@pytest.mark.parametrize("where", ["receive", "refused", "converse"])
def test_an_exception_ends_that_connection_alone(run: Run, caplog: pytest.LogCaptureFixture, where: str) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    async def talk() -> None:
        async with listening() as host, host.client() as (good_reader, good):
            await host.began.get()
            if where == "converse":
                host.converse = fail  # type: ignore[assignment]  # what is wrong with it is the point
                host.listeners._converse = fail  # type: ignore[assignment]
            async with host.client() as (reader, writer):
                if where != "converse":
                    echo = await host.began.get()
                    setattr(echo, where, fail)
                writer.write(b"A" * 9000 + b"\r\nPING x\r\n" if where == "refused" else b"PING x\r\n")
                assert (await reader.readline()).startswith(b"ERROR :")
                assert await reader.read() == b""
                writer.close()
                if where != "converse":
                    assert echo.said == []
                    assert await echo.ended == "connection closed by the bouncer after an error of its own"
            good.write(b"PING x\r\n")
            assert await good_reader.readline() == b"PING x\r\n"
        assert "on purpose" in caplog.text

    run(talk())


def test_an_exception_in_closed_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    failed: list[str] = []

    def fail(reason: str) -> None:
        failed.append(reason)
        raise ZeroDivisionError("on purpose")

    async def talk() -> None:
        async with listening() as host, host.client():
            echo = await host.began.get()
            echo.closed = fail  # type: ignore[method-assign]  # what is wrong with it is the point
        assert len(failed) == 1
        assert "on purpose" in caplog.text

    run(talk())


def test_who_does_not_register_in_time_is_told_and_closed(run: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(registration=0.05)) as host, host.client() as (reader, writer):
            assert await reader.read() == b"ERROR :You did not log in within 0.05 seconds; connect again\r\n"
            writer.close()
            echo = await host.began.get()
            assert await echo.ended == "connection closed by the bouncer: no login within 0.05 seconds"

    run(talk())


def test_registration_ends_the_deadline_and_the_place_in_the_lobby(run: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(registration=0.05, unregistered=1)) as host, host.client() as (_, _):
            first = await host.began.get()
            assert host.listeners.unregistered == 1
            first.peer.registered()
            assert host.listeners.unregistered == 0
            async with host.client() as (reader, _):
                await reader.read()  # the second one's deadline is later than the first one's would have been
            assert not first.ended.done()

    run(talk())


def test_too_many_unregistered_are_turned_away_until_one_goes(run: Run) -> None:
    async def talk() -> None:
        async with listening(limits=Limits(unregistered=2)) as host, host.client() as (_, one), host.client():
            gone = await host.began.get()
            await host.began.get()
            async with host.client() as (reader, _):
                assert (await reader.read()).startswith(b"ERROR :Too many connections")
            one.close()
            await gone.ended
            async with host.client() as (reader, writer):
                writer.write(b"PING x\r\n")
                assert await reader.readline() == b"PING x\r\n"

    run(talk())


def test_closing_says_the_last_words_to_all_and_ends_all(run: Run) -> None:
    async def read_and_go(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"ERROR :Restarting\r\n"
        writer.close()

    async def talk() -> None:
        async with listening() as host, host.client() as one, host.client() as two:
            echoes = [await host.began.get(), await host.began.get()]
            port = host.port
            await asyncio.gather(host.listeners.close(b"ERROR :Restarting\r\n"), read_and_go(*one), read_and_go(*two))
            assert [await echo.ended for echo in echoes] == ["connection closed by the bouncer"] * 2
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)

    run(talk())


def test_stopping_keeps_those_who_are_there(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (reader, writer):
            await host.began.get()
            host.listeners.stop()
            assert host.listeners.addresses == ()
            writer.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"

    run(talk())


def test_opening_anew_changes_the_doors_and_keeps_those_who_are_there(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, host.client() as (reader, writer):
            port = host.port
            await host.listeners.open(["irc+insecure://127.0.0.1:0", "irc+insecure://localhost:0"])
            assert host.port == port
            assert len(host.listeners.addresses) > 1
            taken = host.listeners.addresses[0]
            with pytest.raises(Refused, match="irc://nowhere"):
                await host.listeners.open([taken, "irc://nowhere"])
            await host.listeners.open(["irc+insecure://localhost:0"])
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"

    run(talk())


def test_a_taken_port_is_refused_in_one_sentence(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host, listening() as second:
            with pytest.raises(Refused) as refused:
                await second.listeners.open([f"irc+insecure://127.0.0.1:{host.port}"])
            assert str(refused.value) == (
                f"Can't listen on irc+insecure://127.0.0.1:{host.port}: port {host.port} is taken by another program; "
                "stop that one, or listen elsewhere."
            )
            async with second.client() as (reader, writer):  # what it had is as before
                writer.write(b"PING x\r\n")
                assert await reader.readline() == b"PING x\r\n"

    run(talk())


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("irc+insecure://192.0.2.7:6667", "192.0.2.7 is not an address of this machine"),
        ("irc+insecure://no.such.host.invalid:6667", "is not known"),
        ("ircs://127.0.0.1:0", "there is no certificate"),
        ("unix:/no/such/folder/irc.sock", "there is no folder /no/such/folder"),
        ("unix:/" + "x" * 120, "shorter than 104 bytes"),
        ("wss://127.0.0.1:0", "there is no certificate"),
        ("https://[::]:443", "not built yet"),
    ],
)
def test_what_cannot_be_had_is_refused(run: Run, at: str, words: str) -> None:
    async def talk() -> None:
        listeners = Listeners(Host(answer, None).converse)
        with pytest.raises(Refused, match="Can't listen on ") as refused:
            await listeners.open([at])
        assert words in str(refused.value)
        assert listeners.addresses == ()

    run(talk())


def test_all_addresses_means_ipv4_and_ipv6(run: Run) -> None:
    async def talk() -> None:
        async with listening(at="irc+insecure://[::]:0") as host:
            async with host.client() as (reader, writer):
                writer.write(b"PING x\r\n")
                assert await reader.readline() == b"PING x\r\n"
                echo = await host.began.get()
                assert (echo.peer.address, echo.peer.local) == ("127.0.0.1", True)
            if not host.listeners.addresses[0].startswith("irc+insecure://[::]:"):
                return  # a machine without IPv6: the fallback was what the client came in by
            reader, writer = await asyncio.open_connection("::1", host.port)
            writer.write(b"PING y\r\n")
            assert await reader.readline() == b"PING y\r\n"
            echo = await host.began.get()
            assert (echo.peer.address, echo.peer.local) == ("::1", True)
            writer.close()
            await writer.wait_closed()

    run(talk())


@pytest.mark.parametrize("at", ["socket", "bind"])
def test_without_ipv6_all_addresses_means_ipv4(run: Run, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    class WithoutIpv6(socket.socket):
        """The sockets of a machine whose kernel has no IPv6, or has it switched off."""

        def __init__(self, family: int = -1, *args: Any, **kwargs: Any) -> None:
            if at == "socket" and family == socket.AF_INET6:
                raise OSError(97, "Address family not supported by protocol")
            super().__init__(family, *args, **kwargs)

        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(99, "Cannot assign requested address")
            super().bind(address)

    async def talk() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", WithoutIpv6)
            host = Host(answer, None)
            await host.listeners.open(["irc+insecure://[::]:0"])
        assert host.listeners.addresses[0].startswith("irc+insecure://0.0.0.0:")
        async with host.client() as (reader, writer):
            writer.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"
        await host.listeners.close()

    run(talk())


def test_a_unix_socket_is_ours_alone_and_goes_with_us(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "irc.sock"

    async def talk() -> None:
        async with listening(at=f"unix:{path}") as host:
            assert host.listeners.addresses == (f"unix:{path}",)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"
            echo = await host.began.get()
            assert (echo.peer.address, echo.peer.local, echo.peer.secure) == ("unix", True, False)
            writer.close()
            await writer.wait_closed()
            second = Listeners(host.converse)
            with pytest.raises(Refused, match="taken by another program"):
                await second.open([f"unix:{path}"])
        assert not path.exists()

    run(talk())


def test_a_stale_unix_socket_is_replaced_and_other_files_are_not(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "irc.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    other = tmp_path / "precious"
    other.write_text("keep me")

    async def talk() -> None:
        async with listening(at=f"unix:{path}") as host:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"PING x\r\n")
            assert await reader.readline() == b"PING x\r\n"
            writer.close()
            await writer.wait_closed()
            with pytest.raises(Refused, match="a file of another kind"):
                await Listeners(host.converse).open([f"unix:{other}"])
            assert other.read_text() == "keep me"
            path.unlink()
            path.write_text("somebody else's")
        assert path.read_text() == "somebody else's"

    run(talk())


def test_out_of_descriptors_pauses_and_goes_on(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> None:
        async with listening() as host:
            client = socket.socket()
            client.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            hogs: list[int] = []
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
            try:
                with contextlib.suppress(OSError):
                    while True:
                        hogs.append(os.dup(client.fileno()))
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", host.port))
                for _ in range(1000):
                    await asyncio.sleep(0)
                # it is asked again after a pause, not in every turn of the loop
                assert [record.getMessage().partition(" pauses")[0] for record in caplog.records] == [
                    f"accepting on irc+insecure://127.0.0.1:{host.port}"
                ]
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for hog in hogs:
                    os.close(hog)
            await asyncio.get_running_loop().sock_sendall(client, b"PING x\r\n")
            assert await asyncio.get_running_loop().sock_recv(client, 100) == b"PING x\r\n"
            client.close()

    with caplog.at_level(logging.WARNING):
        run(talk())


def test_closing_while_accepting_pauses_and_while_somebody_enters(run: Run) -> None:
    async def talk() -> None:
        async with listening() as host:
            with socket.create_connection(("127.0.0.1", host.port)):
                door = host.listeners._doors.popitem()[1][0]
                door._accept()  # the task that takes the connection has not had its first step yet
                door.close()
                await host.listeners.close()
                assert host.listeners.unregistered == 0
                assert host.began.empty()

    run(talk())
