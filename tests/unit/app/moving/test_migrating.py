from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bouncer.app.config import load_config
from bouncer.app.home import HomeLock, InUse
from bouncer.app.moving.backup import back_up
from bouncer.app.moving.migrating import migrate_store
from bouncer.app.wire import open_store
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, ImportedEntry, Kind
from bouncer.model.errors import Refused
from bouncer.model.history import Range
from bouncer.model.past import PastLine
from bouncer.model.records import Channel, Network, SaslLogin, User
from bouncer.store.copying import TABLES, Row, Sums, Table
from bouncer.store.migrations import migrate, read_scripts
from bouncer.store.sqlite_side import SqliteTarget
from tests.postgresql_server import PostgresqlServer
from tests.unit.app.moving.conftest import Place, said

DAY = 1_577_836_800_000  # 2020-01-01
# Tables and columns that are made of the others when the bouncer starts.
DERIVED = {"indexed", "places", "milestones", "words", "blocks", "late", "meta"}
DERIVED_COLUMNS = {("targets", "latest")}
LIBERA = Network(
    1,
    "libera",
    server_password="hush",
    sasl=SaslLogin("alice", "sesame"),
    channels=(Channel("#c", key="open"), Channel("#\udcff", detached=True)),
)
ALICE = User(1, "alice", password_hash="$argon2id$x", networks=(LIBERA, Network(2, "oftc")))
BOB = User(2, "bob", networks=(Network(3, "gone"),))


@pytest.fixture
def url(postgresql: PostgresqlServer) -> str:
    """An empty schema of a database."""
    return postgresql.new_schema()


@pytest.fixture
def full(tmp_path: Path) -> Place:
    """A home with something of all kinds in it."""
    place = Place(tmp_path / "home")
    store = place.store()
    store.load()
    store.put_users([ALICE, BOB])
    store.put_users([replace(ALICE, networks=(LIBERA,))], [BOB.id])
    lines = [
        said(DAY, b"caf\xe9", "#C"),
        said(DAY + 5, b"in private", "bob"),
        said(DAY + 5, b"undecodable", "#\udcff"),
        PastLine(DAY + 6, Kind.QUIT, "", "", ("#c", "#\udcff", "#only"), b"@msgid=q :bob!b@h QUIT :bye"),
        PastLine(DAY + 7, Kind.NOTICE, "#c", "phone\udcff", (), b"@msgid=\xff :alice!a@h NOTICE #c :mine"),
    ]
    for network in (1, 2):
        store.append(
            network,
            [
                (ImportedEntry if seq == 2 else Entry)(
                    seq, line.time, Message.parse(line.raw), line.kind, line.target, line.device, also=line.also
                )
                for seq, line in enumerate(lines, 1)
            ],
        )
    store.redact(2, "#c", "\udcff")
    store.put_position(1, "phone", 3)
    store.put_position(1, "phone\t#\udcff", 2)
    store.put_position(2, "\udcfe", 1)
    store.put_marker(1, "#C", DAY)
    store.close()
    return place


async def kept(place: Place) -> tuple[Any, ...]:
    store = open_store(place.home, load_config(place.home.config))
    try:
        snapshot = store.load()
        kinds = frozenset(int(kind) for kind in Kind if kind)
        names = ("#c", "bob", "#\udcff", "#only")
        lines = [await store.lines(Range(each, (name,), 1 << 40, 99, kinds=kinds)) for each in (1, 2) for name in names]
        marks = [await store.find(1, msgid) for msgid in ("q", "bnc-0-1-2", "\udcff")]
        devices = {name: seen.behind for name, seen in (await store.devices(1)).items()}
        heads = {network: (head.time, dict(head.positions)) for network, head in snapshot.heads.items()}
        ids = snapshot.next_user_id, snapshot.next_network_id
        return snapshot.users, heads, ids, lines, marks, devices, await store.markers(1)
    finally:
        store.close()


async def test_all_goes_to_a_server_and_comes_back(full: Place, url: str, tmp_path: Path) -> None:
    before = await kept(full)
    assert [len(lines) for lines in before[3]] == [3, 1, 2, 1] * 2
    assert None not in before[4]
    assert Kind.REDACTED in {line.kind for lines in before[3] for line in lines}
    migrate_store(full.home, url, full.said.append)
    assert full.said[0] == "10 lines of 2 networks: all is the same there"
    assert full.said[1] == f'now have this line in {full.home.config}:  store = "{url}"'
    full.home.config.write_text(f'store = "{url}"\n')
    assert await kept(full) == before
    with pytest.raises(Refused, match="already: move it away"):
        migrate_store(full.home, "sqlite", full.said.append)
    full.home.database.rename(tmp_path / "old.db")
    migrate_store(full.home, "sqlite", full.said.append)
    full.home.config.unlink()
    assert await kept(full) == before
    assert full.home.database.stat().st_mode & 0o777 == 0o600
    made_later = Message.parse(b":eve!e@h PRIVMSG #new :hello")
    store = full.store()
    head = store.load().heads[1].seq
    store.append(1, [Entry(head + 1, DAY + 9, made_later, Kind.PRIVMSG, "#new")])
    store.close()
    assert full.kept(tmp_path / "lines")[-1]["target"] == "#new"


async def test_a_server_gives_new_targets_ids_of_their_own(full: Place, url: str) -> None:
    migrate_store(full.home, url, full.said.append)
    full.home.config.write_text(f'store = "{url}"\n')
    store = open_store(full.home, load_config(full.home.config))
    head = store.load().heads[1].seq
    message = Message.parse(b":eve!e@h PRIVMSG #new :hello")
    store.append(1, [Entry(head + 1, DAY + 9, message, Kind.PRIVMSG, "#new")])
    await store.settled()
    assert [line.raw for line in await store.lines(Range(1, ("#new",), head + 1, 9))] == [message.raw]
    store.close()


def test_a_password_is_not_said_again(full: Place, url: str) -> None:
    migrate_store(full.home, url.replace("bouncer@", "bouncer:sesame@"), full.said.append)
    assert full.said[1] == f'now have this line in {full.home.config}:  store = "the URL that you gave"'
    assert not any("sesame" in said for said in full.said)


def test_a_store_that_nothing_was_kept_in_is_not_moved(full: Place, url: str, tmp_path: Path) -> None:
    full.home.config.write_text(f'store = "{url}"\n')
    full.home.database.rename(tmp_path / "old.db")
    with pytest.raises(Refused, match="there is nothing to move"):
        migrate_store(full.home, "sqlite", full.said.append)
    assert not full.home.database.exists()


def test_what_has_something_in_it_is_no_target(full: Place, url: str) -> None:
    migrate_store(full.home, url, full.said.append)
    with pytest.raises(Refused, match="has something in it already"):
        migrate_store(full.home, url, full.said.append)


def test_a_bouncer_that_runs_and_stores_that_make_no_sense(full: Place, url: str) -> None:
    with HomeLock(full.home), pytest.raises(InUse):
        migrate_store(full.home, url, full.said.append)
    with pytest.raises(Refused, match="is that one already"):
        migrate_store(full.home, "sqlite", full.said.append)
    with pytest.raises(Refused, match=r"no store to move to: it is to be .* the URL of a database") as refused:
        migrate_store(full.home, "mysql://bouncer:sesame@x", full.said.append)
    assert "sesame" not in str(refused.value)
    full.home.config.write_text(f'store = "{url}"\n')
    with pytest.raises(Refused, match="pg_dump"):
        migrate_store(full.home, url.replace("bouncer@", "other@"), full.said.append)


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_a_row_that_is_lost_or_changed_on_the_way_is_noticed(
    full: Place, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: str
) -> None:
    migrate_store(full.home, url, full.said.append)
    full.home.config.write_text(f'store = "{url}"\n')
    full.home.database.rename(tmp_path / "old.db")
    rows = SqliteTarget.rows

    def lossy(side: SqliteTarget, asked: Table) -> Iterator[Row]:
        found = iter(rows(side, asked))
        if asked.name == table:
            next(found)
        yield from found

    monkeypatch.setattr(SqliteTarget, "rows", lossy)
    with pytest.raises(Refused, match=f"{table} of network [012] are not the same"):
        migrate_store(full.home, "sqlite", full.said.append)
    assert not full.home.database.exists()
    assert not list(full.home.path.glob("*.new"))


def test_checksums_tell_values_apart_and_not_databases() -> None:
    table = TABLES[0]
    sums = []
    for row in ((1, b"ab", "c"), (1, b"a", "bc"), (1, b"ab", None), (11, b"b", "c"), (1, b"ab", "c"), (1, "ab", b"c")):
        each = Sums()
        each.add(table, row)
        sums.append(each.found()["users", 0][1])
    assert len(set(sums)) == 4
    assert sums[0] == sums[4] == sums[5]


def test_every_table_and_column_is_copied_or_made_of_others(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None)
    migrate(connection, tmp_path / "db", read_scripts())
    there = {
        (table, column)
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        if table.partition("_")[0] not in DERIVED
        for _, column, *_ in connection.execute(f"PRAGMA table_info ({table})")
    }
    connection.close()
    assert there - DERIVED_COLUMNS == {(table.name, column) for table in TABLES for column in table.columns}


def test_an_interrupted_copy_leaves_nothing(full: Place, url: str, tmp_path: Path) -> None:
    shutil.copy(full.home.database, tmp_path / "good.db")
    connection = sqlite3.connect(full.home.database)
    connection.execute("UPDATE networks SET place = 'x' WHERE id = 1")
    connection.commit()
    connection.close()
    with pytest.raises((Refused, ValueError, TypeError)):
        migrate_store(full.home, url, full.said.append)
    shutil.copy(tmp_path / "good.db", full.home.database)
    migrate_store(full.home, url, full.said.append)


def test_history_goes_out_of_a_server_and_into_it(full: Place, url: str, tmp_path: Path) -> None:
    before = full.kept(tmp_path / "before")
    full.export(tmp_path / "logs", form="znc")
    migrate_store(full.home, url, full.said.append)
    full.home.config.write_text(f'store = "{url}"\n')
    full.home.database.unlink()
    assert full.kept(tmp_path / "after") == before
    assert full.bring(tmp_path / "after")["there"] == 5
    assert full.bring(tmp_path / "logs")["there"] == 5
    again = tmp_path / "again"
    again.mkdir()
    (again / "2020-01-01.log").write_text("[00:00:00] <bob> old\n")
    assert full.bring(again)["added"] == 1
    assert full.bring(again)["there"] == 1
    with pytest.raises(Refused, match="pg_dump"):
        back_up(full.home, tmp_path / "b.tar", full.said.append)


def test_a_server_without_our_tables_is_not_read(full: Place, url: str, tmp_path: Path) -> None:
    full.home.config.write_text(f'store = "{url}"\n')
    with pytest.raises(Refused, match="start this program's bouncer once"):
        full.kept(tmp_path / "lines")
