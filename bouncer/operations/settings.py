"""The keys of users, networks and channels: the same in commands and in the state file (design 5.3).

Owns which keys there are, who may set them, and how their values go into the records and come out again. Must not
know where the values come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from bouncer.model.errors import Refused
from bouncer.model.records import (
    DEFAULT_FIRST_HELPING,
    FIRST_HELPING_DAYS,
    HIGHLIGHT,
    MESSAGE,
    NONE,
    REGAIN_WATCH,
    Channel,
    Flood,
    Limits,
    Network,
    SaslLogin,
    User,
)
from bouncer.model.spans import short
from bouncer.operations import names, values
from bouncer.operations.row import NEEDED, Key, Who

EXTERNAL = "EXTERNAL"  # the one mechanism that needs no account's name: the certificate tells
NAME = Key("name", "a new name for it", "name=libera2", values.name, NEEDED)


def _keep_keys(prefix: str, whose: str, who: Who = Who.USER) -> tuple[Key, ...]:
    """How long and how much history is kept."""
    return (
        Key(
            f"{prefix}keep",
            f"how long {whose} is kept; of those that hold for a line the shortest counts; left empty it is for ever",
            f"{prefix}keep=90d",
            values.lifetime,
            0.0,
            who,
        ),
        Key(
            f"{prefix}keep_size",
            f"how much of {whose} is kept, in bytes of text; what is the oldest goes first; left empty it is all",
            f"{prefix}keep_size=500MB",
            values.size,
            0,
            who,
        ),
    )


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
        "scram",
        "with password_hash: the same password's keys for SCRAM-SHA-256, as export --secrets prints them",
        "scram='SCRAM-SHA-256$4096:…'",
        values.scram,
        "",
        Who.ADMIN,
        secret=True,
    ),
    Key(
        "tokens",
        "passwords of devices, as export --secrets prints them; token create makes one",
        "tokens='a1b2c3d4 phone 1700000000 …'",
        values.tokens,
        (),
        Who.ADMIN,
        secret=True,
    ),
    Key(
        "certificates",
        "client certificates that log in, each by name and SHA-256 fingerprint; certificate add registers one",
        'certificates="laptop AB:CD:…"',
        values.certificates,
        (),
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
    Key(
        "highlight",
        "words beside the nick that call for attention; * and ? stand for any letters",
        "highlight='coffee,release*'",
        values.highlights,
        (),
        many=True,
    ),
    Key(
        "ignore",
        "whose text is neither shown nor kept, on all networks: nicks or masks",
        "ignore='*!*@spam.example'",
        values.masks,
        (),
        many=True,
    ),
    *_keep_keys("", "the history of all networks together"),
    Key(
        "limits.networks",
        "how many networks the user may have; 0 is as many as they like",
        "limits.networks=10",
        values.count(0, values.NETWORKS_LIMIT),
        0,
        Who.ADMIN,
    ),
    Key(
        "limits.devices",
        "how many devices may be attached at once; 0 is as many as they like",
        "limits.devices=10",
        values.count(0, values.DEVICES_LIMIT),
        0,
        Who.ADMIN,
    ),
    *_keep_keys("limits.", "the user's history at most", Who.ADMIN),
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
        "EXTERNAL, SCRAM-SHA-256 or PLAIN; left empty it is the strongest that works",
        "sasl.mechanism=PLAIN",
        values.mechanism,
        reconnects=True,
    ),
    Key(
        "sasl.required",
        "yes stays away from the network rather than being there without login",
        "sasl.required=yes",
        values.yes_or_no,
        False,
        reconnects=True,
    ),
    Key(
        "certificate",
        "the certificate and key that are shown to the network, in PEM; cert generate makes one",
        "certificate=…",
        values.certificate,
        "",
        secret=True,
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
    Key(
        "proxy",
        "connect through it: socks5://, socks4:// or http://, with user:password@ if it wants one",
        "proxy=socks5://127.0.0.1:9050",
        values.proxy,
        "",
        secret=True,
        reconnects=True,
        shown=values.without_login,
    ),
    Key(
        "encoding",
        "what the network's text is in where it is not UTF-8",
        "encoding=cp1251",
        values.encoding,
        "utf-8",
        reconnects=True,
    ),
    Key(
        "regain",
        "how a nick that is taken is got back: watch takes it when it is free, services also asks NickServ, off leaves "
        "it",
        "regain=services",
        values.one_of("watch", "services", "off"),
        REGAIN_WATCH,
    ),
    Key("away", "what is said of you while no device is attached; left empty nothing is", "away=asleep", values.text),
    Key(
        "ignore",
        "whose text is neither shown nor kept: nicks or masks",
        "ignore='troll,*!*@spam.example'",
        values.masks,
        (),
        many=True,
    ),
    Key(
        "do_not_log",
        "channels and nicks whose text is shown, but not kept in history",
        "do_not_log=#private,alice",
        values.targets,
        (),
        many=True,
    ),
    *_keep_keys("", "the network's history"),
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
    Key(
        "relay",
        "what of it is told while it is detached: none, highlight or message",
        "relay=message",
        values.one_of(NONE, HIGHLIGHT, MESSAGE),
        HIGHLIGHT,
    ),
    Key(
        "reattach",
        "what brings it back when it is detached: none, highlight or message",
        "reattach=highlight",
        values.one_of(NONE, HIGHLIGHT, MESSAGE),
        NONE,
    ),
    Key(
        "detach_after",
        "how long nothing may happen in it before it detaches by itself; 0 is for ever",
        "detach_after=3d",
        values.duration,
        0.0,
    ),
    Key(
        "detach_on",
        "what counts as happening for detach_after: none (only your own words), highlight or message",
        "detach_on=highlight",
        values.one_of(NONE, HIGHLIGHT, MESSAGE),
        MESSAGE,
    ),
    Key(
        "sticky",
        "yes joins it again whenever you are put out of it, and a /part in a client does not leave it",
        "sticky=yes",
        values.yes_or_no,
        False,
    ),
    *_keep_keys("", "the channel's history"),
)

# Keys whose field has another name.
_FIELD_OF = {"highlight": "highlights", "do_not_log": "unlogged"}
# Keys of the form ``outer.inner``, by their outer part.
TABLES = frozenset({"sasl", "flood", "limits"})
_USER_FIELDS = frozenset(field.name for field in fields(User)) - {"id", "networks", "limits"}
_NETWORK_FIELDS = frozenset(field.name for field in fields(Network)) - {"id", "sasl", "flood", "channels"}
_CHANNEL_FIELDS = frozenset(field.name for field in fields(Channel)) - {"name"}


def _fields(new: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    named = ((_FIELD_OF.get(key, key), value) for key, value in new.items())
    return {name: value for name, value in named if name in known}


def user_with(user: User, new: Mapping[str, Any]) -> User:
    """The user with these values of :data:`USER_KEYS`; a password has to be hashed before."""
    return replace(user, limits=_limits_with(user.limits, new), **_fields(new, _USER_FIELDS))


def network_with(network: Network, new: Mapping[str, Any]) -> Network:
    """The network with these values of :data:`NETWORK_KEYS`. Raises Refused for what does not fit together."""
    changed = replace(
        network,
        sasl=_sasl_with(network.sasl, new),
        flood=_flood_with(network.flood, new),
        **_fields(new, _NETWORK_FIELDS),
    )
    if "channels" in new:
        changed = replace(changed, channels=tuple(channel_of(network, name) for name in new["channels"]))
    if not changed.servers:
        raise Refused("a network needs a server, as in servers=ircs://irc.libera.chat:6697")
    return changed


def channel_with(channel: Channel, new: Mapping[str, Any]) -> Channel:
    """The channel with these values of :data:`CHANNEL_KEYS`."""
    return replace(channel, **_fields(new, _CHANNEL_FIELDS))


def channel_of(network: Network, name: str) -> Channel:
    """The network's channel of that name as it is, or a new one."""
    known = (channel for channel in network.channels if names.same_channel(channel.name, name))
    return next(known, Channel(name))


def _limits_with(limits: Limits, new: Mapping[str, Any]) -> Limits:
    return replace(limits, **_inner(new, "limits"))


def _inner(new: Mapping[str, Any], table: str) -> dict[str, Any]:
    """The keys of an inner table, without its name before them."""
    return {key.removeprefix(f"{table}."): value for key, value in new.items() if key.startswith(f"{table}.")}


def _sasl_with(sasl: SaslLogin | None, new: Mapping[str, Any]) -> SaslLogin | None:
    if "sasl" in new:
        sasl = None
    parts = _inner(new, "sasl")
    if not parts:
        return sasl
    sasl = replace(sasl or SaslLogin(), **parts)
    if not sasl.user and sasl.mechanism != EXTERNAL:
        raise Refused("sasl.user is missing: it is the account at the network's services; sasl=off turns SASL off")
    return sasl


def _flood_with(flood: Flood, new: Mapping[str, Any]) -> Flood:
    flood = new.get("flood", flood)
    parts = _inner(new, "flood")
    if parts and not flood.burst and "burst" not in parts:
        raise Refused("flood is off, so that flood.every means nothing; give flood.burst too")
    return replace(flood, **parts)


def user_values(user: User) -> dict[str, Any]:
    """The settings that are not at their default, by key, as the state file writes them."""
    found = _found(user, USER_KEYS, _USER_FIELDS)
    found |= {f"limits.{field.name}": getattr(user.limits, field.name) for field in fields(Limits)}
    found |= _kept(user) | {f"limits.{name}": value for name, value in _kept(user.limits).items()}
    found["tokens"] = tuple(f"{each.id} {each.device} {each.created} {each.digest}" for each in user.tokens)
    found["certificates"] = tuple(f"{each.name} {each.fingerprint}" for each in user.certificates)
    return _unusual(found, USER_KEYS)


def _found(noun: object, keys: tuple[Key, ...], known: frozenset[str]) -> dict[str, Any]:
    """The values of those keys that are fields of the noun."""
    named = ((key.name, _FIELD_OF.get(key.name, key.name)) for key in keys)
    return {key: getattr(noun, name) for key, name in named if name in known}


def network_values(network: Network) -> dict[str, Any]:
    """As :func:`user_values`, for a network; channels by name only."""
    found = _found(network, NETWORK_KEYS, _NETWORK_FIELDS)
    found["channels"] = tuple(channel.name for channel in network.channels)
    found |= _kept(network)
    if network.sasl is not None:
        found |= {f"sasl.{field.name}": getattr(network.sasl, field.name) for field in fields(SaslLogin)}
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
    found = _found(channel, CHANNEL_KEYS, _CHANNEL_FIELDS) | _kept(channel)
    if channel.detach_after:
        found["detach_after"] = short(channel.detach_after)
    return _unusual(found, CHANNEL_KEYS)


def _kept(noun: User | Network | Channel | Limits) -> dict[str, str]:
    """How long and how much of the history is kept, where that is not all of it."""
    kept = {}
    if noun.keep:
        kept["keep"] = short(noun.keep)
    if noun.keep_size:
        kept["keep_size"] = values.size_text(noun.keep_size)
    return kept


def _unusual(found: Mapping[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key in keys:
        value = found.get(key.name, key.default)
        if value != key.default and value not in ("", ()):
            kept[key.name] = [str(item) for item in value] if isinstance(value, tuple) else value
    return kept


def without_secrets(flat: Mapping[str, Any], keys: tuple[Key, ...]) -> dict[str, Any]:
    """The settings fit to be shown: of a secret only that there is one (True), or what its key says may be shown."""
    secret = {key.name: key.shown for key in keys if key.secret}
    return {name: _fit_to_show(value, secret[name]) if name in secret else value for name, value in flat.items()}


def _fit_to_show(value: Any, shown: Callable[[Any], str] | None) -> Any:
    return True if shown is None else shown(value)
