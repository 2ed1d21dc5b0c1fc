"""Strangers at the door: some say half of what it takes to come in, some say what is wrong ten thousand times.

The bouncer gets rid of all of them, with a word where they can read one; who is in, and who knows the password, does
not notice, and what they cost is given back.
"""

import asyncio
import base64
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from peers.bouncer import PASSWORD, Bouncer, network, user
from peers.certificates import unverified
from peers.ircds import Network
from peers.talker import Talker
from peers.usage import descriptors, resident
from peers.waiting import eventually, free_port, ticks

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xa5" * 50  # the beginning of one: more is to come
SILENT = 200
DEADLINE = 30.0  # seconds that a client has until it must be in
HANDSHAKE = 10.0  # seconds for one of TLS
SLACK = 10.0  # seconds later than that, on a machine that is busy
GROWTH_LIMIT = 8 << 20  # bytes that may stay in use: the allocator's share
ATTEMPTS = 4_000  # ten thousand take a minute more, and show nothing else
PAUSE = 0.2  # seconds of one attacker between two
AT_ONCE = 420  # of them: fewer than the door has room for, so that the right ones find a place
PLACES = 3  # addresses that they come from
RIGHT_WITHIN = 1.0  # seconds that others may hold a right password up


class Stranger(asyncio.Protocol):
    """A connection that says something at once and reads to the end."""

    def __init__(self, words: bytes) -> None:
        self.said = words
        self.heard = b""
        self.lasted = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._since = time.monotonic()

    @classmethod
    async def come(
        cls, port: int, words: bytes, *, host: str = "127.0.0.1", source: str = "", tls: bool = False
    ) -> "Stranger":
        loop = asyncio.get_running_loop()
        _, stranger = await loop.create_connection(
            lambda: cls(words),
            host,
            port,
            ssl=unverified() if tls else None,
            local_addr=(source, 0) if source else None,
        )
        return stranger

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self.said)

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lasted = time.monotonic() - self._since
        if not self.over.done():
            self.over.set_result(None)

    @property
    def last(self) -> str:
        return self.heard.strip().rpartition(b"\n")[2].decode(errors="replace").strip()

    def cut(self) -> None:
        self._transport.abort()


def outer_address() -> str:
    """An address of this machine under which it is known outside, "" if it has none. No packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
    return "" if address.startswith("127.") else address


@pytest.fixture
def outside(bouncer: Bouncer) -> tuple[str, int] | None:
    """Another listener, at an address under which the machine is known outside; None if it has none."""
    address, port = outer_address(), free_port()
    if not address:
        return None
    settings = bouncer.home / "bouncer.toml"
    settings.write_text(settings.read_text().replace("listen = [", f'listen = ["irc+insecure://{address}:{port}", '))
    return address, port


@pytest.fixture
async def running(
    start_network: Callable[[str], Awaitable[Network]], bouncer: Bouncer, outside: tuple[str, int] | None
) -> Bouncer:
    server = await start_network("ngircd")
    await bouncer.apply(
        user("alice", network("net", server, tls=False, nick="alice", channels=["#t"])),
        user("bob", network("net", server, tls=False, nick="bob", channels=["#t"])),
    )
    await bouncer.start()
    return bouncer


@pytest.fixture
async def watch(running: Bouncer, talkers: list[Talker]) -> AsyncIterator[Talker]:
    """A client of alice's that is in, and is answered all the time."""
    watch = await Talker.connect(running.port, "alice", password=f"alice/net@watch:{PASSWORD}")
    talkers.append(watch)

    async def ping() -> None:
        async for _ in ticks(0.1, 600):
            sent = time.monotonic()
            await watch.flushed()
            waits.append(time.monotonic() - sent)

    waits: list[float] = []
    pinging = asyncio.create_task(ping())
    yield watch
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)
    assert not watch.closed
    assert sorted(waits)[int(len(waits) * 0.9)] < 0.5, sorted(waits)[-5:]


def plain(login: str, password: str) -> bytes:
    return base64.b64encode(f"\0{login}\0{password}".encode())


HALF = {
    "nothing": b"",
    "NICK only": b"NICK alice\r\n",
    "USER only": b"USER alice 0 * :a\r\n",
    "PASS and no USER": f"PASS alice/net:{PASSWORD}\r\nNICK alice\r\n".encode(),
    "CAP LS without END": f"CAP LS 302\r\nPASS alice/net:{PASSWORD}\r\nNICK a\r\nUSER a 0 * :a\r\n".encode(),
    "CAP REQ without END": b"CAP REQ :sasl server-time\r\nNICK a\r\nUSER a 0 * :a\r\n",
    "SASL begun": b"CAP REQ :sasl\r\nNICK a\r\nUSER a 0 * :a\r\nAUTHENTICATE PLAIN\r\n",
    "SASL in pieces": b"CAP REQ :sasl\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE " + b"A" * 400 + b"\r\n",
    "SCRAM half way": b"CAP REQ :sasl\r\nAUTHENTICATE SCRAM-SHA-256\r\nAUTHENTICATE "
    + base64.b64encode(b"n,,n=alice,r=abcdefgh")
    + b"\r\n",
    "SASL done, no END": b"CAP REQ :sasl\r\nNICK a\r\nUSER a 0 * :a\r\nAUTHENTICATE PLAIN\r\nAUTHENTICATE "
    + plain("alice/net", PASSWORD)
    + b"\r\n",
    "half a line": b"NICK alice\r\nUSER alice 0 * :a",
}


async def test_who_never_finishes_is_cut_off(running: Bouncer, watch: Talker, talkers: list[Talker]) -> None:
    """By the deadline, with a word; so is, sooner, who begins a TLS handshake and is silent then, 200 at once."""
    pid = running.pid
    talkers.append(await Talker.connect(running.port, "n", password=f"bob/net@warm:{PASSWORD}", caps="sasl"))
    before = descriptors(pid)
    warm = [Stranger.come(running.tls_port, HELLO) for _ in range(SILENT)]
    warm += [Stranger.come(running.tls_port, b"NICK n\r\n", tls=True) for _ in range(SILENT // 2)]
    for each in await asyncio.gather(*warm):
        each.cut()

    def given_back() -> bool:
        assert descriptors(pid) <= before + 1, (descriptors(pid), before)  # one for who has logged in meanwhile
        return True

    await eventually(given_back, what="those who hang up are gone")
    size = resident(pid)  # from here on the allocator has what it will keep
    hellos = await asyncio.gather(*(Stranger.come(running.tls_port, HELLO) for _ in range(SILENT)))
    halves = await asyncio.gather(
        *(Stranger.come(running.port, words) for words in HALF.values() for _ in range(6)),
        *(Stranger.come(running.tls_port, words, tls=True) for words in HALF.values() for _ in range(6)),
    )
    dripping = await asyncio.gather(*(Stranger.come(running.port, b"CAP LS 302\r\n") for _ in range(5)))
    early = [each for each in (*hellos, *halves) if each.over.done()]
    assert not early, [(each.said, each.heard) for each in early]
    assert descriptors(pid) >= before + SILENT + len(halves), (before, descriptors(pid))

    async def drip() -> None:
        """Who says something all the time is not in for that."""
        async for _ in ticks(0.5, DEADLINE + SLACK):
            for each in dripping:
                each._transport.write(b"PING :still here\r\n")  # a closed transport drops it

    dripper = asyncio.create_task(drip())
    login = await Talker.connect(running.tls_port, "n", tls=True, password=f"bob/net@tls:{PASSWORD}")
    talkers.append(login)
    await asyncio.wait_for(asyncio.gather(*(each.over for each in hellos)), HANDSHAKE + SLACK)
    assert min(each.lasted for each in hellos) > HANDSHAKE / 2
    assert all(each.said == HELLO and not each.heard.startswith(b"ERROR") for each in hellos)
    await asyncio.wait_for(asyncio.gather(*(each.over for each in (*halves, *dripping))), DEADLINE + SLACK)
    dripper.cancel()
    for each in (*halves, *dripping):
        assert each.last.startswith("ERROR :"), (each.said, each.heard)
        assert " 001 " not in each.heard.decode()
        assert DEADLINE / 2 < each.lasted < DEADLINE + SLACK, (each.said, each.lasted)

    await eventually(given_back, what="their descriptors are given back")
    assert resident(pid) - size < GROWTH_LIMIT, (size, resident(pid))
    await login.flushed()
    assert "Traceback" not in running.output()


# --- ten thousand wrong passwords ------------------------------------------------------------------------------------


def wrong(number: int) -> bytes:
    """One of many ways to be wrong: PASS and SASL, of users who exist and of others, with many names and with few."""
    name = ("alice/net", "nobody", "alice@phone", "nobody/net")[number % 4] if number % 20 else f"user{number}"
    who = b"NICK n\r\nUSER x 0 * :x\r\n"
    if number % 3 == 2:
        tries = b"AUTHENTICATE PLAIN\r\nAUTHENTICATE %s\r\n" % plain(name, f"wrong{number}")
        return b"CAP REQ :sasl\r\n" + who + tries + b"CAP END\r\n"
    return f"PASS {name}:wrong{number}\r\n".encode() + who


async def test_thousands_of_wrong_passwords(running: Bouncer, watch: Talker, outside: tuple[str, int] | None) -> None:
    """From several addresses at once, one of them with the limits of strangers; meanwhile who knows the password comes
    in from another."""
    pid = running.pid
    before = descriptors(pid)
    endings: Counter[str] = Counter()
    numbers = iter(range(ATTEMPTS))
    done = asyncio.Event()

    async def attack(place: int) -> None:
        for number in numbers:
            if outside and not place % 10:
                stranger = await Stranger.come(outside[1], wrong(number), host=outside[0])
            else:
                stranger = await Stranger.come(running.port, wrong(number), source=f"127.0.0.{2 + place % PLACES}")
            try:
                await asyncio.wait_for(stranger.over, DEADLINE + SLACK)
            finally:
                stranger.cut()
            assert " 001 " not in stranger.heard.decode(errors="replace"), stranger.said
            endings[stranger.last or "reset"] += 1
            async for _ in ticks(PAUSE, PAUSE):  # or the test's own work would be what slows everything
                pass

    async def right(login: str) -> float:
        """Log in; the seconds it took."""
        since = time.monotonic()
        who = f"PASS {login}:{PASSWORD}\r\nNICK n\r\nUSER x 0 * :x\r\n".encode()
        stranger = await Stranger.come(running.port, who, source="127.0.0.99")
        await eventually(lambda: b" 001 " in stranger.heard or stranger.over.done(), 30, "a right login ends")
        stranger.cut()
        assert b" 001 " in stranger.heard, stranger.heard
        return time.monotonic() - since

    async def rights() -> list[float]:
        took = []
        for number, login in enumerate(("alice/net", "bob/net", "alice", "bob") * 100):
            if done.is_set():
                break
            took.append(await right(f"{login}@right{number % 5}"))
            async for _ in ticks(0.3, 0.3):
                pass
        return took

    warm = await Stranger.come(running.port, wrong(0))
    await asyncio.wait_for(warm.over, DEADLINE)
    quiet = max([await right("bob/net@right") for _ in range(5)])
    size = resident(pid)
    logins = asyncio.create_task(rights())
    since = time.monotonic()
    await asyncio.gather(*(attack(place) for place in range(AT_ONCE)))
    done.set()
    took = sorted(await logins)
    whole = time.monotonic() - since
    print(
        f"{whole:.1f} s; {len(took)} right logins: {took[len(took) // 2]:.2f} to {took[-1]:.2f} s, {quiet:.2f} before"
    )
    print(endings)
    assert endings.total() == ATTEMPTS
    # who is turned away before it has said anything may see its own words rejected before it sees ours
    unclear = sum(count for ending, count in endings.items() if not ending.startswith("ERROR :"))
    assert unclear <= (endings.total() * 0.02 if outside else 0), endings
    assert len(took) > 3
    # on a machine that is busy, what a login takes by itself grows with what else there is to do
    assert took[int(len(took) * 0.9)] < RIGHT_WITHIN + 3 * quiet, (quiet, took)
    assert took[-1] < 5 * (RIGHT_WITHIN + quiet), (quiet, took)

    def given_back() -> bool:
        assert descriptors(pid) <= before + 1, (descriptors(pid), before)
        return True

    await eventually(given_back, what="their descriptors are given back")
    assert resident(pid) - size < GROWTH_LIMIT, (size, resident(pid))
    assert "Traceback" not in running.output()
    assert "wrong" + "1" not in running.output()
