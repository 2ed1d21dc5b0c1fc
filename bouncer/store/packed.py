"""Many rows as one: a statement's rows joined to one text inside SQLite.

Owns that form. Must not know tables.

Python gives up the interpreter's lock for each row that it steps to, and beside a busy loop gets it back only after a
millisecond: a hundred rows took 100 ms. A single row with a hundred in it takes one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence


def packed(columns: Sequence[str], source: str) -> str:
    """The SELECT that joins these columns, each a number or ``hex(...)``, of the rows of ``source`` in its order."""
    return f"SELECT group_concat({' || char(32) || '.join(columns)}, char(10)) FROM ({source})"


def unpack(connection: sqlite3.Connection, statement: str, values: object) -> Iterator[list[str]]:
    """The rows of a packed statement, each column as text."""
    return rows_of(connection.execute(statement, values).fetchone()[0])  # type: ignore[arg-type]  # tuple or dict


def rows_of(whole: str | None) -> Iterator[list[str]]:
    """The rows in what a packed statement gives."""
    return (row.split(" ") for row in whole.split("\n")) if whole else iter(())


def listed(numbers: Sequence[int]) -> str:
    """Numbers as SQLite's ``json_each`` takes them."""
    return f"[{','.join(map(str, numbers))}]"


def name_of(column: str) -> str:
    """A name out of ``hex(name)``."""
    return bytes.fromhex(column).decode("utf-8", "surrogateescape")
