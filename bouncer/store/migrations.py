"""Bringing a database to the schema that this program knows.

Owns the numbering of schemas and the copy that is kept of what was there before. Must not know what the tables mean.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from bouncer.model.errors import Refused
from bouncer.store.files import make_empty

APPLICATION_ID = 0x626E6372  # "bncr" in the file's header tells our databases from other programs'


def read_scripts() -> dict[int, str]:
    """The migrations of this program: number of the schema -> the SQL that leads to it from the one before."""
    folder = resources.files("bouncer.store").joinpath("schema")
    return {
        int(file.name.removesuffix(".sql")): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def schema_of(connection: sqlite3.Connection) -> int:
    """The number of a database's schema, 0 for an empty file."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection, path: Path, scripts: Mapping[int, str]) -> None:
    """Run the scripts that the database at ``path`` lacks, each in one transaction, after copying an existing one to
    ``NAME.schemaN``. The connection must be in autocommit mode.

    Raises Refused if the file is another program's database or a newer program's, and sqlite3.Error as it comes: then
    the database is at the last schema that was reached.
    """
    found, newest = schema_of(connection), max(scripts)
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not ours and (tables or found):
        raise Refused(f"{path} is the database of another program: name another home, or move the file away")
    if found > newest:
        raise Refused(
            f"{path} was written by a newer bouncer (its schema is {found}, this program knows {newest}): "
            "run a bouncer at least as new as that"
        )
    if 0 < found < newest:
        _copy(connection, path.with_name(f"{path.name}.schema{found}"))
    for number in range(found + 1, newest + 1):
        _run(connection, number, scripts[number])


def _copy(connection: sqlite3.Connection, to: Path) -> None:
    """Copy the database as it is, write-ahead log included."""
    to.unlink(missing_ok=True)
    make_empty(to)
    copy = sqlite3.connect(to)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def _run(connection: sqlite3.Connection, number: int, script: str) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.rollback()
        raise
