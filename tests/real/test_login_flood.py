"""2,000 logins a second with a wrong password from one address: those who are attached notice nothing.

The flood comes from an address of this machine that is not the loopback, since the loopback has no limits.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.ircds import Network
from peers.swarm import Member
from peers.usage import resident
from peers.waiting import eventually, free_port, ticks

RATE = 2000  # connections per second
SECONDS = 10
PROBE_EVERY = 0.01  # seconds between two lines whose way is timed
HELD_LIMIT = 8  # wrong answers of one address that are held back for a while
P99_LIMIT = 0.020  # seconds
GROWTH_LIMIT = 8 << 20  # bytes that may stay in use


def outer_address() -> str:
    """An address of this machine under which it is known outside. No packet is sent for finding it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has the loopback only")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has the loopback only")
    return address


class Clocked(Member):
    """Notes how long each timed line took from its sayer to here."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.delays: list[float] = []

    def _line(self, line: str) -> None:
        before, _, moment = line.rpartition(":at ")
        if before:
            self.delays.append(time.monotonic() - float(moment))
        else:
            super()._line(line)


async def probe(sayer: Member, seconds: float) -> None:
    """Say the time every so often."""
    async for now in ticks(PROBE_EVERY, seconds):
        sayer.send(f"PRIVMSG #c :at {now}")


def p99(delays: list[float]) -> float:
    assert len(delays) > 100, "too few lines came to say anything"
    return sorted(delays)[int(len(delays) * 0.99)]


async def test_a_flood_of_wrong_passwords(start_network: Callable[[str], Awaitable[Network]], bouncer: Bouncer) -> None:
    address = outer_address()
    ngircd = await start_network("ngircd")
    port = free_port()
    bouncer.configure()
    settings = bouncer.home / "bouncer.toml"
    settings.write_text(settings.read_text().replace("listen = [", f'listen = ["irc+insecure://{address}:{port}", '))
    await bouncer.start()
    await bouncer.apply(user("alice", network("net", ngircd, tls=False, nick="alice", channels=["#c"])))
    sayer = await Member.attach(ngircd.port, "bob", "", "", nick="bob")
    sayer.send("JOIN #c")
    await sayer.mark()
    alice = await Clocked.attach(bouncer.port, "alice", "alice/net@here", PASSWORD, nick="alice")

    def heard() -> bool:
        sayer.send("PRIVMSG #c :hello")
        return bool(alice.texts["#c"])

    await eventually(heard, 20, "alice hears bob")

    await probe(sayer, 3)
    quiet, alice.delays = p99(alice.delays), []
    before = resident(bouncer.pid)
    script = Path(__file__).parent / "peers" / "flood.py"
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), address, str(port), str(RATE), str(SECONDS)), stdout=asyncio.subprocess.PIPE
    )
    await probe(sayer, SECONDS)
    out, _ = await flood.communicate()
    busy = p99(alice.delays)
    told = json.loads(out)
    print(f"p99 {quiet * 1000:.1f} ms before, {busy * 1000:.1f} ms in the flood; {told}")
    assert told["made"] + told["held"] >= RATE * SECONDS * 0.95, "the flood was none"
    assert told["open"] <= HELD_LIMIT, "some were left without an answer"
    assert busy < P99_LIMIT, busy
    again = await Member.attach(bouncer.port, "again", "alice/net@again", PASSWORD, nick="alice")
    await bouncer.durable()
    assert resident(bouncer.pid) - before < GROWTH_LIMIT, (before, resident(bouncer.pid))
    for member in (sayer, alice, again):
        member.cut()
