"""What a database must be able to do for the SQL that all databases share.

Owns that shape, which sqlite3's connections have by themselves. Statements have ``?`` or ``:name`` for their values.
Must not know a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class Rows(Protocol):
    """What a statement gave."""

    def fetchone(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection, inside a transaction or not: that is up to who has opened it."""

    def execute(self, statement: str, values: Any = ..., /) -> Rows: ...

    def executemany(self, statement: str, values: Iterable[Any], /) -> object: ...
