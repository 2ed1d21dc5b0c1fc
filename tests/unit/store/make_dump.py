"""Write a database of the present schema as SQL to standard output: what a new file in dumps/ is made with.

python tests/unit/store/make_dump.py > tests/unit/store/dumps/NNNN.sql
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.records import Channel, Endpoint, Network, SaslLogin, User
from bouncer.store.migrations import APPLICATION_ID, schema_of
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store
from bouncer.store.writer import Pace

NOW = 1_790_000_000
LINES = (
    (Kind.PRIVMSG, "#a", b"@msgid=x :bob!b@host PRIVMSG #a :one"),
    (Kind.JOIN, "#a", b":bob!b@host JOIN #a"),
    (Kind.PRIVMSG, "#a", b":bob!b@host PRIVMSG #A :three \xff"),
)
NETWORK = Network(
    id=1,
    name="libera",
    servers=(Endpoint("irc.example.org", 6697),),
    sasl=SaslLogin("alice", "sasl secret"),
    channels=(Channel("#a", "channel secret", detached=True), Channel("#caf\udce9")),
)


async def fill(path: Path) -> None:
    """Make the database, its lines indexed."""
    store = Store.open(path, Box(bytes(KEY_SIZE)), now=lambda: NOW, pace=Pace(index=0.0))
    store.load()
    store.put_users([User(id=1, name="alice", password_hash="$hash", admin=True, networks=(NETWORK,))])
    entries = [
        Entry(seq, NOW * 1000 + seq, Message.parse(raw), kind, target)
        for seq, (kind, target, raw) in enumerate(LINES, start=1)
    ]
    store.append(1, entries)
    store.put_position(1, "phone", 2)
    store.put_marker(1, "#a", NOW * 1000)
    await store.settled()
    while store.unindexed:
        await store.settled()
    store.close()


def dump(connection: sqlite3.Connection) -> Iterator[str]:
    """The statements that make the database again. (sqlite3's own iterdump fails at tables without content.)"""
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall())
    virtual = [name for name, sql in tables.items() if sql.startswith("CREATE VIRTUAL")]
    yield "BEGIN TRANSACTION;"
    for name in virtual:
        yield f"{tables[name]};"  # makes its shadow tables too
    for name, sql in tables.items():
        if name in virtual:
            continue
        if any(name.startswith(f"{owner}_") for owner in virtual):
            yield f"DELETE FROM {name};"
        else:
            yield f"{sql};"
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        values = " || ',' || ".join(f"quote({column})" for column in columns)
        for row in connection.execute(f"SELECT {values} FROM {name}"):
            yield f"INSERT INTO {name} VALUES ({row[0]});"
    for row in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"):
        yield f"{row[0]};"
    yield "COMMIT;"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bouncer.db"
        asyncio.run(fill(path))
        with closing(sqlite3.connect(path)) as connection:
            sys.stdout.write("\n".join(dump(connection)))
            sys.stdout.write(f"\nPRAGMA application_id = {APPLICATION_ID};\n")
            sys.stdout.write(f"PRAGMA user_version = {schema_of(connection)};\n")


if __name__ == "__main__":
    main()
