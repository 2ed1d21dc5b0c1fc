"""The index behind the lines: it follows, survives any end, and is made anew where it can't be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Unavailable
from bouncer.model.history import LAST_SEQ, Expiry, Range, Search
from bouncer.store import database, finding, indexer
from bouncer.store.batch import Batch
from bouncer.store.database import Database, connect
from bouncer.store.finding import read_search
from bouncer.store.indexer import MADE_ANEW_LIMIT
from bouncer.store.order import read_lines
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store

BOX = Box(bytes(KEY_SIZE))


class Base:
    """A database, and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path, BOX, lambda: 0.0)
        self.database.load()

    def put(self, network: int, first: int, last: int, time: Callable[[int], int] = lambda seq: seq) -> None:
        batch = Batch()
        batch.add_lines(
            network,
            [
                Entry(
                    seq,
                    time(seq),
                    Message.parse(b"@msgid=m%d :bob PRIVMSG #a :word w%d" % (seq, seq)),
                    Kind.PRIVMSG,
                    "#a",
                )
                for seq in range(first, last + 1)
            ],
        )
        self.database.commit(batch)

    def index(self) -> int:
        """Index all there is; returns in how many portions."""
        portions = 1
        while self.database.index():
            portions += 1
        return portions

    def found(self, text: str, network: int = 1) -> list[int]:
        with closing(connect(self.path)) as reader:
            return [hit.line.seq for hit in read_search(reader, Search((network,), text, 10_000))]

    def lines(self, network: int = 1) -> list[int]:
        with closing(connect(self.path)) as reader:
            return [line.seq for line in read_lines(reader, Range(network, ("#a",), LAST_SEQ, 10_000))]

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute(statement)

    def again(self) -> Base:
        self.database.close()
        return Base(self.path)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Base]:
    """A database whose index is made in portions of 10 lines, read from it, and transactions of 30."""
    monkeypatch.setattr(indexer, "AT_HAND_ROWS", 0)
    monkeypatch.setattr(indexer, "READ_ROWS", 10)
    monkeypatch.setattr(indexer, "INDEX_ROWS", 30)
    monkeypatch.setattr(indexer, "MOST_INDEX_ROWS", 30)
    monkeypatch.setattr(indexer, "MILESTONE_ROWS", 20)
    monkeypatch.setattr(finding, "TAIL_ROWS", 7)
    base = Base(tmp_path / "bouncer.db")
    yield base
    base.database.close()


def test_answers_are_the_same_at_each_step(base: Base) -> None:
    base.put(1, 1, 100)
    base.put(2, 1, 25)
    every = list(range(1, 101))
    unindexed = []
    while base.database.index():
        unindexed.append(base.database.unindexed)
        assert base.lines() == every
        assert base.found("word") == every[::-1]
        assert base.found("w77") == [77]
    assert sorted(set(unindexed), reverse=True) == [125, 95, 65, 35, 5, 0]
    assert base.lines(2) == list(range(1, 26))


def test_what_is_at_hand_is_indexed_as_what_is_read(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "AT_HAND_ROWS", 90)
    base.put(1, 1, 60, lambda seq: seq * 7 % 50)
    base.put(2, 1, 25)
    every = sorted(range(1, 61), key=lambda seq: (seq * 7 % 50, seq))
    unindexed = [base.database.unindexed]
    while base.database.index():
        unindexed.append(base.database.unindexed)
        assert base.lines() == every
        assert base.found("word") == every[::-1]
    left = [number for number in unindexed if number > 0]
    assert left == sorted(set(left), reverse=True)  # no portion only reads
    base.put(1, 61, 100)
    base.put(1, 101, 190)  # more than may be at hand
    base.put(1, 191, 195)  # is read behind them
    base.index()
    every += range(61, 196)
    assert base.lines() == every
    assert base.found("word") == every[::-1]
    assert base.found("w77") == [77]


def test_lines_at_hand_that_are_deleted(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "AT_HAND_ROWS", 90)
    base.put(1, 1, 25)
    batch = Batch()
    batch.add_expiry(Expiry(1, upto=12))
    base.database.commit(batch)
    while base.database.expire():
        pass
    base.put(1, 26, 30)
    assert base.database.unindexed == 18
    base.index()
    assert base.found("word") == base.lines()[::-1] == list(range(30, 12, -1))
    assert base.database.unindexed == 0


def test_a_round_leaves_a_few_that_came_meanwhile_to_the_next(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "AT_HAND_ROWS", 90)
    base.put(1, 1, 30)
    assert base.database.index()
    base.put(1, 31, 35)
    base.index()
    assert base.database.unindexed == 5
    base.index()
    assert base.database.unindexed == 0


def test_what_an_end_left_is_indexed_in_the_next_life(base: Base) -> None:
    base.put(1, 1, 100)
    for _ in range(6):
        base.database.index()
    left = base.database.unindexed
    assert 0 < left < 100
    base = base.again()
    assert base.database.unindexed == left
    base.index()
    assert base.database.unindexed == 0
    assert base.found("word") == base.lines()[::-1] == list(range(100, 0, -1))
    base.database.close()


def test_another_form_of_words_is_derived_anew(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    base.put(1, 1, 50)
    base.index()
    monkeypatch.setattr(indexer, "INDEX_FORM", 999_999)
    base = base.again()
    assert base.database.unindexed == 50
    assert base.found("word") == list(range(50, 0, -1))
    base.index()
    assert base.found("word") == list(range(50, 0, -1))
    assert base.again().database.unindexed == 0


def test_a_damaged_word_index_is_made_anew(base: Base, caplog: pytest.LogCaptureFixture) -> None:
    for start in range(1, 400, 30):
        base.put(1, start, start + 29)
        base.index()
    base.execute("UPDATE words_data SET block = zeroblob(30) WHERE id > 10")
    base.put(1, 1000, 1029)
    base.put(1, 1030, 1500)
    base.index()
    assert "damaged" in caplog.text
    assert base.database.unindexed == 0
    assert base.found("word") == base.lines()[::-1]
    assert base.found("w77") == [77]


def test_an_index_that_is_damaged_again_and_again_is_left_alone(base: Base, caplog: pytest.LogCaptureFixture) -> None:
    base.put(1, 1, 400)
    base.index()

    def damage_and_index(time: int) -> None:
        base.execute("UPDATE words_data SET block = x'ffffffffffffffffffff' WHERE id = 10")
        base.put(1, 1000 * time, 1000 * time + 500)
        base.index()

    for time in range(1, MADE_ANEW_LIMIT + 1):
        damage_and_index(time)
        assert caplog.text.count("made anew") == time
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        damage_and_index(MADE_ANEW_LIMIT + 1)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        base.index()
    assert caplog.text.count("made anew") == MADE_ANEW_LIMIT


def test_a_transaction_that_fails_is_tried_again(base: Base) -> None:
    base.put(1, 1, 30)
    for _ in range(3):
        assert base.database.index()
    with closing(sqlite3.connect(base.path, isolation_level=None)) as other:
        base.database._connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            base.database.index()
        other.execute("ROLLBACK")
    assert base.database.unindexed == 30
    base.index()
    assert base.database.unindexed == 0
    assert base.found("word") == list(range(30, 0, -1))


def test_lines_deleted_before_they_were_indexed(base: Base) -> None:
    base.put(1, 1, 25)
    base.database.index()
    batch = Batch()
    batch.add_expiry(Expiry(1, upto=12))
    base.database.commit(batch)
    while base.database.expire():
        pass
    assert base.database.unindexed == 13
    base.index()
    assert base.found("word") == list(range(25, 12, -1))
    assert base.database.unindexed == 0


def test_deleting_takes_words_out_of_the_index(base: Base) -> None:
    base.put(1, 1, 500, lambda seq: seq * 7 % 100)  # most of them late
    base.index()
    batch = Batch()
    batch.add_expiry(Expiry(1))
    base.database.commit(batch)
    while base.database.expire():
        pass
    base.index()
    with closing(connect(base.path)) as reader:
        assert reader.execute("SELECT count(*) FROM words WHERE words MATCH 'word OR w7'").fetchone() == (0,)
        assert reader.execute("SELECT count(*) FROM places").fetchone() == (0,)
        assert reader.execute("SELECT count(*) FROM messages").fetchone() == (0,)


def test_questions_for_times_look_at_few_lines(base: Base) -> None:
    base.put(1, 1, 3000, lambda seq: 1000 * seq)
    base.index()
    with closing(connect(base.path)) as reader:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        reader.set_progress_handler(count, 100)
        found = read_search(reader, Search((1,), "word", 10, before=100_000))
        assert [hit.line.seq for hit in found] == list(range(99, 89, -1))
        first, steps = steps, 0
        read_search(reader, Search((1,), "word", 10))
        assert first < steps + 40  # it did not go through the 2,900 that are newer


def test_the_log_is_written_back_between(base: Base, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 5)
    base.put(1, 1, 100)
    while base.database.index():
        assert base.found("word") == list(range(100, 0, -1))
    copy = tmp_path / "without-log.db"
    copy.write_bytes(base.path.read_bytes())
    with closing(connect(copy)) as without_log:
        assert [hit.line.seq for hit in read_search(without_log, Search((1,), "w7*", 20))][-1] == 7


async def test_a_damaged_page_is_a_sentence(base: Base) -> None:
    base.put(1, 1, 300)
    base.index()
    base.database.close()
    with closing(sqlite3.connect(base.path)) as other:
        page, size = (
            other.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'places'").fetchone()[0],
            other.execute("PRAGMA page_size").fetchone()[0],
        )
    content = bytearray(base.path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    base.path.write_bytes(content)
    store = Store.open(base.path, BOX)
    try:
        store.load()
        with pytest.raises(Unavailable, match=r"bouncer\.db can't be used, for it is damaged: put back a backup"):
            await store.lines(Range(1, ("#a",), LAST_SEQ, 10))
        store.append(1, [Entry(2_000_000, 1, Message.parse(b":b PRIVMSG #a :x"), Kind.PRIVMSG, "#a")])
        await store.settled()
    finally:
        store.close()


def test_a_number_given_twice_is_counted_once(base: Base) -> None:
    base.put(1, 1, 20)
    base.put(1, 11, 30)
    base.index()
    assert base.database.unindexed == 0
    assert base.lines() == list(range(1, 31))
    base.put(1, 31, 40)
    base.index()
    assert base.found("word") == list(range(40, 0, -1))


def test_the_newest_spelling_holds(base: Base) -> None:
    for seq, name in enumerate(("#Chan", "#chan", "#CHAN", "#chan"), start=1):
        batch = Batch()
        batch.add_lines(1, [Entry(seq, seq, Message.parse(b":b PRIVMSG #chan :x"), Kind.PRIVMSG, name)])
        base.database.commit(batch)
        with closing(connect(base.path)) as reader:
            lines = read_lines(reader, Range(1, ("#cHaN",), LAST_SEQ, 10))
        assert {line.target for line in lines} == {name}
