"""Users, networks and channels as rows, and back.

Owns which settings are secret and how each is written. Must not know when rows are written.

Settings are JSON: one that is missing takes its default, one that is unknown is left out, so that an older and a newer
program understand each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from bouncer.model.ports import Removed, RemovedNetwork, RemovedUser
from bouncer.model.records import (
    Channel,
    ClientCertificate,
    Endpoint,
    Flood,
    Limits,
    Network,
    SaslLogin,
    Token,
    User,
)
from bouncer.store.connection import Connection
from bouncer.store.secrets import Box
from bouncer.store.values import Text, from_column, to_column

# not passwords, but what one can be guessed against at leisure
USER_SECRETS = frozenset({"password_hash", "scram", "tokens"})
NETWORK_SECRETS = frozenset({"server_password", "sasl", "connect_commands", "certificate", "proxy"})
_USER_COLUMNS = frozenset({"id", "name", "networks"})  # kept apart from the JSON
_NETWORK_COLUMNS = frozenset({"id", "name", "channels"})
_CHANNEL_COLUMNS = frozenset({"name", "key", "detached"})

T = TypeVar("T", Endpoint, SaslLogin, Flood, Limits, Token, ClientCertificate)


def _part(noun: type[T], found: Mapping[str, Any]) -> T:
    """A part of a setting, without what this program does not know of it."""
    known = {field.name for field in fields(noun)}
    return noun(**{name: value for name, value in found.items() if name in known})


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "servers": lambda found: tuple(_part(Endpoint, each) for each in found),
    "alternative_nicks": tuple,
    "connect_commands": tuple,
    "sasl": lambda found: _part(SaslLogin, found) if found else None,
    "flood": lambda found: _part(Flood, found),
    "ignore": tuple,
    "unlogged": tuple,
    "highlights": tuple,
    "limits": lambda found: _part(Limits, found),
    "tokens": lambda found: tuple(_part(Token, each) for each in found),
    "certificates": lambda found: tuple(_part(ClientCertificate, each) for each in found),
}


def put_user(connection: Connection, box: Box, user: User, now: int) -> None:
    """Write a user as it is, its networks and channels included, inside the caller's transaction. A network that it
    has no more is marked as removed ``now`` (seconds)."""
    open_part, secret_part = _split(asdict(user), USER_SECRETS, _USER_COLUMNS)
    connection.execute(
        "INSERT INTO users (id, name, settings, secrets) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "name = excluded.name, settings = excluded.settings, secrets = excluded.secrets, deleted_at = NULL",
        (user.id, to_column(user.name), open_part, box.seal(secret_part, _user_context(user.id))),
    )
    _never_again(connection, "next_user", user.id)
    gone = {row[0] for row in connection.execute('SELECT id FROM networks WHERE "user" = ?', (user.id,))}
    gone -= {network.id for network in user.networks}
    for network_id in gone:
        connection.execute("UPDATE networks SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (now, network_id))
    for place, network in enumerate(user.networks):
        _put_network(connection, box, user.id, place, network)


def remove_user(connection: Connection, user_id: int, now: int) -> None:
    """Mark a user and its networks as removed, inside the caller's transaction."""
    connection.execute("UPDATE users SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (now, user_id))
    connection.execute('UPDATE networks SET deleted_at = ? WHERE "user" = ? AND deleted_at IS NULL', (now, user_id))


def _put_network(connection: Connection, box: Box, user_id: int, place: int, network: Network) -> None:
    open_part, secret_part = _split(asdict(network), NETWORK_SECRETS, _NETWORK_COLUMNS)
    sealed = box.seal(secret_part, _network_context(network.id))
    connection.execute(
        'INSERT INTO networks (id, "user", place, name, settings, secrets) VALUES (?, ?, ?, ?, ?, ?) '
        'ON CONFLICT (id) DO UPDATE SET "user" = excluded."user", place = excluded.place, name = excluded.name, '
        "settings = excluded.settings, secrets = excluded.secrets, deleted_at = NULL",
        (network.id, user_id, place, to_column(network.name), open_part, sealed),
    )
    _never_again(connection, "next_network", network.id)
    connection.execute("DELETE FROM channels WHERE network = ?", (network.id,))
    connection.executemany(
        "INSERT INTO channels (network, place, name, key, detached, settings) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                network.id,
                place,
                to_column(channel.name),
                _seal_key(box, network.id, channel),
                int(channel.detached),
                _channel_settings(channel),
            )
            for place, channel in enumerate(network.channels)
        ],
    )


def load_users(connection: Connection, box: Box) -> tuple[User, ...]:
    """All users that are not removed, by id. Raises Unreadable if a secret does not open."""
    networks: dict[int, list[Network]] = {}
    for user_id, _, network in _load_networks(connection, box, "IS NULL"):
        networks.setdefault(user_id, []).append(network)
    return tuple(
        replace(user, networks=tuple(networks.get(user.id, ())))
        for user, _ in _load_accounts(connection, box, "IS NULL")
    )


def load_removed(connection: Connection, box: Box) -> Removed:
    """What was removed and is still kept, what went last first. A network went with its user if both went at the same
    time. Raises Unreadable if a secret does not open."""
    users = dict(_load_accounts(connection, box, "IS NOT NULL"))
    went = {user.id: at for user, at in users.items()}
    with_user: dict[int, list[Network]] = {}
    alone: list[RemovedNetwork] = []
    for user_id, at, network in _load_networks(connection, box, "IS NOT NULL"):
        if went.get(user_id) == at:
            with_user.setdefault(user_id, []).append(network)
        else:
            alone.append(RemovedNetwork(user_id, network, at))
    whole = [RemovedUser(replace(user, networks=tuple(with_user.get(user.id, ()))), at) for user, at in users.items()]
    return Removed(
        tuple(sorted(whole, key=lambda each: (each.at, each.user.id), reverse=True)),
        tuple(sorted(alone, key=lambda each: (each.at, each.network.id), reverse=True)),
    )


def _load_accounts(connection: Connection, box: Box, deleted_at: str) -> Iterator[tuple[User, int]]:
    """Users without their networks, by id, and when they were removed."""
    for user_id, name, settings, secrets, at in connection.execute(
        f"SELECT id, name, settings, secrets, coalesce(deleted_at, 0) FROM users WHERE deleted_at {deleted_at} "
        "ORDER BY id"
    ):
        found = _join(User, settings, box.open(secrets, _user_context(user_id)))
        yield User(id=user_id, name=from_column(name), **found), at


def _load_networks(connection: Connection, box: Box, deleted_at: str) -> Iterator[tuple[int, int, Network]]:
    """Networks in the order in which their users have them: the user, when it was removed, and the network."""
    channels: dict[int, list[Channel]] = {}
    for network_id, name, key, detached, settings in connection.execute(
        "SELECT network, channels.name, key, detached, channels.settings FROM channels "
        f"JOIN networks ON networks.id = channels.network WHERE deleted_at {deleted_at} "
        "ORDER BY network, channels.place"
    ):
        channel = _load_channel(box, network_id, from_column(name), key, bool(detached), settings)
        channels.setdefault(network_id, []).append(channel)
    for network_id, user_id, name, settings, secrets, at in connection.execute(
        'SELECT id, "user", name, settings, secrets, coalesce(deleted_at, 0) FROM networks '
        f'WHERE deleted_at {deleted_at} ORDER BY "user", place'
    ):
        found = _join(Network, settings, box.open(secrets, _network_context(network_id)))
        kept = tuple(channels.get(network_id, ()))
        yield user_id, at, Network(id=network_id, name=from_column(name), channels=kept, **found)


def next_ids(connection: Connection) -> tuple[int, int]:
    """The first ids of a user and of a network that were never given."""
    found = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('next_user', 'next_network')"))
    return found["next_user"], found["next_network"]


def _never_again(connection: Connection, name: str, used: int) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE name = ? AND value < ?", (used + 1, Text(name), used + 1))


def _split(settings: dict[str, Any], secret: frozenset[str], apart: frozenset[str]) -> tuple[Text, bytes]:
    """The JSON of what is not secret, and that of what is."""
    readable = {name: value for name, value in settings.items() if name not in secret and name not in apart}
    return Text(json.dumps(readable)), json.dumps({name: settings[name] for name in sorted(secret)}).encode()


def _join(noun: type[User] | type[Network] | type[Channel], settings: str, secrets: bytes = b"{}") -> dict[str, Any]:
    found = json.loads(settings) | json.loads(secrets)
    known = {field.name for field in fields(noun)}
    return {name: _DECODERS.get(name, _same)(value) for name, value in found.items() if name in known}


def _same(value: Any) -> Any:
    return value


def _user_context(user_id: int) -> str:
    return f"user {user_id}"


def _network_context(network_id: int) -> str:
    return f"network {network_id}"


def _channel_context(network_id: int, name: str) -> str:
    return f"channel {network_id} {name}"


def _seal_key(box: Box, network_id: int, channel: Channel) -> bytes:
    if not channel.key:
        return b""
    return box.seal(channel.key.encode("utf-8", "surrogateescape"), _channel_context(network_id, channel.name))


def _channel_settings(channel: Channel) -> Text:
    """What of a channel is not as it is of most."""
    found, usual = asdict(channel), asdict(Channel(channel.name))
    return Text(
        json.dumps(
            {name: value for name, value in found.items() if name not in _CHANNEL_COLUMNS and value != usual[name]}
        )
    )


def _load_channel(box: Box, network_id: int, name: str, sealed: bytes, detached: bool, settings: str) -> Channel:
    key = box.open(sealed, _channel_context(network_id, name)) if sealed else b""
    return Channel(name, key.decode("utf-8", "surrogateescape"), detached, **_join(Channel, settings))
