from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.ports import Page
from bouncer.model.records import Channel, Network, SaslLogin, User
from bouncer.store import expiry, lines
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace

BOX = Box(bytes(range(KEY_SIZE)))
DAY = 86_400
ALICE = User(
    id=1,
    name="alice",
    password_hash="$argon2id$SECRET-hash",
    networks=(
        Network(
            id=1,
            name="one",
            server_password="SECRET-server",
            sasl=SaslLogin("alice", "SECRET-sasl"),
            connect_commands=("PRIVMSG NickServ :IDENTIFY SECRET-command",),
            channels=(Channel("#a", "SECRET-key"),),
        ),
        Network(id=2, name="two"),
    ),
)


def entries(*seqs: int, target: str = "#a", raw: bytes = b":bob!b@host PRIVMSG #a :hello") -> list[Entry]:
    return [Entry(seq, seq, Message.parse(raw), Kind.PRIVMSG, target) for seq in seqs]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "bouncer.db"


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., Store]]:
    """Open and load the store at ``path``; closed at the end."""
    stores: list[Store] = []

    def start(now: Callable[[], float] = lambda: 0.0, pace: Pace | None = None) -> Store:
        store = Store.open(path, BOX, now=now, pace=pace)
        stores.append(store)
        store.load()
        return store

    yield start
    for store in stores:
        store.close()


Start = Callable[..., Store]


async def test_files_are_private(path: Path, start: Start) -> None:
    before = os.umask(0)
    try:
        store = start()
        store.append(1, entries(1))
        await store.settled()
    finally:
        os.umask(before)
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["bouncer.db", "bouncer.db-shm", "bouncer.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_closing_leaves_one_file(path: Path, start: Start) -> None:
    store = start()
    store.append(1, entries(1))
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["bouncer.db"]


async def test_no_secret_is_readable_in_any_file(path: Path, start: Start) -> None:
    store = start()
    store.put_users([ALICE])
    await store.settled()
    store.put_users([replace(ALICE, realname="changed")])
    await store.settled()
    for closed in (False, True):
        if closed:
            store.close()
        found = b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert b"alice" in found  # we do look at the right files
        assert b"SECRET" not in found


def test_a_secret_moved_to_another_row_is_refused(path: Path, start: Start) -> None:
    store = start()
    store.put_users([ALICE])
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE networks SET secrets = (SELECT secrets FROM networks WHERE id = 1) WHERE id = 2")
    with pytest.raises(Refused, match=r"bouncer\.db is damaged: the secrets of network 2 do not open"):
        start()


def test_another_key_is_refused(path: Path, start: Start) -> None:
    start().close()
    with pytest.raises(Refused, match=r"key does not fit the database .*bouncer\.db: put back the secret\.key"):
        Store.open(path, Box(bytes(KEY_SIZE)))


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"[[user]]\nname = 'alice'\n" * 100)
    with pytest.raises(Refused, match=r"bouncer\.db can't be used, for it is not a database"):
        Store.open(path, BOX)


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(Refused, match=r"bouncer\.db is a directory"):
        Store.open(path, BOX)


def test_a_home_that_is_a_file_is_refused(path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(Refused, match=r"bouncer\.db can't be used"):
        Store.open(path, BOX)


def test_a_damaged_database_is_refused(path: Path, start: Start) -> None:
    start().close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 3996 + content[4096:])
    with pytest.raises(Refused, match=r"bouncer\.db can't be used, for it is damaged: put back a backup"):
        start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_file_without_permission_is_refused(path: Path, start: Start) -> None:
    start().close()
    path.chmod(0o400)
    with pytest.raises(Refused, match=r"may not be written"):
        start()


async def test_names_and_lines_of_many_sizes_of_batch(start: Start) -> None:
    store = start()
    seq = 0
    for size in (1, 2, 3, 511, 512, 513, 1023, 1500):
        store.append(1, entries(*range(seq + 1, seq + size + 1)))
        seq += size
        await store.settled()
    assert [kept.seq for kept in await store.page(Page(1, 0, seq, seq))] == list(range(1, seq + 1))


async def test_a_number_in_use_is_not_given_to_another_line(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    store = start()
    store.append(1, entries(1, raw=b"PRIVMSG #a :first"))
    await store.settled()
    store.append(1, entries(1, 2, raw=b"PRIVMSG #a :second"))
    await store.settled()
    page = await store.page(Page(1, 0, 9, 9))
    assert [kept.raw for kept in page] == [b"PRIVMSG #a :first", b"PRIVMSG #a :second"]
    assert "1 lines had numbers that were in use" in caplog.text


async def test_upstreams_msgid_is_kept_beside_the_line(path: Path, start: Start) -> None:
    store = start()
    store.append(1, entries(1, raw=b"@time=x;msgid=a\\sb PRIVMSG #a :x"))
    store.append(1, entries(2, raw=b"PRIVMSG #a :msgid=no"))
    store.append(1, entries(3, raw=b"@msgid=\xff PRIVMSG #a :x"))
    await store.settled()
    with closing(sqlite3.connect(path)) as connection:
        found = [row[0] for row in connection.execute("SELECT msgid FROM messages ORDER BY seq")]
    assert found == ["a b", "", b"\xff"]


async def test_more_conversations_than_are_remembered(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "TARGET_CACHE", 10)
    store = start()
    for seq in range(1, 101):
        store.append(1, entries(seq, target=f"nick{seq % 30}"))
    page = await store.page(Page(1, 0, 100, 100))
    assert [kept.target for kept in page] == [f"nick{seq % 30}" for seq in range(1, 101)]


async def test_what_was_removed_is_deleted_after_thirty_days_in_portions(
    path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "EXPIRY_ROWS", 10)
    now = 0.0
    store = start(now=lambda: now)
    store.put_users([ALICE, User(id=2, name="bob", networks=(Network(id=3, name="three"),))])
    for network in (1, 2, 3):
        store.append(network, entries(*range(1, 36)))
        store.put_position(network, "phone", 5)
    await store.settled()
    store.put_users([replace(ALICE, networks=ALICE.networks[1:])], [2])
    store.close()

    now = 30.0 * DAY
    start(now=lambda: now).close()
    assert count(path, "messages") == 105  # not yet

    now += 1.0
    store = start(now=lambda: now, pace=Pace(expire_more=0.0))
    while count(path, "users") == 2:
        await store.settled()
    page = await store.page(Page(2, 0, 100, 100))
    assert [kept.target for kept in page] == ["#a"] * 35
    store.append(2, entries(36, target="#A"))
    assert [kept.target for kept in await store.page(Page(2, 35, 100, 100))] == ["#A"]
    store.close()
    left = {
        table: count(path, table) for table in ("users", "networks", "channels", "messages", "targets", "positions")
    }
    assert left == {"users": 1, "networks": 1, "channels": 0, "messages": 36, "targets": 1, "positions": 1}
    assert count(path, "heads") == 1


async def test_a_reader_that_fails_says_so(path: Path, start: Start) -> None:
    store = start()
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE messages")
    with pytest.raises(Unavailable, match=r"bouncer\.db can't be used: no such table: messages"):
        await store.page(Page(1, 0, 9, 9))
    with pytest.raises(Unavailable, match="no such table"):
        await store.first_helping(1, 9, 0)


async def test_starts_of_a_restored_backup_are_counted_from_far_off(path: Path, start: Start) -> None:
    start().close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE meta SET value = ? WHERE name = 'boot'", (1 << 59,))
        other.commit()
    store = start()
    store.append(7, entries(1, 2))
    lines = await store.page(Page(7, 0, 2, 10))
    assert [(line.seq, line.boot, line.target) for line in lines] == [
        (1, (1 << 59) + 1, "#a"),
        (2, (1 << 59) + 1, "#a"),
    ]
