"""Pages of the file overwritten, in any place: it starts or is refused in a sentence, and only who meets the damage is
told that there is no answer."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import LAST_SEQ, Expiry, Mark, Range, Search
from bouncer.model.ports import Page
from bouncer.model.records import Channel, Network, SaslLogin, User
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace

BOX = Box(bytes(KEY_SIZE))
PROMPT = Pace(
    gather=0.0, first_retry=0.001, longest_retry=0.001, told_after=0.0, index=0.0, index_again=0.0, expire=0.0
)
LINES = 400
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
ALICE = User(
    id=1,
    name="alice",
    password_hash="x" * 90,
    networks=tuple(
        Network(
            id=number,
            name=f"net{number}",
            sasl=SaslLogin("PLAIN", "alice", "secret"),
            channels=tuple(Channel(f"#{name}") for name in WORDS),
        )
        for number in (1, 2, 3)
    ),
)


def entries(network: int, first: int, last: int) -> list[Entry]:
    return [
        Entry(
            seq,
            seq * 1000,
            Message.parse(b"@msgid=n%d-%d :bob!b@h PRIVMSG #a :%s %d" % (network, seq, WORDS[seq % 10].encode(), seq)),
            Kind.PRIVMSG,
            f"#{WORDS[seq % 7]}",
        )
        for seq in range(first, last + 1)
    ]


async def indexed(store: Store) -> None:
    while store.unindexed:
        await store.settled()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which there is some of everything."""
    path = tmp_path_factory.mktemp("whole") / "bouncer.db"

    async def fill() -> None:
        store = Store.open(path, BOX, pace=PROMPT)
        store.load()
        store.attach(asyncio.get_running_loop())
        store.put_users([ALICE])
        for network in (1, 2, 3):
            store.append(network, entries(network, 1, LINES))
            store.put_position(network, "phone", 7)
            store.put_marker(network, "#one", 7000)
        await store.settled()
        await indexed(store)
        store.close()

    asyncio.run(fill())
    return path


def pages_of(path: Path) -> Iterator[tuple[str, int]]:
    """Each page with the table or index that it belongs to."""
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.execute("SELECT name, pageno FROM dbstat ORDER BY pageno").fetchall()


def questions(store: Store, network: int) -> list[Awaitable[object]]:
    return [
        store.page(Page(network, 0, LINES, 1000)),
        store.first_helping(network, 100, 0),
        store.devices(network),
        store.lines(Range(network, ("#one", "#two"), LAST_SEQ, 100, newest=True)),
        store.find(network, f"n{network}-17"),
        store.targets(network, 0, 1 << 50, 100),
        store.markers(network),
        store.weigh(network, "", Mark(1 << 50, 0), 1000),
        store.weigh(network, "#one", Mark(1 << 50, 0), 1000),
        store.search(Search((1, 2, 3), "three", 100)),
    ]


async def lives_through(path: Path) -> str:
    """Use the database for all that there is; returns "refused", or what could not be had."""
    store = started = None
    try:
        store = Store.open(path, BOX, pace=PROMPT)
        started = store.load()
    except Refused as refusal:
        problem = refusal
    if store is None or started is None:
        if store is not None:
            store.close()
        assert is_a_sentence(problem, path)
        return "refused"
    try:
        store.attach(asyncio.get_running_loop())
        for network in (1, 2, 3):
            seq = started.heads[network].seq if network in started.heads else 1000
            store.append(network, entries(network, seq + 1, seq + 20))
            store.put_position(network, "phone", seq)
            store.put_marker(network, "#two", 9000)
        store.put_users([ALICE])
        store.expire(Expiry(3, before=100_000))
        answers = await asyncio.gather(
            store.settled(),
            *(each for network in (1, 2, 3) for each in questions(store, network)),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, Unavailable), repr(answer)
                assert is_a_sentence(answer, path)
        if isinstance(answers[0], BaseException):
            return "settings"
        return "lines" if any(isinstance(answer, BaseException) for answer in answers) else ""
    finally:
        store.close()


def is_a_sentence(problem: Exception, path: Path) -> bool:
    return str(path) in str(problem) and "\n" not in str(problem) and len(str(problem)) < 300


def overwrite(path: Path, page: int, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096 + at)
        file.write(data)


def zeros(draw: random.Random) -> tuple[int, bytes]:
    return 0, bytes(4096)


def noise(draw: random.Random) -> tuple[int, bytes]:
    return 0, draw.randbytes(4096)


def a_few_bytes(draw: random.Random) -> tuple[int, bytes]:
    return draw.randrange(4000), draw.randbytes(90)


SETTINGS = {"sqlite_schema", "meta", "users", "networks", "networks_of_user", "channels"}


@pytest.mark.parametrize("damage", [zeros, noise, a_few_bytes])
async def test_any_page(damage: Callable[[random.Random], tuple[int, bytes]], whole: Path, tmp_path: Path) -> None:
    draw = random.Random(7)
    found: dict[str, set[str]] = {}
    for name, page in pages_of(whole):
        path = tmp_path / f"{page}.db"
        shutil.copy(whole, path)
        overwrite(path, page, *damage(draw))
        result = await asyncio.wait_for(lives_through(path), 20)
        assert result != "settings" or name in SETTINGS, (name, page)  # history does not stand in the way of settings
        found.setdefault(result, set()).add(name)
        path.unlink()
    assert found.keys() >= {"refused", "lines", ""}
    assert not found["refused"] & {
        "places",
        "words_data",
        "words_idx",
        "words_config",
        "milestones",
        "markers",
        "targets",
    }
