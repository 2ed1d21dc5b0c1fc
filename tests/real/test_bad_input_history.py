"""Questions for history that nobody should ask: for 10^9 lines, a thousand at once, of conversations that never were.

Each is answered, or refused as draft/chathistory says. Who asks so much waits; others do not, and the bouncer's memory
stays what it was, whether the answers are read or not.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import pytest
from peers.bouncer import PASSWORD, Bouncer, user
from peers.historian import CAPS, Historian
from peers.scripted import Scripted
from peers.talker import Talker
from peers.usage import resident
from peers.waiting import eventually, ticks

LINES = 20_000
CHANNELS = tuple(f"#c{number}" for number in range(50))
AT_ONCE = 1000
MOST = 1000  # lines in one answer, as the bouncer announces
GROWTH_LIMIT = 48 << 20  # bytes; the answers to all questions of one test are some times that
OTHERS_WAIT = 0.25  # seconds that another client may wait for its answer, in 9 of 10 cases


class Asker(asyncio.Protocol):
    """A client that puts many questions and only counts what comes; it reads, or it does not."""

    def __init__(self) -> None:
        self.answers = 0
        self.fails = 0
        self.size = 0
        self.closed = False
        self.ready = False
        self._rest = b""
        self.transport: asyncio.Transport

    @classmethod
    async def come(cls, port: int, device: str) -> "Asker":
        loop = asyncio.get_running_loop()
        transport, asker = await loop.create_connection(cls, "127.0.0.1", port)
        login = f"CAP REQ :{CAPS}\r\nCAP END\r\nPASS alice/net@{device}:{PASSWORD}\r\nNICK a\r\nUSER a 0 * :a\r\n"
        transport.write(f"{login}PING :ready\r\n".encode())
        await eventually(lambda: asker.ready, what=f"{device} is in")
        return asker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.size += len(data)
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self.answers += b" BATCH -" in line[:60]
            self.fails += b" FAIL CHATHISTORY " in line[:60]
            self.ready = self.ready or line.endswith(b"ready")

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def ask(self, questions: Sequence[str]) -> None:
        self.transport.write("".join(f"CHATHISTORY {question}\r\n" for question in questions).encode())


class Filled(NamedTuple):
    """A running bouncer that has some history, and one more client, which is answered all the time."""

    bouncer: Bouncer
    watch: Talker


@pytest.fixture
async def filled(bouncer: Bouncer, talkers: list[Talker]) -> AsyncIterator[Filled]:
    scripted = Scripted()
    await scripted.start()
    net = {"name": "net", "servers": [scripted.url], "channels": list(CHANNELS), "nick": "alice"}
    await bouncer.apply(user("alice", net))
    await bouncer.start()
    await eventually(lambda: scripted.channels == set(CHANNELS), what="the bouncer is in its channels")
    scripted.say(LINES, CHANNELS)
    watch = await Talker.connect(bouncer.port, "alice", password=f"alice/net@watch:{PASSWORD}", caps=CAPS)
    talkers.append(watch)
    await eventually(lambda: bouncer_has(bouncer), what="the bouncer has it all")
    waits: list[float] = []

    async def ping() -> None:
        async for _ in ticks(0.02, 600):
            sent = time.time()
            watch.send(f"PING {sent}")
            answer = await watch.line(lambda line: line.command == "PONG" and line.text == str(sent), 60)  # noqa: B023
            waits.append(answer.at - sent)

    pinging = asyncio.create_task(ping())
    yield Filled(bouncer, watch)
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)
    await scripted.close()
    waits.sort()
    print(f"others waited {waits[len(waits) // 2] * 1000:.0f} ms, at most {waits[-1] * 1000:.0f}, {len(waits)} times")
    assert waits[int(len(waits) * 0.9)] < OTHERS_WAIT, waits[-5:]
    assert "Traceback" not in bouncer.output()


async def bouncer_has(bouncer: Bouncer) -> bool:
    status = await bouncer.status()
    return bool(status["undurable"] == 0 and status["unindexed"] == 0)


async def test_for_a_thousand_million_lines(filled: Filled, talkers: list[Talker]) -> None:
    """As many as one answer may have come; where that is no number, there is an error."""
    historian = Historian(filled.bouncer.port, "alice/net@historian", PASSWORD, talkers)
    await historian.come()
    for count in ("1000000000", "9" * 300, "4294967296", "9223372036854775808"):
        for question in (f"LATEST #c0 * {count}", f"AFTER #c0 timestamp=1970-01-01T00:00:00.000Z {count}"):
            answer = await historian.ask(f"CHATHISTORY {question}")
            assert len(answer.lines) == min(MOST, LINES // len(CHANNELS))
        times = "timestamp=1970-01-01T00:00:00.000Z timestamp=9999-12-31T23:59:59.999Z"
        answer = await historian.ask(f"CHATHISTORY TARGETS {times} {count}")
        assert len(answer.lines) == len(CHANNELS)


async def test_of_who_was_never_seen(filled: Filled, talkers: list[Talker]) -> None:
    """There is nothing, which is an answer."""
    historian = Historian(filled.bouncer.port, "alice/net@historian", PASSWORD, talkers)
    await historian.come()
    for target in ("#nobody", "nobody", "#" + "x" * 300, "¿Quién?", "%s%n", "';--", "../../x"):
        for way in (
            "LATEST {} *",
            "BEFORE {} timestamp=2026-01-01T00:00:00.000Z",
            "AROUND {} timestamp=2026-01-01T00:00:00.000Z",
        ):
            answer = await historian.ask(f"CHATHISTORY {way.format(target)} 50")
            assert answer.lines == []


WHOLE = tuple(f"LATEST {channel} * 1000000000" for channel in CHANNELS)
MIXED = (
    *(f"LATEST {channel} * 50" for channel in CHANNELS),
    "TARGETS timestamp=1970-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 1000000000",
    "AROUND #c1 timestamp=2026-01-01T00:00:00.000Z 100",
    "LATEST nobody * 1000000000",
    "BEFORE #c1 msgid=nobody-ever-gave-this 100",  # MESSAGE_ERROR
    "LATEST #c1 * -1",  # INVALID_PARAMS
    "GIVE #c1 * 100",  # INVALID_PARAMS
)
REFUSED = 3


async def test_a_thousand_at_once_of_who_reads(filled: Filled) -> None:
    before = resident(filled.bouncer.pid)
    asker = await Asker.come(filled.bouncer.port, "reads")
    questions = [MIXED[number % len(MIXED)] for number in range(AT_ONCE)]
    asker.ask(questions)
    grown = 0

    def answered() -> bool:
        nonlocal grown
        grown = max(grown, resident(filled.bouncer.pid) - before)
        assert not asker.closed
        return asker.answers + asker.fails >= AT_ONCE

    since = time.monotonic()
    await eventually(answered, 60, "all are answered")
    print(
        f"{AT_ONCE} answers, {asker.size >> 10} kB, in {time.monotonic() - since:.1f} s; {grown >> 20} MB more memory"
    )
    refused = sum(question in MIXED[-REFUSED:] for question in questions)
    assert (asker.answers, asker.fails) == (AT_ONCE - refused, refused)
    assert grown < GROWTH_LIMIT
    asker.transport.abort()


async def test_a_thousand_at_once_of_who_does_not_read(filled: Filled) -> None:
    """Ten of them; in the end one reads, and gets all."""
    before = resident(filled.bouncer.pid)
    askers = [await Asker.come(filled.bouncer.port, f"deaf{number}") for number in range(10)]
    for asker in askers:
        asker.transport.pause_reading()
        asker.ask([WHOLE[number % len(WHOLE)] for number in range(AT_ONCE)])
    grown = 0
    async for _ in ticks(0.1, 3):
        grown = max(grown, resident(filled.bouncer.pid) - before)
    assert grown < GROWTH_LIMIT, grown
    for asker in askers[1:]:
        asker.transport.abort()
    since = time.monotonic()
    askers[0].transport.resume_reading()
    await eventually(lambda: askers[0].answers == AT_ONCE or askers[0].closed, 60, "all are answered")
    print(f"{askers[0].size >> 10} kB in {time.monotonic() - since:.1f} s; {grown >> 20} MB more memory")
    assert askers[0].answers == AT_ONCE
    askers[0].transport.abort()
