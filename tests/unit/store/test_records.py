from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from bouncer.model.records import Network, User
from bouncer.store.migrations import read_scripts
from bouncer.store.records import load_users, put_user
from bouncer.store.secrets import KEY_SIZE, Box

BOX = Box(bytes(KEY_SIZE))
ALICE = User(id=1, name="alice", nick="al", networks=(Network(id=1, name="one", nick="al1", server_password="s"),))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for _, script in sorted(read_scripts().items()):
            connection.executescript(script)
        put_user(connection, BOX, ALICE, 0)
        yield connection


@pytest.mark.parametrize("table", ["users", "networks"])
def test_a_setting_of_a_newer_program_is_left_out_and_a_missing_one_is_the_default(
    connection: sqlite3.Connection, table: str
) -> None:
    settings = json.loads(connection.execute(f"SELECT settings FROM {table}").fetchone()[0])
    del settings["nick"]
    connection.execute(f"UPDATE {table} SET settings = ?", (json.dumps(settings | {"later": [1]}),))
    user = load_users(connection, BOX)[0]
    assert (user.nick, user.networks[0].nick) == (("", "al1") if table == "users" else ("al", ""))
    assert user.networks[0].server_password == "s"


def test_no_secret_is_among_the_settings(connection: sqlite3.Connection) -> None:
    readable = [json.loads(row[0]) for row in connection.execute("SELECT settings FROM networks")]
    assert readable[0].keys() & {"server_password", "sasl", "connect_commands"} == set()
    readable = [json.loads(row[0]) for row in connection.execute("SELECT settings FROM users")]
    assert "password_hash" not in readable[0]
