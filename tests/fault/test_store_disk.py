"""A disk that is full, a file that another program holds: lines wait, people are told, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.ports import Page
from bouncer.store import database
from bouncer.store.database import Database
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace, Writer

BOX = Box(bytes(KEY_SIZE))
IMPATIENT = Pace(first_retry=0.001, longest_retry=0.001, told_after=0.0)


class Disk(Database):
    """A database whose disk can be filled and emptied."""

    def fill(self) -> None:
        self._connection.execute("PRAGMA max_page_count = 1")  # SQLite takes it as: what there is, and no more

    def empty(self) -> None:
        self._connection.execute("PRAGMA max_page_count = 1000000")


class Fixture:
    """A store that is in use, its disk, and what it tells."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.disk = Disk(path, BOX, lambda: 0.0)
        self.store = Store(self.disk, Writer(self.disk, IMPATIENT))
        self.failing: asyncio.Queue[str | None] = asyncio.Queue()
        self.durable: list[int] = []
        self.store.load()
        self.store.attach(asyncio.get_running_loop())
        self.store.watch(self.failing.put_nowait)
        self.store.listen(lambda highest: self.durable.append(highest[1]))

    def append(self, first: int, last: int) -> None:
        message = Message.parse(b"PRIVMSG #a :" + b"x" * 400)
        self.store.append(1, [Entry(seq, seq, message, Kind.PRIVMSG, "#a") for seq in range(first, last + 1)])

    async def seqs(self, upto: int) -> list[int]:
        return [line.seq for line in await self.store.page(Page(1, 0, upto, 10_000))]


@pytest.fixture
async def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fixture]:
    """A store with ten lines."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.001)  # to find out at once that the file is locked
    fixture = Fixture(tmp_path / "bouncer.db")
    fixture.append(1, 10)
    await fixture.store.settled()
    yield fixture
    fixture.store.close()


async def test_a_full_disk(used: Fixture) -> None:
    used.disk.fill()
    used.append(11, 300)
    problem = await used.failing.get()
    assert problem == f"the database {used.path} can't be used, for its disk is full: make room there"
    used.append(301, 400)
    assert used.store.undurable == 390
    assert used.durable == [10]
    assert await used.seqs(10) == list(range(1, 11))  # what is there can be read
    with pytest.raises(Unavailable, match="disk is full"):
        await used.seqs(400)
    with pytest.raises(Unavailable, match="disk is full"):
        await used.store.settled()

    used.disk.empty()
    assert await used.failing.get() is None
    await used.store.settled()
    assert used.store.undurable == used.store.dropped == 0
    assert used.durable[-1] == 400
    assert await used.seqs(400) == list(range(1, 401))


async def test_a_file_locked_by_another_program(used: Fixture) -> None:
    with closing(sqlite3.connect(used.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        used.append(11, 20)
        problem = await used.failing.get()
        assert problem is not None
        assert problem.endswith("another program holds it locked: end that program")
        assert await used.seqs(10) == list(range(1, 11))
        assert used.durable == [10]
        other.execute("ROLLBACK")
    assert await used.failing.get() is None
    assert await used.seqs(20) == list(range(1, 21))


async def test_a_target_made_in_a_transaction_that_failed_is_made_again(used: Fixture) -> None:
    used.disk.fill()
    message = Message.parse(b"PRIVMSG bob :" + b"x" * 400)
    used.store.append(1, [Entry(seq, seq, message, Kind.PRIVMSG, "bob") for seq in range(11, 300)])
    assert await used.failing.get() is not None
    used.disk.empty()
    assert await used.failing.get() is None
    page = await used.store.page(Page(1, 10, 300, 1000))
    assert {line.target for line in page} == {"bob"}
    assert len(page) == 289


async def test_closing_with_a_full_disk_ends(used: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    used.disk.fill()
    used.append(11, 300)
    await used.failing.get()
    used.store.close()
    assert "290 lines could not be stored" in caplog.text


async def test_opening_a_locked_file_is_refused(used: Fixture) -> None:
    used.store.close()
    with closing(sqlite3.connect(used.path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused, match=r"bouncer\.db can't be used, for another program holds it locked"):
            Store.open(used.path, BOX)


async def test_reading_goes_on_while_a_batch_is_written(used: Fixture) -> None:
    with closing(sqlite3.connect(used.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM messages").fetchone() == (10,)
        used.append(11, 1000)
        await used.store.settled()  # an open reader holds nobody up
        assert reader.execute("SELECT count(*) FROM messages").fetchone() == (10,)
    assert used.failing.empty()
    assert await used.seqs(1000) == list(range(1, 1001))
