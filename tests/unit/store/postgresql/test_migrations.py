"""Schemas on a server: which are taken, which refused; and that they fit those of SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from bouncer.model.errors import Refused
from bouncer.store import migrations as sqlite_migrations
from bouncer.store.postgresql.connection import Connection, Server
from bouncer.store.postgresql.database import ServerDatabase
from bouncer.store.postgresql.migrations import migrate, read_scripts
from bouncer.store.secrets import KEY_SIZE, Box
from tests.postgresql_server import PostgresqlServer

NEWEST = max(read_scripts())
BOX = Box(bytes(KEY_SIZE))


@pytest.fixture
def url(postgresql: PostgresqlServer) -> str:
    return postgresql.new_schema()


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with closing(Server(url).connect()) as connection:
        yield connection


def tables(connection: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT CAST(table_name AS text), CAST(column_name AS text) FROM information_schema.columns "
        "WHERE table_schema = current_schema()"
    ):
        found.setdefault(table, set()).add(column)
    return found


def test_an_empty_schema_gets_all_scripts(connection: Connection) -> None:
    migrate(connection, "it", read_scripts())
    assert connection.one("SELECT value FROM meta WHERE name = 'schema'") == (NEWEST,)
    migrate(connection, "it", read_scripts())
    assert connection.one("SELECT value FROM meta WHERE name = 'schema'") == (NEWEST,)


def test_a_script_that_fails_changes_nothing(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(connection, "it", read_scripts() | {NEWEST + 1: "CREATE TABLE more (x bigint); DROP TABLE nothing"})
    assert tables(connection) == {}


def test_a_newer_schema_is_refused(connection: Connection) -> None:
    migrate(connection, "it", read_scripts() | {NEWEST + 1: "CREATE TABLE more (x bigint)"})
    assert "more" in tables(connection)
    with pytest.raises(Refused, match=f"newer bouncer .its schema is {NEWEST + 1}, this program knows {NEWEST}."):
        migrate(connection, "it", read_scripts())


@pytest.mark.parametrize("sql", ["CREATE TABLE meta (name text)", "CREATE TABLE messages (x bigint)"])
def test_another_programs_tables_are_refused(connection: Connection, url: str, sql: str) -> None:
    connection.script(sql)
    with pytest.raises(Refused, match="holds the tables of another program: name another database"):
        ServerDatabase(Server(url), BOX, lambda: 0.0)


def test_a_schema_that_is_not_there_is_refused(postgresql: PostgresqlServer) -> None:
    with pytest.raises(Refused, match="has no schema to make tables in"):
        ServerDatabase(Server(postgresql.url(schema="nowhere")), BOX, lambda: 0.0)


def test_another_encoding_is_refused(postgresql: PostgresqlServer) -> None:
    postgresql.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(Refused, match="is kept in LATIN1: make one with the encoding UTF8"):
        ServerDatabase(Server(postgresql.url().replace("/postgres?", "/latin?")), BOX, lambda: 0.0)


def test_another_key_is_refused(url: str) -> None:
    ServerDatabase(Server(url), BOX, lambda: 0.0).close()
    with pytest.raises(Refused, match=r"the key does not fit .*: put back the secret.key that was made with it"):
        ServerDatabase(Server(url), Box(bytes([1] * KEY_SIZE)), lambda: 0.0)
    ServerDatabase(Server(url), BOX, lambda: 0.0).close()


def test_a_user_without_rights_is_told(postgresql: PostgresqlServer, url: str) -> None:
    postgresql.execute(f"CREATE ROLE poor LOGIN; GRANT USAGE ON SCHEMA {url.rpartition('%3D')[2]} TO poor")
    with pytest.raises(Refused, match="its user lacks rights there"):
        ServerDatabase(Server(url.replace("bouncer@", "poor@")), BOX, lambda: 0.0)


def test_both_databases_have_the_same_columns(connection: Connection) -> None:
    """So that one can be copied into the other. Indexes are made anew, and ``meta`` is each one's own."""
    migrate(connection, "it", read_scripts())
    here = tables(connection)
    with closing(sqlite3.connect(":memory:")) as other:
        for _, script in sorted(sqlite_migrations.read_scripts().items()):
            other.executescript(script)
        names = [row[0] for row in other.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        there = {name: {row[1] for row in other.execute(f"PRAGMA table_info({name})")} for name in names}
    of_the_index = {"words", "blocks", "late", "indexed", "milestones", "links", "meta"}
    copied = {name: columns for name, columns in there.items() if name.partition("_")[0] not in of_the_index}
    assert copied
    assert copied == {name: here[name] for name in copied}
    assert here.keys() - copied.keys() == {"words", "indexed", "meta"}
