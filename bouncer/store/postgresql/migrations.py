"""Bringing a schema of PostgreSQL to what this program knows, and keeping it to one process.

Owns the numbering of schemas there. Must not know what the tables mean. All that is missing is done in one transaction:
where it fails, all is as it was before, so no copy is made first.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from psycopg import errors

from bouncer.model.errors import Refused
from bouncer.store.postgresql.connection import LOCK_TIMEOUT, MIGRATION_TIMEOUT, STATEMENT_TIMEOUT, Connection, InUse
from bouncer.store.values import Text

LOCK = 0x626E6372  # "bncr"; the second number of the lock is made of the schema's name


def read_scripts() -> dict[int, str]:
    """The migrations of this program: number of the schema -> the SQL that leads to it from the one before."""
    folder = resources.files("bouncer.store.postgresql").joinpath("schema")
    return {
        int(file.name.removesuffix(".sql")): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def take(connection: Connection) -> None:
    """Have the database for this connection alone, until it ends. Raises InUse if another one has it."""
    connection.execute("SELECT set_config('lock_timeout', ?, false)", (Text(int(LOCK_TIMEOUT * 1000)),))
    try:
        connection.execute("SELECT pg_advisory_lock(?, hashtext(current_schema()))".replace("?", str(LOCK)))
    except errors.LockNotAvailable as error:
        raise InUse("another bouncer has it") from error


def migrate(connection: Connection, name: str, scripts: Mapping[int, str]) -> None:
    """Run the scripts that the database called ``name`` lacks.

    Raises Refused if it holds another program's tables or a newer program's, and psycopg.Error as it comes.
    """
    encoding, schema = connection.one("SELECT current_setting('server_encoding'), current_schema()")
    if encoding != "UTF8":
        raise Refused(f"{name} is kept in {encoding}: make one with the encoding UTF8")
    if schema is None:
        raise Refused(f"{name} has no schema to make tables in: make one, or set the user's search_path")
    newest = max(scripts)
    found = _schema_of(connection, name)
    if found > newest:
        raise Refused(
            f"{name} was written by a newer bouncer (its schema is {found}, this program knows {newest}): "
            "run a bouncer at least as new as that"
        )
    if found == newest:
        return
    connection.allow(MIGRATION_TIMEOUT)
    with connection.transaction():
        for number in range(found + 1, newest + 1):
            connection.script(scripts[number])
        connection.execute(
            "INSERT INTO meta (name, value) VALUES ('schema', ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (newest,),
        )
    connection.allow(STATEMENT_TIMEOUT)


def _schema_of(connection: Connection, name: str) -> int:
    """The number of a database's schema, 0 if it is empty."""
    tables = [
        row[0]
        for row in connection.execute(
            "SELECT CAST(tablename AS text) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
        )
    ]
    if not tables:
        return 0
    if "meta" in tables and "messages" in tables:
        found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
        if found is not None:
            return int(found[0])
    raise Refused(f"{name} holds the tables of another program: name another database")
