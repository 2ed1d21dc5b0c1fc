"""Whether a database that nobody uses is whole, and what is in it.

Owns these looks, and what is changed in a copy so that it may live on beside its original. Must not know where the
copy is from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bouncer.model.errors import Refused
from bouncer.store import records
from bouncer.store.database import CHECK_CONTEXT, explain
from bouncer.store.migrations import APPLICATION_ID, read_scripts, schema_of
from bouncer.store.secrets import Box, Unreadable


@dataclass(frozen=True, slots=True)
class Checked:
    """``lines``: how many there are of each network that is kept, removed ones too, by its id."""

    schema: int
    users: int
    lines: Mapping[str, int]


def look(path: Path) -> Checked:
    """What is in a database. Raises Refused if it can't be read."""
    with _opened(path) as connection:
        return _contents(connection)


def check(path: Path, box: Box) -> Checked:
    """Look at every page of a database, and open every secret in it. Raises Refused with what is wrong."""
    with _opened(path) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise Refused(f"the database {path.name} is another program's: take another backup")
        problem = connection.execute("PRAGMA integrity_check (1)").fetchone()[0]
        if problem != "ok":
            raise Refused(f"the database {path.name} is damaged ({problem}): take another backup")
        schema, known = schema_of(connection), max(read_scripts())
        if schema > known:
            raise Refused(
                f"the database {path.name} was written by a newer bouncer (its schema is {schema}, this program knows "
                f"{known}): use a bouncer at least as new as that"
            )
        try:
            sealed = connection.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
            if sealed is not None:
                box.open(sealed[0], CHECK_CONTEXT)
            if schema == known:  # an older one is read by this program after it was brought up to date
                records.load_users(connection, box)
        except Unreadable as error:
            raise Refused(
                f"the key does not open the secrets of {error} in {path.name}: take another backup"
            ) from error
        return _contents(connection)


def begin_anew(path: Path, start: int) -> None:
    """Let starts of a database count from ``start`` on (seconds since 1970 will do), so that msgids given after it was
    put back are none that were given after it was copied. Raises Refused."""
    with _opened(path) as connection:
        connection.execute("UPDATE meta SET value = max(value, ?) WHERE name = 'boot'", (start,))
        connection.commit()


def _contents(connection: sqlite3.Connection) -> Checked:
    lines = dict.fromkeys((str(row[0]) for row in connection.execute("SELECT id FROM networks ORDER BY id")), 0)
    for network, count in connection.execute("SELECT network, count(*) FROM messages GROUP BY network"):
        lines[str(network)] = count
    users = connection.execute("SELECT count(*) FROM users WHERE deleted_at IS NULL").fetchone()[0]
    return Checked(schema_of(connection), users, lines)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Refused(explain(path, error)) from error
