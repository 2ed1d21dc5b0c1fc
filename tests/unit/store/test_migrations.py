from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bouncer.model.entry import Kind
from bouncer.model.errors import Refused
from bouncer.model.history import LAST_SEQ, Mark, Range, Search
from bouncer.model.ports import Page, Talk
from bouncer.model.records import Channel, Endpoint, Network, SaslLogin, User
from bouncer.store.database import connect
from bouncer.store.migrations import APPLICATION_ID, migrate, read_scripts, schema_of
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace

DUMPS = Path(__file__).parent / "dumps"  # one database of each released schema, as SQL; sealed with a key of zeros
FIRST = {1: "CREATE TABLE a (x); INSERT INTO a VALUES (1);"}
SECOND = FIRST | {2: "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bouncer.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path)) as connection:
        yield connection


def test_scripts_are_numbered_without_a_gap() -> None:
    assert sorted(read_scripts()) == list(range(1, len(read_scripts()) + 1))


def test_an_empty_file_gets_all_scripts_and_no_copy(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, SECOND)
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert schema_of(connection) == 2
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert [file.name for file in path.parent.iterdir()] == ["bouncer.db"]


def test_an_existing_database_is_copied_before_it_is_changed(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, path, FIRST)
    migrate(connection, path, SECOND)
    assert schema_of(connection) == 2
    copy = path.with_name("bouncer.db.schema1")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(connect(copy)) as before:
        assert schema_of(before) == 1
        assert before.execute("SELECT * FROM a").fetchall() == [(1,)]


def test_an_up_to_date_database_is_left_alone(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, SECOND)
    migrate(connection, path, SECOND)
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert [file.name for file in path.parent.iterdir()] == ["bouncer.db"]


def test_a_script_that_fails_changes_nothing(connection: sqlite3.Connection, path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        migrate(connection, path, SECOND | {3: "UPDATE a SET y = 9; DROP TABLE missing;"})
    assert schema_of(connection) == 2
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert not connection.in_transaction


def test_a_newer_schema_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, SECOND)
    with pytest.raises(Refused, match=r"bouncer\.db was written by a newer bouncer \(its schema is 2.* knows 1\)"):
        migrate(connection, path, FIRST)


@pytest.mark.parametrize("sql", ["CREATE TABLE a (x)", "PRAGMA user_version = 1"])
def test_another_programs_database_is_refused(connection: sqlite3.Connection, path: Path, sql: str) -> None:
    connection.execute(sql)
    with pytest.raises(Refused, match="another program"):
        migrate(connection, path, SECOND)


@pytest.fixture(params=sorted(DUMPS.iterdir()), ids=lambda dump: dump.stem)
def released(request: pytest.FixtureRequest, connection: sqlite3.Connection, path: Path) -> Path:
    """A database as a released program left it."""
    connection.executescript(request.param.read_text("utf-8"))
    return path


async def test_every_released_schema_can_be_brought_up_to_date(released: Path) -> None:
    store = Store.open(released, Box(bytes(KEY_SIZE)), pace=Pace(index=0.0))
    try:
        snapshot = store.load()
        network = Network(
            id=1,
            name="libera",
            servers=(Endpoint("irc.example.org", 6697),),
            sasl=SaslLogin("alice", "sasl secret"),
            channels=(Channel("#a", "channel secret", detached=True), Channel("#caf\udce9")),
        )
        assert snapshot.users == (User(id=1, name="alice", password_hash="$hash", admin=True, networks=(network,)),)
        assert (snapshot.next_user_id, snapshot.next_network_id, snapshot.boot) == (2, 2, 2)
        assert snapshot.heads[1].positions == {"phone": 2}
        assert snapshot.heads[1].time == 1_790_000_000_003
        kept = list(await store.page(Page(1, 0, 10, 10)))
        assert [(line.seq, line.target, line.raw) for line in kept] == [
            (1, "#a", b"@msgid=x :bob!b@host PRIVMSG #a :one"),
            (3, "#a", b":bob!b@host PRIVMSG #A :three \xff"),
        ]
        for _ in "before", "after":
            kept = await store.lines(Range(1, ("#A",), LAST_SEQ, 10, kinds=set(Kind)))
            assert [line.seq for line in kept] == [1, 2, 3]
            assert await store.find(1, "x") == Mark(1_790_000_000_001, 1)
            assert [found.line.seq for found in await store.search(Search((1,), "thr*", 10))] == [3]
            assert await store.targets(1, 0, LAST_SEQ, 10) == [Talk("#a", 1_790_000_000_003)]
            while store.unindexed:  # lines from before there was an index
                await store.settled()
    finally:
        store.close()
