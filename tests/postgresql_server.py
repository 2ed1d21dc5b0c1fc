"""A PostgreSQL server for tests: made in a directory of its own, on a socket there, and removed.

Debian's package puts the programs where no PATH looks. The server refuses to run as root: then it runs as the user that
the package has made.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"
SECONDS = "60"  # for the server to start or to stop

# A crash of the machine need not be survived. What else is set makes faults quick.
SETTINGS = "-c fsync=off -c full_page_writes=off -c listen_addresses='' -c max_connections=40 -c shared_buffers=32MB"


def programs() -> Path:
    """Where initdb and pg_ctl are, of the newest PostgreSQL. Skips the test where there is none, but not in CI."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    if os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL is not installed, and CI must not skip it (see .ci/install-peers)")
    pytest.skip("PostgreSQL is not installed")


class PostgresqlServer:
    """Make, start, use, remove."""

    def __init__(self) -> None:
        self._programs = programs()
        self.path = Path(tempfile.mkdtemp(prefix="bnc-pg-"))
        self._data = self.path / "data"
        self._numbers = itertools.count(1)
        self._user = USER if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(self.path, owner.pw_uid, owner.pw_gid)

    def make(self) -> None:
        """Make the files of a server without databases of ours."""
        self._run("initdb", "-U", "bouncer", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self._run(
            "pg_ctl", "-w", "-t", SECONDS, "-l", str(self.path / "log"), "-o", f"{SETTINGS} -k {self.path}", "start"
        )

    def stop(self, how: str = "immediate") -> None:
        """Stop it, by default as if it had crashed."""
        self._run("pg_ctl", "-w", "-t", SECONDS, "-m", how, "stop")

    def remove(self) -> None:
        """Stop it if it runs, and remove its files."""
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.path)

    @property
    def pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, user: str = "bouncer", schema: str = "public") -> str:
        """Of a database; its tables are in ``schema``."""
        return f"postgresql://{user}@/postgres?host={quote(str(self.path), '')}&options=-csearch_path%3D{schema}"

    def new_schema(self) -> str:
        """The URL of a database that is empty."""
        schema = f"test{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema=schema)

    def execute(self, statement: str, url: str = "") -> list[tuple[object, ...]]:
        """Run a statement as the server's owner."""
        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, "-D", self._data, *arguments],
            user=self._user,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,  # the server would keep it open
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, (program, done.stdout)
