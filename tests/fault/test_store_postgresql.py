"""A PostgreSQL server that is restarted, gone or silent: lines wait, people are told, nothing is lost or kept twice."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.errors import Refused, Unavailable
from bouncer.model.history import LAST_SEQ, Range, Search
from bouncer.model.ports import Page
from bouncer.model.records import Network, User
from bouncer.store.batch import Batch
from bouncer.store.postgresql import connection, migrations
from bouncer.store.postgresql.connection import Server
from bouncer.store.postgresql.database import ServerDatabase
from bouncer.store.postgresql.store import ServerStore
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.writer import Pace
from tests.postgresql_server import PostgresqlServer

BOX = Box(bytes(KEY_SIZE))
IMPATIENT = Pace(first_retry=0.001, longest_retry=0.01, told_after=0.0, index=0.0, index_again=0.01)


def lines(first: int, last: int) -> list[Entry]:
    return [Entry(seq, seq, Message.parse(b"PRIVMSG #a :word"), Kind.PRIVMSG, "#a") for seq in range(first, last + 1)]


class Fixture:
    """A store that is in use, its server, and what it tells."""

    def __init__(self, server: PostgresqlServer) -> None:
        self.server = server
        self.url = server.new_schema()
        self.failing: asyncio.Queue[str | None] = asyncio.Queue()
        self.store = ServerStore.open(self.url, BOX, pace=IMPATIENT, block=4)
        self.store.load()
        self.store.attach(asyncio.get_running_loop())
        self.store.watch(self.failing.put_nowait)

    async def seqs(self) -> list[int]:
        return [line.seq for line in await self.store.page(Page(1, 0, LAST_SEQ, 10_000))]

    def connections(self) -> list[int]:
        """The processes of the server that serve this store: the writer's, and those of readers that were asked."""
        schema = self.url.rpartition("%3D")[2]
        return [
            int(str(row[0]))
            for row in self.server.execute(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' "
                f"AND objid = (hashtext('{schema}')::bigint & 4294967295)::oid"
            )
        ]


@pytest.fixture
async def used(fragile_postgresql: PostgresqlServer) -> AsyncIterator[Fixture]:
    """A store with ten lines, of which some have been read."""
    fixture = Fixture(fragile_postgresql)
    fixture.store.append(1, lines(1, 10))
    assert await fixture.seqs() == list(range(1, 11))
    yield fixture
    fixture.store.close()


async def test_a_server_that_crashes_and_comes_back(used: Fixture) -> None:
    for start in range(11, 511, 100):
        used.store.append(1, lines(start, start + 99))
    used.server.stop()
    used.store.append(1, lines(511, 550))
    used.store.put_position(1, "phone", 550)
    used.server.start()
    used.store.append(1, lines(551, 560))
    while used.store.undurable:
        with suppress(Unavailable):
            await used.store.settled()
    assert await used.seqs() == list(range(1, 561))
    assert [found.seq for found in await used.store.lines(Range(1, ("#a",), 560, 9999))] == list(range(1, 561))
    while used.store.unindexed:
        await used.store.settled()
    found = await used.store.search(Search((1,), "word", 9999))
    assert [hit.line.seq for hit in found] == list(range(560, 0, -1))
    assert used.store.dropped == 0
    assert (await used.store.devices(1))["phone"].behind == 10


async def test_a_server_that_is_gone_for_a_while(used: Fixture) -> None:
    used.server.stop("fast")
    used.store.append(1, lines(11, 400))
    problem = await used.failing.get()
    assert problem is not None
    assert problem.startswith(f"the database postgres on {used.server.path} can't be used: ")
    with pytest.raises(Unavailable, match=r"^the database postgres on .* can't be used"):
        await used.seqs()
    with pytest.raises(Unavailable, match="can't be used"):
        await used.store.settled()
    assert used.store.undurable == 390
    used.server.start()
    assert await used.failing.get() is None
    await used.store.settled()
    assert await used.seqs() == list(range(1, 401))
    assert used.store.undurable == used.store.dropped == 0


async def test_a_reader_notices_nothing_of_a_restart(used: Fixture) -> None:
    used.server.stop()
    used.server.start()
    assert await used.seqs() == list(range(1, 11))


async def test_one_bouncer_alone_has_a_database(used: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.01)
    with pytest.raises(Refused) as refused:
        ServerStore.open(used.url, BOX)
    assert str(refused.value) == (
        f"the database postgres on {used.server.path} is in use by another bouncer; "
        "stop that one, or name another database"
    )
    other = ServerStore.open(used.server.new_schema(), BOX)  # a schema is a database of its own
    other.close()


async def test_who_lost_the_database_to_another_writes_no_more(used: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.01)
    (pid,) = used.connections()
    used.server.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
    other = ServerDatabase(Server(used.url), BOX, lambda: 0.0)
    used.store.append(1, lines(11, 12))
    problem = await used.failing.get()
    assert problem is not None
    assert "can't be used" in problem  # that it is in use by another is found out with the next try
    with pytest.raises(Unavailable):
        await used.store.settled()
    assert used.server.execute("SELECT count(*) FROM messages", used.url) == [(10,)]
    assert used.store.undurable == 2
    other.close()
    assert await used.failing.get() is None
    assert await used.seqs() == list(range(1, 13))


async def test_a_server_that_says_nothing(used: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STATEMENT_TIMEOUT", 0.1)
    monkeypatch.setattr(connection, "SILENCE_TIMEOUT", 0.2)
    used.server.stop()
    used.server.start()
    used.store.append(1, lines(11, 12))
    assert await used.failing.get() is not None
    assert await used.failing.get() is None  # connected anew, with little patience
    (pid,) = used.connections()
    os.kill(pid, signal.SIGSTOP)
    try:
        used.store.append(1, lines(13, 14))
        problem = await used.failing.get()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert problem is not None
    assert problem.endswith("can't be used, for its server does not answer: see whether it runs")
    assert await used.failing.get() is None
    assert await used.seqs() == list(range(1, 15))


async def test_a_commit_whose_answer_was_lost(
    fragile_postgresql: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    database = ServerDatabase(Server(fragile_postgresql.new_schema()), BOX, lambda: 0.0, 1)
    database.load()
    batch = Batch()
    batch.add_users([User(id=1, name="alice", networks=(Network(id=1, name="n"),))], [])
    batch.add_lines(1, [*lines(1, 5), Entry(6, 6, Message.parse(b":b QUIT"), Kind.QUIT, also=("#a", "#b"))])
    with caplog.at_level(logging.INFO):
        database.commit(batch)
        database.commit(batch)
    assert [record.message for record in caplog.records] == ["6 lines had numbers that were in use, and were left out"]
    assert database.unindexed == 6
    while database.index():
        pass
    schema = fragile_postgresql.execute(
        "SELECT max(substr(nspname, 5)::integer) FROM pg_namespace WHERE nspname ~ '^test'"
    )
    url = fragile_postgresql.url(schema=f"test{schema[0][0]}")
    assert fragile_postgresql.execute("SELECT count(*) FROM messages", url) == [(6,)]
    assert fragile_postgresql.execute("SELECT count(*) FROM places", url) == [(2,)]
    database.close()
    database.close()


def test_a_password_is_never_told(fragile_postgresql: PostgresqlServer, caplog: pytest.LogCaptureFixture) -> None:
    hba = fragile_postgresql.path / "data" / "pg_hba.conf"
    hba.write_text("local all careful scram-sha-256\nlocal all all trust\n")
    fragile_postgresql.execute("CREATE ROLE careful LOGIN PASSWORD 'right'")
    fragile_postgresql.execute("SELECT pg_reload_conf()")
    for written, password in (("wr%40ng", "wr@ng"), ("sesame", "sesame")):
        url = fragile_postgresql.url(user=f"careful:{written}")
        server = Server(url)
        with pytest.raises(Refused) as refused:
            ServerDatabase(server, BOX, lambda: 0.0)
        told = f"{refused.value} {refused.value.__cause__!r} {server!r} {server} {caplog.text}"
        assert "password authentication failed" in told
        assert f"the database postgres on {fragile_postgresql.path}" in told
        assert written not in told
        assert password not in told


@pytest.mark.parametrize("url", ["postgresql://u:sesame@[host/db", "postgresql://u:sesame@h/db?nonsense=sesame"])
def test_a_url_that_can_not_be_read_is_not_told_either(url: str) -> None:
    with pytest.raises(Refused, match="can't be read: write it as postgresql://user@host/database") as refused:
        Server(url)
    assert "sesame" not in str(refused.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Refused) as refused:
        ServerStore.open("postgresql://u:sesame@127.0.0.1:1/lines", BOX)
    assert str(refused.value) == "the database lines on 127.0.0.1 can't be used: Connection refused"
