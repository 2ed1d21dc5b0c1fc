"""soju with a database in SQLite, in which it keeps messages, too."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.client import PASSWORD, USER
from benchmarks.subjects.port import START_SECONDS, Daemon, Setting, found, spawn
from benchmarks.words import channel

_CONFIG = """
listen {scheme}://127.0.0.1:{port}
listen unix+admin://{home}/admin
hostname bench
tls {certificate} {certificate}
db sqlite3 {home}/soju.db
message-store db
"""


class Soju:
    name = "soju"

    def __init__(self, path: str = "") -> None:
        self._path = path or "soju"

    def missing(self) -> str:
        return "" if found(self._path) else f"no program {self._path}; name one with --soju"

    def version(self) -> str:
        return "soju"  # it has no option to tell

    async def start(self, setting: Setting) -> Daemon:
        home, plan = setting.home, setting.plan
        config = home / "config"
        config.write_text(
            _CONFIG.format(
                scheme="ircs" if plan.tls else "irc+insecure",
                port=setting.port,
                home=home,
                certificate=setting.certificate.pem,
            )
        )
        words = [found(self._path), "-config", str(config)]
        trusts = {"SSL_CERT_FILE": str(setting.certificate.pem)}
        first = Daemon(spawn(words, home))
        try:
            await _make_user(home / "admin")
        finally:
            await first.stop()
        _fill(home / "soju.db", setting)
        return Daemon(spawn(words, home, environment=trusts))


async def _make_user(path: Path) -> None:
    """By its socket for admins, as soon as that is there."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(path)
                break
            except OSError:
                await asyncio.sleep(0.05)
        writer.write(f"BOUNCERSERV :user create -username {USER} -password {PASSWORD} -admin\r\n".encode())
        while (line := await reader.readline()) and b"BOUNCERSERV" not in line:
            pass
        writer.close()
        await writer.wait_closed()
    if b"OK" not in line:
        raise RuntimeError(f"soju made no user: {line!r}")


def _fill(path: Path, setting: Setting) -> None:
    """Networks and channels, which would each connect and join at once if they were made by its commands."""
    plan = setting.plan
    scheme = "ircs" if plan.tls else "irc+insecure"
    with closing(sqlite3.connect(path)) as database, database:
        (user,) = database.execute("SELECT id FROM User WHERE username = ?", (USER,)).fetchone()
        for number in range(plan.networks):
            network = database.execute(
                "INSERT INTO Network(name, user, addr, nick) VALUES (?, ?, ?, ?)",
                (f"n{number}", user, f"{scheme}://127.0.0.1:{setting.upstream}", f"n{number}"),
            ).lastrowid
            database.executemany(
                "INSERT INTO Channel(network, name) VALUES (?, ?)",
                [(network, channel(which).decode()) for which in range(plan.channels)],
            )
