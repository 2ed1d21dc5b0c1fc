"""A connection to a PostgreSQL server: making it, what its errors mean, and the shape that shared SQL wants.

Owns the driver. Must not know tables.

No thread waits for ever: the server ends a statement that takes long, and a server that says nothing is given up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.adapt import Buffer, Dumper
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Format
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from bouncer.model.errors import Refused
from bouncer.store.values import Text

CONNECT_TIMEOUT = 5  # seconds, for each address of the host; the writer's thread can't count its lines meanwhile
STATEMENT_TIMEOUT = 30.0  # seconds; no question of ours takes a tenth of it on the data that we are meant for
SILENCE_TIMEOUT = 40.0  # seconds: longer than any statement may take, so the server or the way to it is gone
LOCK_TIMEOUT = 3.0  # seconds that the server may need to see that the process which had the database has ended
MIGRATION_TIMEOUT = 3600.0  # seconds: making an index of very many lines

# Plans are made for the values that are asked for; compiling them would take longer than running them. A commit is on
# the disk when it returns, whatever the server's own setting. The server, too, finds out when we are gone.
_SETTINGS = (
    "SET plan_cache_mode = force_custom_plan; SET jit = off; SET enable_seqscan = off; "
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
    "SET idle_in_transaction_session_timeout = '60s'; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_MARKS = re.compile(r"%|\?|(?<!:):(\w+)")
_REASON = re.compile(r".*failed: (?:FATAL: +)?(.+)")

_MEANINGS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.DiskFull, "its disk is full: make room there"),
    (errors.ReadOnlySqlTransaction, "it is a copy that can only be read: name the server that it is a copy of"),
    (errors.InsufficientPrivilege, "its user lacks rights there: make that user the owner of the database"),
    (errors.QueryCanceled, "it took too long: see what else that server is doing"),
    (errors.DataCorrupted, "it is damaged: put back a backup of it"),
    (errors.IndexCorrupted, "an index of it is damaged: run REINDEX DATABASE there"),
    (errors.TooManyConnections, "that server has no room for more connections: raise its max_connections"),
)


class InUse(psycopg.OperationalError):
    """Another process has the database."""


class Silent(psycopg.OperationalError):
    """The server does not answer."""


class Server:
    """Which database, on which server, as who. Its password is nowhere to be seen."""

    def __init__(self, url: str) -> None:
        """``url`` as libpq has it (postgresql://user:password@host:port/database). Raises Refused."""
        try:
            found = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise Refused(
                "the URL of the database can't be read: write it as postgresql://user@host/database"
            ) from None  # its text may have a part of the password
        self._url = url
        self._secrets = [str(found[key]) for key in ("password", "sslpassword") if found.get(key)]
        self._secrets += re.findall(r":([^@/]+)@", url)
        host = found.get("host") or found.get("hostaddr") or "this machine"
        self.name = f"the database {found.get('dbname') or found.get('user') or 'of this user'} on {host}"

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __str__(self) -> str:
        return self.name

    def connect(self) -> Connection:
        """Raises psycopg.Error."""
        raw = _Patient.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            client_encoding="UTF8",
            application_name="bouncer",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,  # milliseconds
        )
        try:
            raw.adapters.register_dumper(str, _NameDumper)
            raw.adapters.register_dumper(Text, StrDumper)
            raw.adapters.register_dumper(int, Int8Dumper)
            raw.execute(_SETTINGS)
            connection = Connection(raw)
            connection.allow(STATEMENT_TIMEOUT)
        except BaseException:
            raw.close()
            raise
        return connection

    def explain(self, error: Exception) -> str:
        """One clear sentence: the database, the problem, the fix. Without the password."""
        if isinstance(error, InUse):
            return f"{self} is in use by another bouncer; stop that one, or name another database"
        if isinstance(error, Silent):
            return f"{self} can't be used, for its server does not answer: see whether it runs"
        for kind, meaning in _MEANINGS:
            if isinstance(error, kind):
                return f"{self} can't be used, for {meaning}"
        said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        lines = [line.strip() for line in (said or str(error)).splitlines() if line.strip()]
        text = next((line for line in lines if _REASON.match(line)), lines[0] if lines else type(error).__name__)
        reason = _REASON.match(text)
        return f"{self} can't be used: {self._without_secrets(reason[1] if reason else text)}"

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***").replace(unquote(secret), "***")
        return text


class Connection:
    """What shared SQL runs on: ``?`` and ``:name`` stand for values; a name is bytes, a Text is text."""

    def __init__(self, raw: _Patient) -> None:
        self._raw = raw

    @property
    def usable(self) -> bool:
        """False when it has ended, however that came."""
        return not self._raw.closed

    def ended_by(self, error: BaseException) -> bool:
        """True if this was the end of the connection, which then is closed, and not of a statement alone."""
        state = error.sqlstate or "" if isinstance(error, psycopg.OperationalError) else "?"
        if not self.usable or not state or state[:3] == "57P" or state[:2] == "08":
            self._raw.close()
        return not self.usable

    def execute(self, statement: str, values: Any = None, /) -> psycopg.Cursor[Any]:
        """Run one statement. Raises psycopg.Error."""
        if values:
            return self._raw.execute(_translated(statement), values, binary=True)
        return self._raw.execute(statement.encode(), binary=True)

    def one(self, statement: str, values: Any = None, /) -> tuple[Any, ...]:
        """The only row of a statement that has one. Raises psycopg.Error."""
        return self.execute(statement, values).fetchall()[0]  # type: ignore[no-any-return]  # rows are of any type

    def executemany(self, statement: str, values: Iterable[Any], /) -> None:
        """Run one statement with many values, all at once. Raises psycopg.Error."""
        with self._raw.cursor() as cursor:
            cursor.executemany(_translated(statement), values)

    def script(self, text: str) -> None:
        """Run several statements. Raises psycopg.Error."""
        self._raw.execute(text.encode())

    def copy(self, statement: str, data: bytes) -> int:
        """Run a COPY FROM STDIN; returns how many rows came of ``data``. Raises psycopg.Error."""
        with self._raw.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                copy.write(data)
            return cursor.rowcount

    def found(self, statement: str, values: dict[str, Any]) -> psycopg.ServerCursor[Any]:
        """A cursor on what a SELECT finds, to be read by portions in a transaction. ``values``: numbers and Text."""
        cursor = self._raw.cursor("found", scrollable=False)
        cursor.execute(_translated(statement), values, binary=True)
        return cursor

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing of what the block writes; of a reader, one picture of all that it reads."""
        return self._raw.transaction()

    def only_read(self) -> None:
        """From now on, each transaction reads in one picture, and none writes."""
        self._raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._raw.read_only = True

    def allow(self, seconds: float) -> None:
        """Let a statement take so long from now on."""
        self._raw.execute(b"SELECT set_config('statement_timeout', %s, false)", (Text(int(seconds * 1000)),))
        self._raw.patience = seconds + SILENCE_TIMEOUT - STATEMENT_TIMEOUT

    def close(self) -> None:
        """The end. May be called again."""
        self._raw.close()


class _Patient(psycopg.Connection[Any]):
    """A connection that waits, but not for ever."""

    patience = SILENCE_TIMEOUT

    def wait(self, gen: PQGen[Any], *more: Any, **named: Any) -> Any:
        return super().wait(_bounded(gen, self), *more, **named)


def _bounded(steps: PQGen[Any], connection: _Patient) -> Generator[Any, Any, Any]:
    """The same steps, until patience is over. psycopg hands 0 to a step when nothing came for a tenth of a second."""
    deadline = time.monotonic() + connection.patience
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                steps.close()
                connection.pgconn.finish()
                raise Silent("the server does not answer")
            wanted = steps.send(ready)
    except StopIteration as done:
        return done.value


class _NameDumper(Dumper):
    """Names go out as their bytes."""

    format = Format.BINARY
    oid = psycopg.adapters.types["bytea"].oid

    def dump(self, obj: str) -> Buffer | None:
        return obj.encode("utf-8", "surrogateescape")


@lru_cache(256)  # our statements are fewer
def _translated(statement: str) -> bytes:
    """A statement as psycopg wants it."""
    return _MARKS.sub(_mark, statement).encode()


def _mark(found: re.Match[str]) -> str:
    if found[0] == "%":
        return "%%"
    return f"%({found[1]})s" if found[1] else "%s"
