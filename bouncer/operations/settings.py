"""The keys of users, networks and channels: the same in commands and in the state file (design 5.3).

Owns which keys there are, who may set them, and how their values go into the records and come out again. Must not
know where the values come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import DEFAULT_FIRST_HELPING, FIRST_HELPING_DAYS, Channel, Flood, Network, SaslLogin, User
from bouncer.operations import names, values
from bouncer.operations.row import NEEDED, Key, Who

NAME = Key("name", "a new name for it", "name=libera2", values.name, NEEDED)

USER_KEYS = (
    replace(NAME, help="a new name to log in with", example="name=alice2", who=Who.ADMIN),
    Key(
        "password",
        "the password to log in with; it is kept as a hash",
        'password="long and easy to remember"',
        values.login_password,
        NEEDED,
        secret=True,
    ),
    Key(
        "password_hash",
        "instead of password: its Argon2id hash, as export --secrets prints it",
        "password_hash='$argon2id$v=19$…'",
        values.password_hash,
        NEEDED,
        Who.ADMIN,
        secret=True,
    ),
    Key(
        "admin",
        "yes for a user who may change everything and everybody",
        "admin=yes",
        values.yes_or_no,
        False,
        Who.ADMIN,
    ),
    Key(
        "enabled",
        "no closes the account: nobody can log in, its networks are left; nothing is forgotten",
        "enabled=no",
        values.yes_or_no,
        True,
        Who.ADMIN,
    ),
    Key(
        "nick",
        "the nick on networks that set none; left empty it is the name",
        "nick=alice",
        values.checked(names.nick),
    ),
    Key("realname", "the real name on networks that set none", 'realname="Alice A."', values.text),
    Key(
        "timezone",
        "of the times that old clients get as text",
        "timezone=Europe/Berlin",
        values.zone,
        "UTC",
    ),
    Key(
        "first_helping",
        f"how many lines of the last {FIRST_HELPING_DAYS} days a device gets that was never here before",
        "first_helping=200",
        values.count(0, values.FIRST_HELPING_LIMIT),
        DEFAULT_FIRST_HELPING,
    ),
)

NETWORK_KEYS = (
    NAME,
    Key(
        "servers",
        "where to connect, tried in order; ircs:// is TLS, irc+insecure:// is plain text",
        "servers=ircs://irc.libera.chat:6697",
        values.servers,
        NEEDED,
        many=True,
        reconnects=True,
    ),
    Key("enabled", "no leaves the network and stays away", "enabled=no", values.yes_or_no, True),
    Key("nick", "the nick there; left empty it is the user's", "nick=alice2", values.checked(names.nick)),
    Key(
        "alternative_nicks",
        "tried in order when the nick is taken, at the next connect",
        "alternative_nicks=alice_,alice__",
        values.nicks,
        (),
        many=True,
    ),
    Key("ident", "the user name there (nick!ident@host)", "ident=alice", values.checked(names.ident), reconnects=True),
    Key("realname", "the real name there", 'realname="Alice A."', values.text, reconnects=True),
    Key(
        "server_password",
        "the server's own password, if it wants one",
        "server_password=…",
        values.secret,
        "",
        secret=True,
        reconnects=True,
    ),
    Key("sasl", "off: no login to the network's services", "sasl=off", values.off, None, reconnects=True),
    Key("sasl.user", "the account at the network's services", "sasl.user=alice", values.text, reconnects=True),
    Key("sasl.password", "its password", "sasl.password=…", values.secret, "", secret=True, reconnects=True),
    Key(
        "sasl.mechanism",
        "SCRAM-SHA-256 or PLAIN; left empty it is the strongest on offer",
        "sasl.mechanism=PLAIN",
        values.mechanism,
        reconnects=True,
    ),
    Key(
        "tls_fingerprint",
        "trust the server's certificate by its SHA-256 fingerprint alone (for self-signed ones)",
        "tls_fingerprint=AB:CD:…",
        values.fingerprint,
        reconnects=True,
    ),
    Key(
        "connect_commands",
        "an IRC line to send after each connect; give the key again for a second one",
        'connect_commands="MODE alice +x"',
        values.raw_lines,
        (),
        secret=True,
        many=True,
    ),
    Key("bind", "the local IP address to connect from", "bind=192.0.2.1", values.address, reconnects=True),
    Key("quit_message", "what others read when it leaves", 'quit_message="see you"', values.text),
    Key(
        "flood",
        "off: send as fast as typed; default: 5 lines at once, then one per 2 s",
        "flood=off",
        values.flood,
        Flood(),
    ),
    Key(
        "flood.burst",
        "how many lines may go at once",
        "flood.burst=5",
        values.count(1, values.BURST_LIMIT),
        Flood().burst,
    ),
    Key("flood.every", "the time between lines after that", "flood.every=2s", values.seconds, Flood().every),
    Key(
        "channels",
        "all channels to be in; channel create adds one",
        "channels=#python,#irc",
        values.channels,
        (),
        many=True,
    ),
)

CHANNEL_KEYS = (
    Key("key", "the channel's key (mode +k)", "key=…", values.secret, "", secret=True),
    Key(
        "detached",
        "yes stays in it and keeps its history, but does not show it in clients",
        "detached=yes",
        values.yes_or_no,
        False,
    ),
)

# keys of the contract whose feature is not there: each says so instead of being "unknown"
UNBUILT: Mapping[str, str] = {
    "proxy": "connecting through a proxy is not built yet; leave the key out",
    "away": "setting away by itself is not built yet; leave the key out",
    "encoding": "other encodings than utf-8 are not built yet; leave the key out",
    "limits": "limits per user are not built yet; leave the key out",
}

_USER_FIELDS = frozenset(field.name for field in fields(User)) - {"id", "networks"}
_NETWORK_FIELDS = frozenset(field.name for field in fields(Network)) - {"id", "sasl", "flood", "channels"}
_CHANNEL_FIELDS = frozenset(field.name for field in fields(Channel)) - {"name"}


def unbuilt(key: str, value: object) -> str:
    """Why this key can't be set to this value in this version, "" if it is not such a key."""
    plain = key.replace("-", "_").lower().partition(".")[0]
    if plain == "encoding" and str(value).casefold() in ("", "utf-8", "utf8"):
        return ""
    return UNBUILT.get(plain, "")


def user_with(user: User, new: Mapping[str, Any]) -> User:
    """The user with these values of :data:`USER_KEYS`; a password has to be hashed before."""
    return replace(user, **{key: value for key, value in new.items() if key in _USER_FIELDS})


def network_with(network: Network, new: Mapping[str, Any]) -> Network:
    """The network with these values of :data:`NETWORK_KEYS`. Raises Refused for what does not fit together."""
    changed = replace(
        network,
        sasl=_sasl_with(network.sasl, new),
        flood=_flood_with(network.flood, new),
        **{key: value for key, value in new.items() if key in _NETWORK_FIELDS},
    )
    if "channels" in new:
        changed = replace(changed, channels=tuple(channel_of(network, name) for name in new["channels"]))
    if not changed.servers:
        raise Refused("a network needs a server, as in servers=ircs://irc.libera.chat:6697")
    return changed


def channel_with(channel: Channel, new: Mapping[str, Any]) -> Channel:
    """The channel with these values of :data:`CHANNEL_KEYS`."""
    return replace(channel, **{key: value for key, value in new.items() if key in _CHANNEL_FIELDS})


def channel_of(network: Network, name: str) -> Channel:
    """The network's channel of that name as it is, or a new one."""
    known = (channel for channel in network.channels if names.same_channel(channel.name, name))
    return next(known, Channel(name))


def _sasl_with(sasl: SaslLogin | None, new: Mapping[str, Any]) -> SaslLogin | None:
    if "sasl" in new:
        sasl = None
    parts = {key.removeprefix("sasl."): value for key, value in new.items() if key.startswith("sasl.")}
    if not parts:
        return sasl
    sasl = replace(sasl or SaslLogin(), **parts)
    if not sasl.user:
        raise Refused("sasl.user is missing: it is the account at the network's services; sasl=off turns SASL off")
    return sasl


def _flood_with(flood: Flood, new: Mapping[str, Any]) -> Flood:
    flood = new.get("flood", flood)
    parts = {key.removeprefix("flood."): value for key, value in new.items() if key.startswith("flood.")}
    if parts and not flood.burst and "burst" not in parts:
        raise Refused("flood is off, so that flood.every means nothing; give flood.burst too")
    return replace(flood, **parts)


def user_values(user: User) -> dict[str, Any]:
    """The settings that are not at their default, by key, as the state file writes them."""
    found = {key.name: getattr(user, key.name) for key in USER_KEYS if key.name in _USER_FIELDS}
    return _unusual(found, USER_KEYS)


def network_values(network: Network) -> dict[str, Any]:
    """As :func:`user_values`, for a network; channels by name only."""
    found: dict[str, Any] = {}
    for key in NETWORK_KEYS:
        if key.name in _NETWORK_FIELDS:
            found[key.name] = getattr(network, key.name)
        elif key.name.startswith("sasl.") and network.sasl is not None:
            found[key.name] = getattr(network.sasl, key.name.removeprefix("sasl."))
        elif key.name == "channels":
            found[key.name] = tuple(channel.name for channel in network.channels)
    if not network.flood.burst:
        found["flood"] = "off"
    elif network.flood != Flood():
        found["flood.burst"] = network.flood.burst
        found["flood.every"] = values.seconds_text(network.flood.every)
    kept = _unusual(found, NETWORK_KEYS)
    if "flood.burst" in found:
        kept.pop("flood.every", None)
        kept |= {key: found[key] for key in ("flood.burst", "flood.every")}  # they make sense together only
    return kept


def channel_values(channel: Channel) -> dict[str, Any]:
    """As :func:`user_values`, for a channel."""
    return _unusual({key.name: getattr(channel, key.name) for key in CHANNEL_KEYS}, CHANNEL_KEYS)


def _unusual(found: Mapping[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key in keys:
        value = found.get(key.name, key.default)
        if value != key.default and value not in ("", ()):
            kept[key.name] = [str(item) for item in value] if isinstance(value, tuple) else value
    return kept


def without_secrets(flat: Mapping[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
    """The settings fit to be shown: of a secret only that there is one (True)."""
    secret = {key.name for key in keys if key.secret}
    return {name: True if name in secret else value for name, value in flat.items()}
