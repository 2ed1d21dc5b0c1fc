"""Networks that can't be reached as the user thinks: told by `status` in a clear sentence, and costing nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.certificates import fingerprint_of
from peers.desk import Desk
from peers.ircds import Network
from peers.talker import Talker
from peers.usage import descriptors, processor, resident
from peers.waiting import eventually, free_port, ticks

SECRET = "the-proxy-password"
TRIES = 20
QUIET_SECONDS = 3.0
BUSY_LIMIT = 0.3  # of a processor, over those seconds: a loop of text takes a whole one
GROWTH_LIMIT = 8 << 20  # bytes
OTHER_PRINT = "ab" * 32


@pytest.fixture
async def ngircd(start_network: Callable[[str], Awaitable[Network]]) -> Network:
    return await start_network("ngircd")


@pytest.fixture
async def running(ngircd: Network, bouncer: Bouncer) -> Bouncer:
    quit_message = "gone fishing"
    net = network("net", ngircd, tls=False, nick="alice", channels=["#t"], quit_message=quit_message)
    await bouncer.apply(user("alice", net))
    await bouncer.start()
    return bouncer


@pytest.fixture
async def desk(running: Bouncer) -> AsyncIterator[Desk]:
    desk = await Desk.open(running.home)
    yield desk
    desk.close()


async def has(desk: Desk, label: str, state: str, *words: str, timeout: float = 20.0) -> dict[str, Any]:
    """Wait until `status` says so of a network; the words are of its reason."""

    async def says() -> dict[str, Any]:
        found = await desk.network(label)
        missing = [word for word in words if word not in found["reason"]]
        assert (found["state"], missing) == (state, []), found["reason"]
        return found

    return await eventually(says, timeout, f"{label} is {state} because of {words}")


# --- itself ----------------------------------------------------------------------------------------------------------


async def test_a_network_that_is_the_bouncer_itself(running: Bouncer, desk: Desk, talkers: list[Talker]) -> None:
    """Whatever it logs in as: it ends, says why, and uses nothing."""
    plain, pin = f"irc+insecure://127.0.0.1:{running.port}", fingerprint_of(running.tls_port)
    tls = (f"servers=ircs://localhost:{running.tls_port}", f"tls_fingerprint={pin}")
    await has(desk, "alice/net", "connected")
    watch = await Talker.connect(running.port, "n", password=f"alice/net@watch:{PASSWORD}")
    talkers.append(watch)
    await watch.flushed()
    before = resident(running.pid)
    itself = "it is this bouncer itself"
    await desk.do(
        "network",
        "create",
        "alice/ring-b",
        f"servers={plain}",
        f"server_password=alice/ring-a:{PASSWORD}",
        "enabled=no",
    )
    for name, reason, settings in (
        ("own", itself, (f"servers={plain}", f"server_password=alice/own:{PASSWORD}")),
        ("tls", itself, (*tls, f"server_password=alice/tls@x:{PASSWORD}")),
        ("lobby", itself, (f"servers={plain}", f"server_password=alice:{PASSWORD}")),
        ("sasl", itself, (*tls, "sasl.user=alice/sasl", f"sasl.password={PASSWORD}")),
        ("ring-a", itself, (f"servers={plain}", f"server_password=alice/ring-b:{PASSWORD}")),
        ("stranger", "assword", (f"servers={plain}",)),
        ("wrong", "assword", (f"servers={plain}", "server_password=alice/net:no")),
    ):
        await desk.do("network", "create", f"alice/{name}", "channels=#t", *settings)
        await has(desk, f"alice/{name}", "stopped", reason)
    await desk.do("network", "connect", "alice/ring-b")
    await has(desk, "alice/ring-b", "stopped", itself)
    # one that was elsewhere before, and is told of the bouncer while a client looks
    address = (await desk.network("alice/net"))["server"]
    await desk.do("network", "update", "alice/net", f"servers={plain}", f"server_password=alice/net:{PASSWORD}")
    await has(desk, "alice/net", "stopped", itself)
    await watch.line(lambda line: line.command == "NOTICE" and itself in line.text)
    for name in ("own", "tls", "lobby", "sasl", "ring-a", "ring-b"):
        await desk.do("network", "connect", f"alice/{name}")

    used, at_first = processor(running.pid), len(watch.lines)
    async for _ in ticks(QUIET_SECONDS / 3, QUIET_SECONDS):
        pass
    assert processor(running.pid) - used < QUIET_SECONDS * BUSY_LIMIT
    for name in ("own", "tls", "lobby", "sasl", "ring-a", "ring-b"):
        await has(desk, f"alice/{name}", "stopped", itself)
    assert resident(running.pid) - before < GROWTH_LIMIT
    assert len(watch.lines) - at_first < 10, [line.raw for line in watch.lines[at_first:]]
    await desk.do("network", "update", "alice/net", f"servers=irc+insecure://{address}", "server_password=")
    await has(desk, "alice/net", "connected")
    assert running.output().count("alice attached") < 100  # going round would be thousands


# --- proxies ---------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def proxy(answer: bytes | None, *, then_close: bool = False) -> AsyncIterator[int]:
    """A proxy of sorts on a free port: says the same whatever it is asked, or nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            await reader.read(1)
            writer.write(answer or b"")
            while not then_close and await reader.read(4096):
                pass
        writer.close()

    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def failed_since(desk: Desk, label: str, mark: float) -> bool:
    found = await desk.network(label)
    return bool(found["since"] > mark and found["state"] == "waiting")


async def test_proxies_that_do_not_work(running: Bouncer, desk: Desk) -> None:
    """Each is named in the reason, without its password; trying again and again leaves nothing open."""
    garbage = bytes(range(256)) * 64
    async with contextlib.AsyncExitStack() as stack:
        silent = await stack.enter_async_context(proxy(None))
        mad = await stack.enter_async_context(proxy(garbage))
        gone = await stack.enter_async_context(proxy(b"", then_close=True))
        denies = await stack.enter_async_context(proxy(b"HTTP/1.1 407 Log in first\r\n\r\n"))
        forbids = await stack.enter_async_context(proxy(b"HTTP/1.1 403 \x1b[2JNo\r\n\r\n"))
        socks_denies = await stack.enter_async_context(proxy(b"\x05\xff"))
        long = await stack.enter_async_context(proxy(b"HTTP/1.1 200 " + b"x" * 20_000))
        closed = free_port()
        ways = {
            "refuses": (f"socks5://bob:{SECRET}@127.0.0.1:{closed}", closed),
            "refuses-http": (f"http://bob:{SECRET}@127.0.0.1:{closed}", closed),
            "mad-socks5": (f"socks5://bob:{SECRET}@127.0.0.1:{mad}", mad),
            "mad-socks4": (f"socks4://bob@127.0.0.1:{mad}", mad),
            "mad-http": (f"http://bob:{SECRET}@127.0.0.1:{mad}", mad),
            "gone-socks5": (f"socks5://bob:{SECRET}@127.0.0.1:{gone}", gone),
            "gone-http": (f"http://bob:{SECRET}@127.0.0.1:{gone}", gone),
            "denies": (f"http://bob:{SECRET}@127.0.0.1:{denies}", denies),
            "forbids": (f"http://bob:{SECRET}@127.0.0.1:{forbids}", forbids),
            "socks-denies": (f"socks5://bob:{SECRET}@127.0.0.1:{socks_denies}", socks_denies),
            "long": (f"http://bob:{SECRET}@127.0.0.1:{long}", long),
            "no-host": (f"socks5://bob:{SECRET}@no-such-host.invalid:1080", 1080),
        }
        for name, (url, _) in ways.items():
            await desk.do("network", "create", f"alice/{name}", "servers=ircs://irc.test:6697", f"proxy={url}")
        for kind in ("socks5", "http"):
            url = f"{kind}://bob:{SECRET}@127.0.0.1:{silent}"
            await desk.do("network", "create", f"alice/hangs-{kind}", "servers=ircs://irc.test:6697", f"proxy={url}")
            await has(desk, f"alice/hangs-{kind}", "connecting")
        shown = []
        for name, (_, port) in ways.items():
            found = await has(desk, f"alice/{name}", "waiting", "proxy", f":{port}")
            assert found["next_try"] > found["since"], found
            assert found["reason"].isprintable(), found
            shown.append(found["reason"])
        assert shown[0].endswith("could not be reached: Connection refused")
        before, again = 0, [*ways, "hangs-socks5", "hangs-http"]
        for number in range(TRIES + 1):
            marks = {name: (await desk.network(f"alice/{name}"))["since"] for name in ways if name != "no-host"}
            for name in again:
                await desk.do("network", "reconnect", f"alice/{name}")
            for name, mark in marks.items():  # not no-host: a resolver takes what time it takes
                await eventually(partial(failed_since, desk, f"alice/{name}", mark), what=f"{name} is tried again")
            if not number:
                before = descriptors(running.pid)
        await has(desk, "alice/no-host", "waiting", "proxy")

        def flat() -> bool:
            assert descriptors(running.pid) <= before, (before, descriptors(running.pid))
            return True

        await eventually(flat, what="no descriptor is left over")
        for kind in ("socks5", "http"):
            found = await has(
                desk,
                f"alice/hangs-{kind}",
                "waiting",
                "no connection within",
                f"proxy {kind}://127.0.0.1:{silent}",
                timeout=45,
            )
            assert found["next_try"] > found["since"], found
            shown.append(found["reason"])
        for name in again:
            await desk.do("network", "delete", f"alice/{name}")
        assert SECRET not in "".join(shown) + running.output()
        status = await running.command("status")
        assert SECRET not in status.out
    assert "Traceback" not in running.output()
    await has(desk, "alice/net", "connected")


# --- certificates ----------------------------------------------------------------------------------------------------


async def test_a_certificate_that_does_not_match(running: Bouncer, desk: Desk, ngircd: Network) -> None:
    """The reason has the fingerprint to pin; pinned, the network connects."""
    server = f"servers={ngircd.url(tls=True)}"
    cases = {"unpinned": (), "wrong": (f"tls_fingerprint={OTHER_PRINT}",)}
    for name, settings in cases.items():
        await desk.do("network", "create", f"alice/{name}", server, f"nick={name}", *settings)
        found = await has(desk, f"alice/{name}", "waiting", "certificate", ngircd.fingerprint)
        assert found["next_try"] > found["since"], found
        assert found["reason"].isprintable(), found
        assert ngircd.fingerprint in (await running.command("status", "alice")).out
    for name in cases:
        await desk.do("network", "update", f"alice/{name}", f"tls_fingerprint={ngircd.fingerprint}")
        await has(desk, f"alice/{name}", "connected")
    await desk.do("network", "update", "alice/wrong", "tls_fingerprint=")
    await has(desk, "alice/wrong", "waiting", ngircd.fingerprint)
    # TLS where there is none
    await desk.do("network", "update", "alice/wrong", f"servers=ircs://127.0.0.1:{running.port}")
    await has(desk, "alice/wrong", "waiting", "does not speak TLS")


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_sigterm_says_the_quit_message(
    running: Bouncer, desk: Desk, ngircd: Network, talkers: list[Talker]
) -> None:
    bob = await Talker.connect(ngircd.port, "bob")
    talkers.append(bob)
    await bob.join("#t")
    await bob.sees("alice", "#t")
    await desk.do("network", "create", "alice/plain", f"servers={ngircd.url(tls=False)}", "nick=plain", "channels=#t")
    await bob.sees("plain", "#t")
    with socket.create_server(
        ("127.0.0.1", 0)
    ) as silent:  # neither this one nor a client that reads nothing hold it up
        port = silent.getsockname()[1]
        await desk.do("network", "create", "alice/silent", f"servers=irc+insecure://127.0.0.1:{port}")
        phone = await Talker.connect(running.port, "n", password=f"alice/net@phone:{PASSWORD}")
        talkers.append(phone)
        assert running.terminate() == 0
    quits = {}
    for nick in ("alice", "plain"):
        line = await bob.line(lambda line, nick=nick: line.command == "QUIT" and line.nick == nick)  # type: ignore[misc]
        quits[nick] = line.text
    assert "gone fishing" in quits["alice"]
    assert "bouncer is going down" in quits["plain"]
    await phone.end()
    assert "going down" in phone.lines[-1].text
    assert "Traceback" not in running.output()
