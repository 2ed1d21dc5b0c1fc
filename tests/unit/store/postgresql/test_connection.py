"""A connection: what it makes of statements and values, what it sets, and what its errors mean."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from bouncer.store.postgresql import connection as module
from bouncer.store.postgresql.connection import Connection, Server
from bouncer.store.values import Text
from tests.postgresql_server import PostgresqlServer


@pytest.fixture
def connection(postgresql: PostgresqlServer) -> Iterator[Connection]:
    with closing(Server(postgresql.new_schema()).connect()) as connection:
        yield connection


def test_values_by_place_and_by_name(connection: Connection) -> None:
    assert connection.one("SELECT ? + 1, 7 % ?, CAST(? AS bigint)::text", (1, 4, 5)) == (2, 3, "5")
    assert connection.one("SELECT :a + :b, :a % 2", {"a": 3, "b": 1 << 40}) == (3 + (1 << 40), 1)
    assert connection.one("SELECT '100%'") == ("100%",)


def test_names_are_bytes_and_texts_are_text(connection: Connection) -> None:
    assert connection.one("SELECT ?, pg_typeof(?)::text", ("caf\u00e9\udcff", "a")) == (b"caf\xc3\xa9\xff", "bytea")
    assert connection.one("SELECT ?, pg_typeof(?)::text", (Text("caf\u00e9"), Text("a"))) == ("caf\u00e9", "text")
    assert connection.one("SELECT ?", ("",)) == (b"",)


def test_a_commit_is_on_the_disk_whatever_the_server_is_set_to(postgresql: PostgresqlServer) -> None:
    for setting, expected in {"off": "on", "on": "on", "remote_apply": "remote_apply"}.items():
        url = f"{postgresql.url()}%20-csynchronous_commit%3D{setting}"
        with closing(Server(url).connect()) as connection:
            assert connection.one("SHOW synchronous_commit") == (expected,)


def test_a_statement_that_takes_too_long_is_ended(postgresql: PostgresqlServer) -> None:
    server = Server(postgresql.url())
    with closing(server.connect()) as connection:
        connection.allow(0.02)
        with pytest.raises(psycopg.errors.QueryCanceled) as ended:
            connection.execute("SELECT pg_sleep(60)")
        assert server.explain(ended.value).endswith("took too long: see what else that server is doing")
        assert not connection.ended_by(ended.value)
        assert connection.one("SELECT 1") == (1,)


def test_a_connection_that_the_server_ends_is_known_to_be_over(
    postgresql: PostgresqlServer, connection: Connection
) -> None:
    (pid,) = connection.one("SELECT pg_backend_pid()")
    postgresql.execute(f"SELECT pg_terminate_backend({pid}, 10000)")
    usable = [connection.usable]  # nobody has told us yet
    with pytest.raises(psycopg.OperationalError) as ended:
        connection.execute("SELECT 1")
    assert connection.ended_by(ended.value)
    usable.append(connection.usable)
    assert usable == [True, False]
    connection.close()


def test_a_reader_sees_one_picture_and_writes_nothing(connection: Connection, postgresql: PostgresqlServer) -> None:
    connection.only_read()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused, connection.transaction():
        connection.execute("CREATE TABLE x (y bigint)")
    assert "it is a copy that can only be read" in Server(postgresql.url()).explain(refused.value)


def test_a_database_is_named_by_its_host_and_name_alone() -> None:
    names = {
        "postgresql://u:sesame@db.example:5433/lines?sslmode=require": "the database lines on db.example",
        "postgresql://u@/?host=/run/postgresql": "the database u on /run/postgresql",
        "postgresql:///lines": "the database lines on this machine",
        "postgresql://a,b/lines?password=sesame": "the database lines on a,b",
    }
    for url, name in names.items():
        assert str(Server(url)) == name
        assert repr(Server(url)) == f"<{name}>"


def test_a_password_is_taken_out_of_what_a_server_says() -> None:
    server = Server("postgresql://u:open%20sesame@h/d")
    assert server.explain(psycopg.OperationalError("odd: open sesame, open%20sesame")) == (
        "the database d on h can't be used: odd: ***, ***"
    )
    assert Server("postgresql://h/d").explain(psycopg.OperationalError("")) == (
        "the database d on h can't be used: OperationalError"
    )


def test_no_statement_may_take_longer_than_silence() -> None:
    assert module.SILENCE_TIMEOUT > module.STATEMENT_TIMEOUT > module.LOCK_TIMEOUT
