"""Write a database of the present schema as SQL to standard output: what a new file in dumps/ is made with.

python tests/unit/store/make_dump.py > tests/unit/store/dumps/NNNN.sql
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.records import Channel, Endpoint, Network, SaslLogin, User
from bouncer.store.migrations import APPLICATION_ID, schema_of
from bouncer.store.secrets import KEY_SIZE, Box
from bouncer.store.sqlite import Store

NOW = 1_790_000_000
LINES = (
    (Kind.PRIVMSG, "#a", b"@msgid=x :bob!b@host PRIVMSG #a :one"),
    (Kind.JOIN, "#a", b":bob!b@host JOIN #a"),
    (Kind.PRIVMSG, "#A", b":bob!b@host PRIVMSG #A :three \xff"),
)
NETWORK = Network(
    id=1,
    name="libera",
    servers=(Endpoint("irc.example.org", 6697),),
    sasl=SaslLogin("alice", "sasl secret"),
    channels=(Channel("#a", "channel secret", detached=True), Channel("#caf\udce9")),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bouncer.db"
        store = Store.open(path, Box(bytes(KEY_SIZE)), now=lambda: NOW)
        store.load()
        store.put_users([User(id=1, name="alice", password_hash="$hash", admin=True, networks=(NETWORK,))])
        entries = [
            Entry(seq, NOW * 1000 + seq, Message.parse(raw), kind, target)
            for seq, (kind, target, raw) in enumerate(LINES, start=1)
        ]
        store.append(1, entries)
        store.put_position(1, "phone", 2)
        store.close()
        with closing(sqlite3.connect(path)) as connection:
            sys.stdout.write("\n".join(connection.iterdump()))
            sys.stdout.write(f"\nPRAGMA application_id = {APPLICATION_ID};\n")
            sys.stdout.write(f"PRAGMA user_version = {schema_of(connection)};\n")


if __name__ == "__main__":
    main()
