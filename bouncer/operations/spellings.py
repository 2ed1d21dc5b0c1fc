"""What users of ZNC and soju type, and what that is here.

Owns the tables, and how words of theirs become words of ours. Must not know any operation: what is wrong with the
values is said by the rows they come to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bouncer.model.errors import Refused
from bouncer.operations.names import quoted

Build = Callable[[Sequence[str]], list[str]]

OBJECT = ""  # a flag whose value is the object

_ZNC_PORT = "6667"  # of ZNC's, where none is given


@dataclass(frozen=True, slots=True)
class Spelling:
    """``theirs`` is their usage line, its first words as they are typed, then values in capitals; ``least`` and
    ``most`` say how many values. ``ours`` are the words here, and ``build`` makes what stands behind them.

    Where there is none, ``instead`` says what there is, to follow ``theirs`` in a sentence.
    """

    theirs: str
    ours: str = ""
    build: Build = list
    least: int = 0
    most: int = 0
    instead: str = ""

    @property
    def name(self) -> str:
        """The words that name it, as they are written."""
        return " ".join(self.theirs.split()[: len(self.typed)])

    @property
    def typed(self) -> tuple[str, ...]:
        """The words that name it, in lower case."""
        words = self.theirs.split()
        named = [word for word in words if not word.isupper() and word[0] not in "[#+"]
        return tuple(word.lower() for word in named)


def _keys(*names: str) -> Build:
    """Each value behind its key; a name without ``=`` is a value as it is."""
    return lambda values: [f"{name}{value}" for name, value in zip(names, values, strict=False)]


def _always(*words: str) -> Build:
    return lambda values: [*words]


def _first(values: Sequence[str]) -> list[str]:
    return list(values[:1])


def _server(values: Sequence[str]) -> list[str]:
    """``HOST [[+]PORT] [PASSWORD]``: a plus before the port is TLS."""
    host, port = values[0], values[1] if len(values) > 1 else _ZNC_PORT
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    scheme = "ircs" if port.startswith("+") else "irc+insecure"
    words = [f"servers={scheme}://{host}:{port.removeprefix('+')}"]
    return words + [f"server_password={password}" for password in values[2:]]


def _network(values: Sequence[str]) -> list[str]:
    return [values[0], *(_server(values[1:]) if values[1:] else ())]


def _plain_login(values: Sequence[str]) -> list[str]:
    return ["sasl.mechanism=PLAIN", f"sasl.user={values[0]}", f"sasl.password={values[1]}"]


_BUFFERS = "is not needed: each device is given what it missed; device forget DEVICE gives it all that is kept anew"
_MODULES = "has nothing to load here: help lists what there is"
_PROCESS = "is the machine's business: whoever runs the bouncer stops and starts it there"
_LISTEN = "is listen in bouncer.toml"
_MOTD = "does not exist here: the network's own message of the day is shown"
_IN_CLIENT = "is for your client to ask; the bouncer answers what it knows"
_ORDER = "is channel order: channel order NETWORK #first,#second"
_BIND = "is set for each network: network update NETWORK bind=ADDRESS"

ZNC: tuple[Spelling, ...] = (
    Spelling("ListNetworks [USER]", "network list", most=1),
    Spelling("AddNetwork NAME [HOST [[+]PORT] [PASSWORD]]", "network create", _network, 1, 4),
    Spelling("DelNetwork NAME", "network delete", least=1, most=1),
    Spelling(
        "JumpNetwork NAME",
        instead="is a matter of the login: log in as user/NAME, or use a client that shows all networks at once",
    ),
    Spelling("MoveNetwork USER NAME", instead="is export on one side and apply on the other"),
    Spelling("AddServer HOST [[+]PORT] [PASSWORD]", "server add", _server, 1, 3),
    Spelling("DelServer HOST [[+]PORT] [PASSWORD]", "server remove", lambda values: _server(values[:2]), 1, 3),
    Spelling("RemServer HOST [[+]PORT] [PASSWORD]", "server remove", lambda values: _server(values[:2]), 1, 3),
    Spelling("ListServers [NETWORK]", "server list", most=1),
    Spelling("AddTrustedServerFingerprint FINGERPRINT", "network update", _keys("tls_fingerprint="), 1, 1),
    Spelling("DelTrustedServerFingerprint [FINGERPRINT]", "network update", _always("tls_fingerprint="), 0, 1),
    Spelling("ListTrustedServerFingerprints", "network show"),
    Spelling("Connect [NETWORK]", "network connect", most=1),
    Spelling("Disconnect [NETWORK]", "network disconnect", most=1),
    Spelling("Jump", "network reconnect"),
    Spelling("Reconnect [NETWORK]", "network reconnect", most=1),
    Spelling("ListChans [NETWORK]", "channel list", most=1),
    Spelling("EnableChan #CHANNEL", "channel create", least=1, most=1),
    Spelling("DisableChan #CHANNEL", "channel delete", least=1, most=1),
    Spelling("Attach #CHANNEL", "channel attach", least=1, most=1),
    Spelling("Detach #CHANNEL", "channel detach", least=1, most=1),
    Spelling("MoveChan #CHANNEL INDEX", instead=_ORDER),
    Spelling("SwapChans #CHANNEL #CHANNEL", instead=_ORDER),
    Spelling("ListNicks #CHANNEL", instead=_IN_CLIENT),
    Spelling("Topics", instead=_IN_CLIENT),
    Spelling("PlayBuffer NAME", instead=_BUFFERS),
    Spelling("ClearBuffer NAME", instead=_BUFFERS),
    Spelling("ClearAllBuffers", instead=_BUFFERS),
    Spelling("ClearAllChannelBuffers", instead=_BUFFERS),
    Spelling("ClearAllQueryBuffers", instead=_BUFFERS),
    Spelling("SetBuffer NAME LINES", instead="is user update first_helping=LINES; history itself has no length"),
    Spelling("SetBindHost ADDRESS", "network update", _keys("bind="), 1, 1),
    Spelling("SetVHost ADDRESS", "network update", _keys("bind="), 1, 1),
    Spelling("ClearBindHost", "network update", _always("bind=")),
    Spelling("ClearVHost", "network update", _always("bind=")),
    Spelling("ShowBindHost", "network show"),
    Spelling("SetUserBindHost ADDRESS", instead=_BIND),
    Spelling("ClearUserBindHost", instead=_BIND),
    Spelling("ListClients [USER]", "device list", most=1),
    Spelling("Version", "status"),
    Spelling("Uptime", "status"),
    Spelling("ListPorts", "status"),
    Spelling("ListUsers", "user list"),
    Spelling("ListAllUserNetworks", "status"),
    Spelling("AddUser NAME PASSWORD", "user create", _keys("", "password="), 1, 2),
    Spelling("DelUser NAME", "user delete", least=1, most=1),
    Spelling("SetPass PASSWORD", "user password", _keys("password="), 1, 1),
    Spelling("Passwd PASSWORD", "user password", _keys("password="), 1, 1),
    Spelling("Set KEY VALUE", instead="is user update KEY=VALUE, network update KEY=VALUE or channel update KEY=VALUE"),
    Spelling("SaveConfig", instead="is not needed: each change is stored at once"),
    Spelling("Rehash", instead="is SIGHUP to the process, which reads bouncer.toml and certificates again"),
    Spelling("Shutdown", instead=_PROCESS),
    Spelling("Restart", instead=_PROCESS),
    Spelling("AddPort PORT", instead=_LISTEN),
    Spelling("DelPort PORT", instead=_LISTEN),
    Spelling("Traffic", instead="counts nothing here; network traffic NETWORK shows the lines themselves"),
    Spelling("ShowMOTD", instead=_MOTD),
    Spelling("SetMOTD TEXT", instead=_MOTD),
    Spelling("AddMOTD TEXT", instead=_MOTD),
    Spelling("ClearMOTD", instead=_MOTD),
    Spelling("ListMods", instead=_MODULES),
    Spelling("ListAvailMods", instead=_MODULES),
    Spelling("LoadMod NAME", instead=_MODULES),
    Spelling("UnloadMod NAME", instead=_MODULES),
    Spelling("ReloadMod NAME", instead=_MODULES),
)

SOJU: tuple[Spelling, ...] = (
    Spelling("network status", "network list"),
    Spelling("channel status", "channel list"),
    Spelling("certfp generate", "cert generate"),
    Spelling("certfp fingerprint", "cert fingerprint"),
    Spelling("sasl status", "network show"),
    Spelling("sasl set-plain USER PASSWORD", "network update", _plain_login, 2, 2),
    Spelling("sasl reset", "network update", _always("sasl=off")),
    Spelling("device-certificate status", "certificate list"),
    Spelling("device-certificate create", "certificate add"),
    Spelling("device-certificate delete NAME", "certificate delete", least=1, most=1),
    Spelling("user status", "user list"),
    Spelling("user status NAME", "user show", least=1, most=1),
    Spelling("user delete NAME TOKEN", "user delete", _first, 2, 2),
    Spelling("user run NAME COMMAND", instead="is not needed: an admin names another user's objects, USER/NETWORK"),
    Spelling("server status", "status"),
    Spelling("server notice TEXT", "broadcast", lambda values: [f"text={' '.join(values)}"], 1, 200),
    Spelling("server debug BOOLEAN", instead="does not exist here; network traffic NETWORK watch=on shows lines"),
)

SPELLINGS = (*ZNC, *SOJU)

# soju's flags, by our words. A flag that has the name of a key (``-`` for ``_``) is that key, and needs no row.
FLAGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "network create": {
            "addr": "servers",
            "name": OBJECT,
            "username": "ident",
            "pass": "server_password",
            "certfp": "tls_fingerprint",
            "connect-command": "connect_commands",
        },
        "network update": {
            "network": OBJECT,
            "addr": "servers",
            "username": "ident",
            "pass": "server_password",
            "certfp": "tls_fingerprint",
            "connect-command": "connect_commands",
        },
        "network show": {"network": OBJECT},
        "channel list": {"network": OBJECT},
        "channel create": {"relay-detached": "relay", "reattach-on": "reattach"},
        "channel update": {"relay-detached": "relay", "reattach-on": "reattach"},
        "cert generate": {"network": OBJECT},
        "cert fingerprint": {"network": OBJECT},
        "certificate add": {"label": "name"},
        "user create": {"username": OBJECT, "max-networks": "limits.networks"},
        "user update": {"username": OBJECT, "max-networks": "limits.networks"},
    }
)

_BY_WORDS: Mapping[tuple[str, ...], list[Spelling]] = MappingProxyType(
    {words: [each for each in SPELLINGS if each.typed == words] for words in {each.typed for each in SPELLINGS}}
)


def spelled(words: Sequence[str]) -> tuple[list[Spelling], list[str]]:
    """The rows that the first words name, if any do, and the words after."""
    for count in (2, 1):
        rows = _BY_WORDS.get(tuple(word.lower() for word in words[:count]))
        if rows and len(words) >= count:
            return rows, list(words[count:])
    return [], list(words)


def translated(words: Sequence[str], known: Callable[[Sequence[str]], bool]) -> list[str]:
    """The words as they are typed here; what is not spelled otherwise is returned as it is.

    ``known`` says whether the first words are words of ours, which come first where the number of values does not
    fit theirs. Raises Refused where there is nothing like that here.
    """
    rows, rest = spelled(words)
    if not rows:
        return list(words)
    if rows[0].instead:
        raise Refused(f"{rows[0].name} {rows[0].instead}")
    values, flags = _apart(rest)
    for row in rows:
        if row.least <= len(values) <= row.most:
            return [*row.ours.split(), *row.build(values), *flags]
    if known(words):
        return list(words)
    row = rows[0]
    raise Refused(f"{row.theirs} is how that is written; here it is {row.ours}, and help {row.ours} tells how")


def without_flags(ours: str, words: Sequence[str], is_key: Callable[[str], bool]) -> list[str]:
    """The words behind ``ours`` with ``-flag value`` as the object or KEY=VALUE. Raises Refused."""
    if not any(word.startswith("-") for word in words):
        return list(words)
    table = FLAGS.get(ours, {})
    objects: list[str] = []
    plain: list[str] = []
    pairs: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            plain.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        key = table.get(name, name.replace("-", "_"))
        if key != OBJECT and not is_key(key):
            raise Refused(f"{ours} has no {quoted(word)}; settings are written KEY=VALUE, and help {ours} lists them")
        if not equals:
            if not rest:
                raise Refused(f"{word} needs a value behind it")
            value = rest.pop(0)
        if key == OBJECT:
            objects.append(value)
        else:
            pairs.append(f"{key}={value}")
    return [*objects, *plain, *pairs]


def _apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Values, and flags with theirs."""
    values: list[str] = []
    flags: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and len(word) > 1:
            flags.append(word)
            if "=" not in word and rest:
                flags.append(rest.pop(0))
        else:
            values.append(word)
    return values, flags


def page() -> str:
    """The tables as the body of docs/from-znc-and-soju.md."""
    parts = []
    for name, rows in (("ZNC's *status", ZNC), ("soju's BouncerServ", SOJU)):
        lines = [f"| `{row.theirs}` | {f'`{row.ours}`' if row.ours else _cell(row)} |" for row in rows]
        parts.append("\n".join([f"## {name}\n", "| theirs | here |", "|---|---|", *lines]) + "\n")
    flags = [
        f"| `{ours}` | {', '.join(_flag(flag, key) for flag, key in row.items())} |" for ours, row in FLAGS.items()
    ]
    parts.append("\n".join(["## soju's flags\n", "| here | flags |", "|---|---|", *flags]) + "\n")
    return "\n".join(parts)


def _flag(flag: str, key: str) -> str:
    return f"`-{flag}` is {f'`{key}=`' if key else 'the object'}"


def _cell(row: Spelling) -> str:
    return f"{row.instead[:1].upper()}{row.instead[1:]}"
