"""The installed handlers over real sockets: registration, keep-alive, regain, reconnecting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bouncer.client import (
    Client,
    HostPacing,
    KeepAlive,
    Phase,
    Reconnect,
    Register,
    Sasl,
    Server,
    Usual,
    install_usual,
    regain,
)
from bouncer.client import backoff as policy
from bouncer.client.backoff import Cause
from tests.net.fake_server import SOON, FakeServer, Visitor

Play = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of a hundredth of their length."""
    for cause, (first, longest) in policy._WAITS.items():
        monkeypatch.setitem(policy._WAITS, cause, (first / 100, longest / 100))


def usual_client(server: FakeServer, register: Register | None = None, **settings: Any) -> tuple[Client, Usual]:
    client = Client("127.0.0.1", server.port, ssl=False)
    return client, install_usual(client, register or Register("bob"), **settings)


def phase(usual: Usual | Reconnect) -> Phase:
    return (usual if isinstance(usual, Reconnect) else usual.reconnect).state.phase


async def settled(client: Client, visitor: Visitor, nick: str = "bob") -> None:
    """Play the registration to its end, as both sides know it."""
    registered = asyncio.create_task(client.wait("registered", SOON))
    await visitor.welcome(nick)
    assert await registered == {"nick": nick}


# --- a bare client


def test_a_bare_client_says_nothing_on_its_own(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = Client("127.0.0.1", server.port, ssl=False)
            await client.connect()
            visitor = await server.visitor()
            visitor.say("PING :token", ":s 001 bob :Welcome", "NOTICE bob :end")
            await client.wait("notice", SOON)
            await client.disconnect()
            assert await visitor.rest() == b""

    play(test())


# --- Register


def test_registration_with_login_and_a_taken_nick(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            register = Register(
                "bob",
                alternative_nicks=["robert"],
                password="door",
                sasl=Sasl("PLAIN", "bob", "secret", required=True),
                wanted_caps=["batch"],
            )
            client, usual = usual_client(server, register)
            registered = asyncio.create_task(client.wait("registered", SOON))
            await usual.reconnect.start()
            visitor = await server.visitor()
            assert [await visitor.line() for _ in range(4)] == [
                "CAP LS 302",
                "PASS door",
                "NICK bob",
                "USER bob 0 * bob",
            ]
            visitor.say(":s 433 * bob :in use", ":s CAP * LS :batch sasl=PLAIN")
            assert await visitor.line() == "NICK robert"
            assert await visitor.line() == "CAP REQ :batch sasl"
            visitor.say(":s CAP * ACK :batch sasl")
            assert await visitor.line() == "AUTHENTICATE PLAIN"
            visitor.say("AUTHENTICATE +")
            assert await visitor.line() == "AUTHENTICATE AGJvYgBzZWNyZXQ="
            visitor.say(":s 903 * :ok")
            assert await visitor.line() == "CAP END"
            visitor.say(":s 001 robert :Welcome", ":s 005 robert NICKLEN=30 LINELEN=1024 :are supported")
            assert await registered == {"nick": "robert"}
            assert register.registered
            assert register.caps.enabled == {"batch", "sasl"}
            visitor.say("PING :now")
            assert await visitor.line() == "PONG :now"
            assert client.line_limit == 1024
            visitor.say(":s CAP robert DEL :batch", ":bob!b@h QUIT :gone")
            assert await visitor.line() == "NICK bob"  # the wanted nick is free
            visitor.say(":robert!b@h NICK bob", "PING :then")
            assert await visitor.line() == "PONG :then"
            assert register.caps.enabled == {"sasl"}
            assert "QUIT" not in client._dispatcher.heard  # nobody listens for it any more
            await client.disconnect()
            assert not register.registered

    play(test())


def test_a_holder_out_of_sight_is_asked_about(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regain, "POLL", 0.01)

    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server)
            await usual.reconnect.start()
            visitor = await server.visitor()
            await visitor.until("USER")
            visitor.say(":s 433 * bob :in use", ":s CAP * LS :", ":s 001 bob_ :Welcome")
            await visitor.until("ISON bob")
            visitor.say(":s 303 bob_ :bob")
            await visitor.until("ISON bob")
            visitor.say(":s 303 bob_ :")
            await visitor.until("NICK bob")
            visitor.say(":bob_!b@h NICK bob", "NOTICE bob :end")
            await client.wait("notice", SOON)
            assert client._dispatcher.heard.keys().isdisjoint({"303", "QUIT", "NICK"})
            await client.disconnect()

    play(test())


def test_services_that_come_late_log_us_in_and_give_the_nick_back(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            register = Register("bob", sasl=Sasl("PLAIN", "bob", "secret"), regain_by_services=True)
            client, usual = usual_client(server, register)
            changes: list[tuple[str, str]] = []
            client.on("login_changed", lambda account, failure: changes.append((account, failure)))
            await usual.reconnect.start()
            visitor = await server.visitor()
            await visitor.until("USER")
            visitor.say(":s 433 * bob :in use", ":s CAP * LS :", ":s 001 bob_ :Welcome")
            visitor.say(":s 005 bob_ MONITOR=100 :are supported")
            await visitor.until("MONITOR + bob")
            assert register.login_failure
            visitor.say(":s CAP bob_ NEW :sasl=PLAIN")
            await visitor.until("CAP REQ sasl")
            visitor.say(":s CAP bob_ ACK :sasl")
            await visitor.until("AUTHENTICATE PLAIN")
            visitor.say("AUTHENTICATE +")
            await visitor.until("AUTHENTICATE AGJv")
            visitor.say(":s 900 bob_ bob_!b@h bob :in", ":s 903 bob_ :ok")
            await visitor.until("PRIVMSG NickServ :REGAIN bob")
            assert register.logged_in
            assert changes[-1] == ("bob", "")
            visitor.say(":NickServ!s@s NOTICE bob_ :bob has been ghosted.")
            await visitor.until("NICK bob")
            visitor.say(":bob_!b@h NICK bob")
            await visitor.until("MONITOR - bob")
            visitor.say(":s 901 bob bob!b@h :out", "NOTICE bob :end")
            await client.wait("notice", SOON)
            assert changes[-1][0] == ""
            assert register.account == ""
            assert "731" not in client._dispatcher.heard
            await client.disconnect()

    play(test())


@pytest.mark.parametrize(
    ("register", "lines", "reason"),
    [
        (Register("bob", password="x"), [":s 464 * :Password incorrect"], "Password incorrect"),
        (Register("bob"), ["FAIL * ACCOUNT_REQUIRED :log in first"], "log in first"),
        (
            Register("bob", sasl=Sasl("PLAIN", "bob", "x", required=True)),
            [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 * :bad password"],
            "bad password",
        ),
    ],
)
def test_refused_credentials_stop_for_good(play: Play, register: Register, lines: list[str], reason: str) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server, register)
            order: list[str] = []
            client.on("registration_failed", lambda permanent: order.append(f"failed {permanent}"))
            client.on("client_disconnect", lambda: order.append("lost"))
            client.on("client_stopped", lambda reason: order.append(reason))
            await usual.reconnect.start()
            visitor = await server.visitor()
            lost = asyncio.create_task(client.wait("client_disconnect", SOON))
            visitor.say(*lines)
            assert reason in (await lost)["reason"]
            state = usual.reconnect.state
            assert state.phase is Phase.STOPPED
            assert reason in state.reason
            assert order[0] == "failed True"
            assert "lost" in order
            assert any(reason in told for told in order)
            assert state.next_attempt is None
            assert register._timer is None

    play(test())


# --- KeepAlive


def test_a_silent_server_is_asked_and_then_given_up(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = Client("127.0.0.1", server.port, ssl=False)
            KeepAlive(silence=0.02, patience=0.05).install(client)
            await client.connect()
            visitor = await server.visitor()
            for _ in range(3):
                ping = await visitor.until("PING")
                visitor.say(ping.replace("PING", "PONG"))
            await visitor.until("PING")
            lost = await client.wait("client_disconnect", SOON)
            assert "did not answer" in lost["reason"]

    play(test())


def test_our_own_silence_is_not_held_against_the_server(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = Client("127.0.0.1", server.port, ssl=False)
            KeepAlive(silence=0.01, patience=0.01).install(client)
            lost: list[str] = []
            client.on("client_disconnect", lambda reason: lost.append(reason))
            await client.connect()
            await server.visitor()
            connection = client.connection
            assert connection is not None
            connection.last_heard = 0.0
            for _ in range(1000):
                connection.take()
            assert not connection.reading
            with pytest.raises(TimeoutError):
                await client.wait("client_disconnect", 0.1)
            for _ in range(1000):
                connection.release()
            assert "did not answer" in (await client.wait("client_disconnect", SOON))["reason"]

    play(test())


# --- Reconnect


@pytest.mark.usefixtures("quick")
def test_it_comes_back_to_the_next_server(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as first, FakeServer() as second:
            servers = [Server("127.0.0.1", each.port, tls=False) for each in (first, second)]
            client = Client("unused.example", 1)
            usual = install_usual(client, Register("bob"), servers=servers)
            assert phase(usual) is Phase.IDLE
            await usual.reconnect.start()
            assert phase(usual) is Phase.CONNECTED
            for server in (first, second, first):
                visitor = await server.visitor()
                await settled(client, visitor)
                waiting = asyncio.create_task(client.wait("client_disconnect", SOON))
                await asyncio.sleep(0)
                visitor.close()
                await waiting
                state = usual.reconnect.state
                assert state.phase is Phase.WAITING
                assert state.reason == "the server closed the connection"
                assert state.next_attempt is not None
            assert usual.reconnect.state.attempts == 3
            await second.visitor()
            usual.reconnect.stop("enough")
            await client.disconnect()
            assert usual.reconnect.state.reason == "enough"

    play(test())


@pytest.mark.usefixtures("quick")
def test_it_goes_on_through_refused_connects(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server)
            await server.shut()
            failed = 0

            @client.on("client_connect_failed")
            async def count() -> None:
                nonlocal failed
                failed += 1
                if failed == 3:
                    await server.open()

            await asyncio.wait_for(usual.reconnect.start(), SOON)
            assert failed >= 3
            assert phase(usual) is Phase.CONNECTED
            await client.disconnect()
            assert phase(usual) is Phase.STOPPED

    play(test())


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["ERROR :Closing Link: bob (K-Lined: go away)"], Cause.BANNED),
        ([":s 465 bob :You are banned", "ERROR :Closing Link"], Cause.BANNED),
        (["ERROR :Trying to reconnect too fast."], Cause.THROTTLED),
        (["ERROR :Server shutting down"], Cause.LOST),
    ],
)
def test_the_servers_last_words_decide_the_wait(play: Play, lines: list[str], cause: Cause) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            pacing = HostPacing(2.0)
            client = Client("127.0.0.1", server.port, ssl=False)
            Register("bob").install(client)
            reconnect = Reconnect(pacing=pacing, rng=lambda: 0.0, clock=lambda: 1000.0).install(client)
            await reconnect.start()
            visitor = await server.visitor()
            lost = asyncio.create_task(client.wait("client_disconnect", SOON))
            visitor.say(*lines)
            visitor.close()
            await lost
            assert reconnect.state.next_attempt == 1000.0 + policy._WAITS[cause][0]
            assert (pacing.reserve("127.0.0.1", 1000.0) > 0.0) == (cause is Cause.THROTTLED)
            reconnect.stop("enough")

    play(test())


@pytest.mark.parametrize(("taken", "phase"), [(False, Phase.STOPPED), (True, Phase.WAITING)])
def test_a_bad_password_told_in_an_error_stops_it_while_it_registers(play: Play, taken: bool, phase: Phase) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = Client("127.0.0.1", server.port, ssl=False)
            Register("bob", password="wrong").install(client)
            reconnect = Reconnect(rng=lambda: 0.0).install(client)
            await reconnect.start()
            visitor = await server.visitor()
            lost = asyncio.create_task(client.wait("client_disconnect", SOON))
            if taken:
                visitor.say(":s 001 bob :Welcome")
            visitor.say("ERROR :Access denied: Bad password?")
            visitor.close()
            await lost
            assert reconnect.state.phase is phase
            assert "Bad password" in reconnect.state.reason
            reconnect.stop("enough")

    play(test())


def test_all_clients_of_a_process_share_the_pace_of_a_host(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            pacing = HostPacing(60.0, burst=2)
            made = [usual_client(server, pacing=pacing) for _ in range(4)]
            for _, usual in made:
                usual.reconnect.start_soon()
            await asyncio.gather(*(client.connected(SOON) for client, _ in made[:2]))
            assert [phase(usual) for _, usual in made] == [Phase.CONNECTED] * 2 + [Phase.WAITING] * 2
            for client, usual in made:
                usual.reconnect.stop("enough")
                await client.disconnect()

    play(test())


def test_reconnect_now_whatever_the_state(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server)
            reconnect = usual.reconnect
            reasons: list[str] = []
            client.on("client_disconnect", lambda reason: reasons.append(reason))
            reconnect.reconnect_now()  # idle
            await client.connected(SOON)
            await server.visitor()
            again = asyncio.create_task(client.wait("client_connect", SOON))
            await asyncio.sleep(0)
            reconnect.reconnect_now("new settings")  # connected
            await again
            assert reasons == ["new settings"]
            assert phase(reconnect) is Phase.CONNECTED
            visitor = await server.visitor()
            lost = asyncio.create_task(client.wait("client_disconnect", SOON))
            await asyncio.sleep(0)
            visitor.close()
            await lost
            assert phase(reconnect) is Phase.WAITING
            reconnect.reconnect_now()  # waiting
            await client.connected(SOON)
            reconnect.stop("held")  # a connection that is up stays up
            assert client.is_connected
            await client.disconnect()
            assert reconnect.state == reconnect.state.__class__(
                Phase.STOPPED, reconnect.state.server, reconnect.state.attempts, None, "held"
            )
            reconnect.reconnect_now()  # stopped
            reconnect.reconnect_now()  # connecting
            await client.connected(SOON)
            await client.disconnect()

    play(test())


def test_stop_gives_up_an_attempt_and_tells_who_waits(play: Play) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client = Client("127.0.0.1", server.port)  # TLS with a server that never shakes hands
            reconnect = Reconnect().install(client)
            stopped: list[str] = []
            client.on("client_stopped", lambda reason: stopped.append(reason))
            starting = asyncio.create_task(reconnect.start())
            await server.visitor()
            assert phase(reconnect) is Phase.CONNECTING
            reconnect.stop("changed my mind")
            with pytest.raises(ConnectionError, match="changed my mind"):
                await starting
            assert stopped == ["changed my mind"]
            starting = asyncio.create_task(reconnect.start())
            await server.visitor()
            await client.disconnect()
            with pytest.raises(ConnectionError):
                await starting
            assert phase(reconnect) is Phase.STOPPED

    play(test())


# --- endings as what they are


def test_after_two_kills_for_the_nick_it_is_left_to_the_other(play: Play, quick: None) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server, Register("bob", alternative_nicks=["robert"]))
            await usual.reconnect.start()
            for asked in ("bob", "bob", "robert"):
                visitor = await server.visitor()
                assert await visitor.until("NICK") == f"NICK {asked}"
                visitor.say(":s CAP * LS :", f":s 001 {asked} :Welcome")
                await visitor.until("CAP END")
                if asked == "bob":
                    visitor.say(":NickServ!s@s KILL bob :services!NickServ (GHOST command used by alice)")
                    visitor.say("ERROR :Closing Link: h (Killed (NickServ (GHOST command used by alice)))")
                    visitor.close()
            visitor.say("PING :quiet")
            assert await visitor.line() == "PONG :quiet"  # it does not look for the nick either
            await client.disconnect()

    play(test())


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ([], "killed by oper: go away"),
        (["ERROR :Closing Link: h (Killed (oper (go away)))"], "killed by oper: go away"),
    ],
)
def test_who_killed_us_and_why(play: Play, last: list[str], reason: str) -> None:
    async def test() -> None:
        async with FakeServer() as server:
            client, usual = usual_client(server)
            await usual.reconnect.start()
            visitor = await server.visitor()
            await settled(client, visitor)
            gone = asyncio.create_task(client.wait("client_disconnect", SOON))
            visitor.say(":oper!o@h KILL bob :irc.test!h!oper (go away)", *last)
            visitor.close()
            assert (await gone)["reason"] == reason
            assert usual.reconnect.cause is Cause.KILLED
            state = usual.reconnect.state
            assert state.next_attempt is not None
            usual.reconnect.stop("enough")

    play(test())
