"""The client at its edges: odd bytes, floods, peers that hang, TLS, and what is refused to be sent."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import pytest

from bouncer.client import Client, NotConnected, Pace, SendQueueFull
from bouncer.client.connection import LINES_PER_PASS, LOAD_HIGH
from bouncer.irc.message import Message
from tests.net.fake_server import SOON, FakeServer, Visitor

Play = Callable[[Coroutine[Any, Any, Any]], Any]


class Certificate(Protocol):
    fingerprint: str

    def server_context(self) -> ssl.SSLContext: ...

    def client_context(self) -> ssl.SSLContext: ...


def plain_client(server: FakeServer, **settings: Any) -> Client:
    return Client("127.0.0.1", server.port, ssl=False, **settings)


async def met(client: Client, server: FakeServer) -> Visitor:
    await client.connect()
    return await server.visitor()


def is_reading(client: Client) -> bool:
    assert client.connection is not None
    return client.connection.reading


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop its passes until something has come about; the test's own limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # there is no event for what is looked at
        await asyncio.sleep(0)


# --- what comes in


def test_lines_arrive_however_the_bytes_are_split(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            got: list[bytes] = []
            client.tap(lambda messages, now: got.extend(message.raw for message in messages))
            visitor = await met(client, server)
            stream = (
                "@time=x :a!b@c PRIVMSG #c :caf\u00e9\r\nPRIVMSG #c :bare\n\r\n\r\n".encode()
                + b":only.source\r\nPRIVMSG #c :\r\nPRIVMSG #c :\xff\xfe\r\nNOTICE x :end\r\n"
            )
            end = asyncio.create_task(client.wait("notice", SOON))
            for index in range(len(stream)):
                visitor.write(stream[index : index + 1])
                await asyncio.sleep(0)
            await end
            assert got == [line for line in stream.replace(b"\r", b"").split(b"\n") if line]
            await client.disconnect()

    play(test())


def test_handlers_get_bytes_that_are_no_text_and_send_them_back_as_they_were(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            client.on("privmsg", lambda message: client.send("privmsg", target="#c", message=message))
            visitor = await met(client, server)
            visitor.say(b"@a=b;c :x!y@z PRIVMSG #c :\xff caf\xe9 ", b"PRIVMSG #c :")
            assert await visitor.line() == b"PRIVMSG #c :\xff caf\xe9 ".decode("utf-8", "surrogateescape")
            assert await visitor.line() == "PRIVMSG #c :"
            await client.disconnect()

    play(test())


def test_another_encoding_holds_both_ways(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server, encoding="latin-1")
            visitor = await met(client, server)
            visitor.say(b"PRIVMSG #c :caf\xe9")
            assert (await client.wait("privmsg", SOON))["message"] == "café"
            visitor.say("PRIVMSG #c :café")
            assert (await client.wait("privmsg", SOON))["message"] == "café"
            client.send("privmsg", target="#c", message="café")
            client.send("privmsg", target="#c", message="\u2713")
            client.send("privmsg", target="#c", message="é" * 400)  # too long only in UTF-8
            with pytest.raises(ValueError, match="too long"):
                client.send("privmsg", target="#c", message="é" * 500)
            await client.disconnect()
            sent = [b"PRIVMSG #c :caf\xe9", b"PRIVMSG #c :?", b"PRIVMSG #c :" + b"\xe9" * 400]
            assert (await visitor.rest()).split(b"\r\n") == [*sent, b""]

    play(test())


def test_taps_see_utf_8_in_a_flood_too(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server, encoding="koi8-r")
            got: list[bytes] = []
            sent: list[bytes] = []
            client.tap(lambda messages, now: got.extend(message.raw for message in messages))
            client.tap_sent(lambda messages, now: sent.extend(message.raw for message in messages))
            visitor = await met(client, server)
            line = "PRIVMSG #c :привет"
            visitor.say(*[line.encode("koi8-r")] * (2 * LINES_PER_PASS), "NOTICE x :end")
            await client.wait("notice", SOON)
            assert set(got[:-1]) == {line.encode()}
            await client.send_raw(line)
            assert sent == [line.encode()]
            await client.disconnect()
            assert await visitor.rest() == line.encode("koi8-r") + b"\r\n"

    play(test())


def test_an_encoding_that_lines_can_not_be_in_is_refused() -> None:
    with pytest.raises(ValueError, match="no encoding that IRC lines can be in"):
        Client("irc.example", 6697, encoding="utf-16")


def test_a_server_that_speaks_first_is_heard_after_client_connect(play: Play, certificate: Certificate) -> None:
    async def test(tls: bool) -> None:
        greeting = b":irc.test NOTICE * :Looking up your hostname\r\n" * 3
        async with FakeServer(certificate.server_context() if tls else None, greeting) as server:
            context = certificate.client_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            client = plain_client(server)
            client.ssl = context if tls else False
            order: list[str] = []
            client.on("client_connect", lambda: order.append("connect"))
            client.on("notice", lambda message: order.append(message))
            client.on("notice", lambda: client.trigger("heard"))
            heard = asyncio.create_task(client.wait("heard", SOON, where=lambda: len(order) == 4))
            await client.connect()
            await heard
            assert order == ["connect", *["Looking up your hostname"] * 3]
            await client.disconnect()

    for tls in (False, True):
        play(test(tls))


def test_a_flood_is_handled_in_turns(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            sizes: list[int] = []
            turns = 0

            def other() -> None:
                nonlocal turns
                turns += 1
                if sum(sizes) < 5000:
                    asyncio.get_running_loop().call_soon(other)

            client.tap(lambda messages, now: sizes.append(len(messages)))
            visitor = await met(client, server)
            other()
            visitor.say(*["PRIVMSG #c :x"] * 4999, "NOTICE x :end")
            await client.wait("notice", SOON)
            assert sum(sizes) == 5000
            assert max(sizes) <= LINES_PER_PASS
            assert turns >= 5000 // LINES_PER_PASS
            await client.disconnect()

    play(test())


def test_taps_see_the_whole_read_before_handlers_and_harm_nobody(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            order: list[Any] = []

            @client.tap
            def broken(messages: list[Message], now: float) -> None:
                raise RuntimeError("tap trouble")

            tap = client.tap(lambda messages, now: order.append([message.command for message in messages]))
            client.on("privmsg", lambda: order.append("handler"))
            visitor = await met(client, server)
            visitor.say("PRIVMSG a :1", "PRIVMSG a :2", "NOTICE a :end")
            await client.wait("notice", SOON)
            assert order == [["PRIVMSG", "PRIVMSG", "NOTICE"], "handler", "handler"]
            client.untap(tap)
            client.untap(broken)
            visitor.say("PRIVMSG a :3", "NOTICE a :end")
            await client.wait("notice", SOON)
            assert order[3:] == ["handler"]
            await client.disconnect()

    play(test())
    assert sum("tap" in record.getMessage() for record in caplog.records) == 1


def test_two_events_in_one_packet_are_both_got_from_a_listener(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            visitor = await met(client, server)
            async with client.listen("RPL_WELCOME", "433") as replies:
                visitor.say(":s 433 * bob :in use", ":s 001 bob :Welcome", ":s 433 * x :in use")
                got = [await replies.get(SOON) for _ in range(3)]
                with pytest.raises(TimeoutError):
                    await replies.get(0.01)
            assert [(event, arguments["params"][1]) for event, arguments in got] == [
                ("433", "bob"),
                ("RPL_WELCOME", "Welcome"),
                ("433", "x"),
            ]
            assert not client._dispatcher.heard
            await client.disconnect()

    play(test())


def test_a_listener_that_is_not_emptied_stops_the_reading_and_no_more(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            visitor = await met(client, server)
            with client.listen("privmsg") as listener:
                visitor.say(*[f"PRIVMSG a :{n}" for n in range(3 * LOAD_HIGH)])
                await listener.get(SOON)
                await until(lambda: not is_reading(client))
                assert len(listener._events) < LOAD_HIGH + LINES_PER_PASS
                got = [(await listener.get(SOON))[1]["message"] for _ in range(3 * LOAD_HIGH - 1)]
                assert got == [str(n) for n in range(1, 3 * LOAD_HIGH)]
                assert is_reading(client)
            await client.disconnect()

    play(test())


def test_stuck_handlers_stop_the_reading_of_their_connection_alone(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            stuck, free = plain_client(server), plain_client(server)
            gate = asyncio.Event()
            count = 0

            @stuck.on("privmsg")
            async def slow() -> None:
                nonlocal count
                count += 1
                await gate.wait()

            visitor, other = await met(stuck, server), await met(free, server)
            visitor.say(*["PRIVMSG a :x"] * (4 * LOAD_HIGH))
            await until(lambda: not is_reading(stuck))
            for _ in range(10):
                await asyncio.sleep(0)
            assert LOAD_HIGH <= count < LOAD_HIGH + LINES_PER_PASS
            other.say("NOTICE a :alive")
            await free.wait("notice", SOON)
            gc.collect()
            gate.set()
            visitor.say("NOTICE a :end")
            await stuck.wait("notice", SOON)
            assert count == 4 * LOAD_HIGH
            await asyncio.gather(stuck.disconnect(), free.disconnect())

    with caplog.at_level(logging.WARNING):
        play(test())
    assert "handlers are unfinished" in caplog.text


def test_handlers_that_wait_for_an_event_do_not_stop_it_from_coming(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            done = 0

            @client.on("privmsg")
            async def wait_for_end() -> None:
                nonlocal done
                await client.wait("notice", SOON)
                done += 1
                if done == 2 * LOAD_HIGH:
                    client.trigger("done")

            visitor = await met(client, server)
            for _ in range(20):
                visitor.say(*["PRIVMSG a :x"] * (LOAD_HIGH // 10))
                await client.wait("privmsg", SOON)
            visitor.say("NOTICE a :end")
            await client.wait("done", SOON)
            await client.disconnect()

    play(test())


def test_an_ordered_handler_takes_one_event_after_the_other(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            order: list[str] = []
            gates = {str(n): asyncio.Event() for n in range(3)}

            @client.on("privmsg", ordered=True)
            async def write(message: str) -> None:
                order.append(f"begin {message}")
                await gates[message].wait()
                order.append(f"end {message}")
                if message == "2":
                    client.trigger("done")

            visitor = await met(client, server)
            visitor.say(*(f"PRIVMSG a :{n}" for n in range(3)))
            await client.wait("privmsg", SOON)
            for gate in reversed(gates.values()):
                gate.set()
            await client.wait("done", SOON)
            assert order == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]
            await client.disconnect()

    play(test())


def test_a_waiting_handler_survives_garbage_collection(play: Play) -> None:
    async def test() -> None:
        client = Client("127.0.0.1", 1)

        @client.on("begin")
        async def handle() -> None:
            await client.wait("end", SOON)
            client.trigger("done")

        client.trigger("begin")
        for _ in range(3):
            await asyncio.sleep(0)
            gc.collect()
        done = asyncio.create_task(client.wait("done", SOON))
        await asyncio.sleep(0)
        client.trigger("end")
        await done

    play(test())


# --- what goes out


def test_nothing_unfit_reaches_the_wire(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            with pytest.raises(NotConnected):
                client.send("quit")
            with pytest.raises(NotConnected):
                client.send_raw("QUIT")
            visitor = await met(client, server)
            refusals: tuple[Callable[[], object], ...] = (
                lambda: client.send("privmsg", target="#c", message="x\r\nQUIT"),
                lambda: client.send("privmsg", target="#c\nQUIT", message="x"),
                lambda: client.send("frobnicate"),
                lambda: client.send("privmsg", target="#c"),
                lambda: client.send("privmsg", target="#c", message="x" * 600),
                lambda: client.send_raw("PRIVMSG #c :x\nQUIT"),
                lambda: client.send_raw(b"PRIVMSG #c :x\0"),
                lambda: client.send_raw(""),
                lambda: client.send_raw(b"PRIVMSG #c :" + b"x" * 501),
                lambda: client.send_raw(b"@a=" + b"x" * 5000 + b" TAGMSG #c"),
                lambda: client.send_raw(Message.parse(b"PRIVMSG #c :x\rQUIT")),
            )
            for refused in refusals:
                with pytest.raises(ValueError):
                    refused()
            client.line_limit = 1024
            client.send("privmsg", target="#c", message="x" * 600)
            client.send_raw(b"@a=" + b"y" * 4000 + b" TAGMSG #c")
            await client.disconnect()
            assert await visitor.rest() == (b"PRIVMSG #c :" + b"x" * 600 + b"\r\n@a=" + b"y" * 4000 + b" TAGMSG #c\r\n")

    play(test())


def test_what_is_handed_over_is_told_in_that_moment(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server, pace=Pace(2, 60))
            told: list[list[bytes]] = []
            client.tap_sent(lambda messages, now: told.append([message.raw for message in messages]))
            visitor = await met(client, server)
            sent = [client.send("privmsg", target="#c", message=str(n)) for n in range(3)]
            assert told == []
            await sent[0]
            assert told == [[b"PRIVMSG #c :0", b"PRIVMSG #c :1"]]
            assert [each.done for each in sent] == [True, True, False]
            client.send_raw("PONG :free")
            await client.send("quit")
            assert told[1:] == [[b"PONG :free", b"QUIT"]]
            visitor.close()
            with pytest.raises(NotConnected):
                await sent[2]

    play(test())


def test_a_new_pace_lets_the_waiting_lines_go(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server, pace=Pace(1, 60))
            visitor = await met(client, server)
            for number in range(3):
                client.send("privmsg", target="#c", message=str(number))
            assert await visitor.line() == "PRIVMSG #c :0"
            client.pace = None
            assert await visitor.line() == "PRIVMSG #c :1"
            Pace(1, 0.01).install(client)
            client.send("privmsg", target="#c", message="3")
            assert [await visitor.line(), await visitor.line()] == ["PRIVMSG #c :2", "PRIVMSG #c :3"]
            await client.disconnect()

    play(test())


def test_a_peer_that_does_not_read_fills_a_bounded_queue_and_can_be_left(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server, close_timeout=0.05)
            visitor = await met(client, server)
            visitor.stop_reading()
            line = "x" * 400

            def say_much() -> None:
                for _ in range(200_000):
                    client.send("privmsg", target="#c", message=line)

            with pytest.raises(SendQueueFull):
                say_much()
            lost: list[str] = []
            client.on("client_disconnect", lambda reason: lost.append(reason))
            assert client.connection is not None
            assert client.connection.stalled_since is not None
            closing = asyncio.create_task(client.disconnect())
            await asyncio.sleep(0)
            with pytest.raises(NotConnected):
                client.send("quit")
            await client.connect()  # while the first is closing with unsent data
            assert closing.done() or lost
            second = await server.visitor()
            client.send("nick", nick="bob")
            assert await second.line() == "NICK bob"
            await closing
            assert lost == ["disconnected on request"]
            await client.disconnect()

    play(test())


# --- connecting


def test_tls_is_verified_unless_it_is_pinned(play: Play, certificate: Certificate) -> None:
    async def test() -> None:
        async with FakeServer(certificate.server_context()) as server:
            client = Client("localhost", server.port)
            failed: list[str] = []
            client.on("client_connect_failed", lambda reason: failed.append(reason))
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.connect()
            client.tls_fingerprint = "00" * 32
            with pytest.raises(ssl.SSLCertVerificationError):
                await client.connect()
            client.ssl = False
            client.tls_fingerprint = certificate.fingerprint
            with pytest.raises(ssl.SSLError):
                await client.connect()
            assert len(failed) == 3
            assert all("not trusted" in reason for reason in failed[:2])
            fingerprint = certificate.fingerprint.replace(":", "").lower()
            assert failed[0].endswith(
                f"self-signed certificate; to trust it all the same, set tls_fingerprint={fingerprint}"
            )
            assert failed[1].endswith(certificate.fingerprint.replace(":", "").lower())
            assert not client.is_connected
            client.ssl = True
            for fingerprint in (certificate.fingerprint, certificate.fingerprint.replace(":", "").upper()):
                client.tls_fingerprint = fingerprint
                await client.connect()
                await client.send("nick", nick="bob")
                await client.disconnect()
            client.tls_fingerprint = None
            client.ssl = certificate.client_context()
            await client.connect()
            await client.disconnect()
            for wrong in ("abc", "zz" * 32):
                with pytest.raises(ValueError):
                    client.tls_fingerprint = wrong

    play(test())


def test_a_name_with_a_dead_address_is_reached_by_its_other_one(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            dead = socket.socket()  # bound, but nobody listens
            dead.bind(("127.0.0.2", 0))

            async def resolve(host: str, port: int) -> list[Any]:
                kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
                return [(*kind, dead.getsockname()), (*kind, ("127.0.0.1", server.port))]

            monkeypatch.setattr("bouncer.client.dialing._resolve", resolve)
            client = Client("two.example", server.port, ssl=False, local_addr="127.0.0.1")
            await client.connect()
            assert client.connection is not None
            await server.visitor()
            await client.disconnect()
            dead.close()

    play(test())


def test_a_silent_address_costs_a_quarter_second(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        full = socket.socket()  # a listener whose queue is full answers nothing
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        async with FakeServer() as server:

            async def resolve(host: str, port: int) -> list[Any]:
                kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
                return [(*kind, full.getsockname()), (*kind, ("127.0.0.1", server.port))]

            monkeypatch.setattr("bouncer.client.dialing._resolve", resolve)
            client = Client("two.example", server.port, ssl=False)
            await client.connect()
            await server.visitor()
            await client.disconnect()
        for each in (full, *fillers):
            each.close()

    play(test())


@pytest.mark.parametrize(
    ("host", "port"), [("a..example", 6667), ("x" * 70 + ".example", 6667), ("127.0.0.1", 70_000), ("", 0)]
)
def test_an_impossible_address_is_an_oserror(play: Play, host: str, port: int) -> None:
    async def test() -> None:
        client = Client(host, port, ssl=False)
        with pytest.raises(OSError):
            await client.connect()

    play(test())


def test_plain_text_where_tls_was_meant_is_told_as_that(play: Play) -> None:
    async def test() -> None:
        async with FakeServer(greeting=b":irc.test NOTICE * :Looking up your hostname\r\n") as server:
            client = Client("localhost", server.port)
            failed: list[str] = []
            client.on("client_connect_failed", lambda reason: failed.append(reason))
            with pytest.raises(ssl.SSLError):
                await client.connect()
            assert failed == ["the server does not speak TLS on that port; give its TLS port, or connect without TLS"]

    play(test())


def test_a_connect_has_a_time_limit_and_can_be_given_up(play: Play, certificate: Certificate) -> None:
    async def test() -> None:
        async with FakeServer() as server:  # takes the connection, and never shakes hands
            client = Client("127.0.0.1", server.port, ssl=certificate.client_context(), connect_timeout=0.05)
            failed: list[str] = []
            client.on("client_connect_failed", lambda reason: failed.append(reason))
            with pytest.raises(TimeoutError):
                await client.connect()
            assert failed == ["no connection within 0.05 seconds"]
            client.connect_timeout = SOON
            first, second = (asyncio.create_task(client.connect()) for _ in range(2))
            await server.visitor()
            await server.visitor()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            assert not second.done()
            await client.disconnect()
            with pytest.raises(ConnectionAbortedError):
                await second
            alone = asyncio.create_task(client.connect())
            await server.visitor()
            alone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await alone
            client.ssl = False
            await client.connect()
            await client.disconnect()
            assert len(failed) == 1

    play(test())


def test_aclose_cancels_what_is_left(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            ended: list[str] = []

            @client.on("client_disconnect")
            async def never_ends() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append("cancelled")

            @client.on("leave")
            async def leave() -> None:
                await asyncio.sleep(0)
                await client.aclose()
                ended.append("left")
                client.trigger("left")

            await met(client, server)
            client.trigger("leave")
            await client.wait("left", SOON)
            assert ended == ["cancelled", "left"]

    play(test())


def test_a_connection_may_be_ended_in_the_moment_it_is_made(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = plain_client(server)
            lost: list[str] = []
            client.on("client_connect", lambda: client.abort("not wanted"))
            client.on("client_disconnect", lambda reason: lost.append(reason))
            for number in range(1, 4):
                with pytest.raises(ConnectionResetError, match="not wanted"):
                    await client.connect()
                assert lost == ["not wanted"] * number
                assert await (await server.visitor()).rest() == b""
        gc.collect()  # a socket that nobody closed would warn here, and a warning is an error

    play(test())
