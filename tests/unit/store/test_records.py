from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from bouncer.model.records import Channel, ClientCertificate, Endpoint, Network, SaslLogin, Token, User
from bouncer.store.migrations import read_scripts
from bouncer.store.records import load_users, put_user
from bouncer.store.secrets import KEY_SIZE, Box

BOX = Box(bytes(KEY_SIZE))
ALICE = User(id=1, name="alice", nick="al", networks=(Network(id=1, name="one", nick="al1", server_password="s"),))

# every secret there is
SECRETIVE = User(
    id=2,
    name="bob",
    password_hash="hidden-hash",
    scram="hidden-keys",
    tokens=(Token("0badcafe", "phone", "hidden-digest", 1),),
    certificates=(ClientCertificate("laptop", "ab" * 32),),
    networks=(
        Network(
            id=2,
            name="two",
            servers=(Endpoint("irc.example", 6697),),
            server_password="hidden-password",
            sasl=SaslLogin("bob", "hidden-sasl", "PLAIN"),
            connect_commands=("PRIVMSG NickServ :IDENTIFY hidden-command",),
            certificate="hidden-pem",
            proxy="socks5://bob:hidden-login@proxy.example:1080",
            channels=(Channel("#c", "hidden-key"),),
        ),
    ),
)


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


def test_a_part_of_a_setting_that_a_newer_program_knows_is_left_out(connection: sqlite3.Connection) -> None:
    user = replace(SECRETIVE, id=1, networks=(replace(SECRETIVE.networks[0], id=1),))
    put_user(connection, BOX, user, 0)
    for table, column, context, names in (
        ("users", "settings", "", ("limits", "certificates")),
        ("users", "secrets", "user 1", ("tokens",)),
        ("networks", "settings", "", ("servers", "flood")),
        ("networks", "secrets", "network 1", ("sasl",)),
    ):
        stored = connection.execute(f"SELECT {column} FROM {table}").fetchone()[0]
        found = json.loads(BOX.open(stored, context) if context else stored)
        for name in names:
            for part in found[name] if isinstance(found[name], list) else [found[name]]:
                part["later"] = 1
        text = json.dumps(found)
        kept = BOX.seal(text.encode(), context) if context else text
        connection.execute(f"UPDATE {table} SET {column} = ?", (kept,))
    assert load_users(connection, BOX) == (user,)


def test_no_secret_can_be_read_in_the_file(connection: sqlite3.Connection) -> None:
    put_user(connection, BOX, SECRETIVE, 0)
    put_user(connection, BOX, replace(SECRETIVE, networks=()), 1)  # what is removed stays sealed, too
    assert b"bob" in connection.serialize()
    assert b"hidden" not in connection.serialize()
    assert b"hidden" not in repr(SECRETIVE).encode()
