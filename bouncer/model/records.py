"""What is stored about people: users, their networks, their channels. Frozen values; a change makes a new one.

Owns the names and defaults of the settings (design 5.3). Must not know how they are stored, parsed or shown.
Secrets are kept out of every ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_FIRST_HELPING = 1000  # lines a device that was never there before is given, of the last FIRST_HELPING_DAYS
FIRST_HELPING_DAYS = 7
REMOVED_DAYS = 30  # time to notice a mistaken removal, and to bring back what was removed, with its history
DEFAULT_QUIT_MESSAGE = "Leaving"
# What counts of the lines of a channel, see Channel.
NONE = "none"
HIGHLIGHT = "highlight"
MESSAGE = "message"
# How a nick that is somebody else's is got back, see Network.
REGAIN_WATCH = "watch"  # taken as soon as it is free
REGAIN_SERVICES = "services"  # and asked of the network's services, where we are logged in
REGAIN_OFF = "off"


def fold_name(name: str) -> str:
    """The form under which names of users and networks compare: case does not count."""
    return name.casefold()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a network's server listens."""

    host: str
    port: int
    tls: bool = True

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ircs' if self.tls else 'irc+insecure'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SaslLogin:
    """Credentials for a network's services. ``mechanism`` "" means: the strongest that the network offers.

    ``required``: rather no connection than one that is not logged in.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Flood:
    """How fast lines may go to a network: ``burst`` at once, then one per ``every`` seconds. ``burst`` 0 is "off"."""

    burst: int = 5
    every: float = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one user may have, 0 for as much as the bouncer can hold. ``devices`` counts attached clients; ``keep``
    and ``keep_size`` are as of the User."""

    networks: int = 0
    devices: int = 0
    keep: float = 0.0
    keep_size: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A password for one device only, made by us: 128 random bits or more, so that a plain SHA-256 (``digest``,
    hexadecimal) keeps it. ``device`` is the device that a login with it is. ``created`` in seconds since 1970 UTC."""

    id: str
    device: str
    digest: str = field(repr=False)
    created: int = 0


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A TLS certificate that logs its owner in: the SHA-256 ``fingerprint`` of its DER form, in lower-case hex."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that its user wants to be in.

    ``relay``, ``reattach`` and ``detach_on`` name what counts: NONE, HIGHLIGHT or MESSAGE. Of a detached channel,
    ``relay`` is told by the service, and ``reattach`` brings it back. ``detach_after``: seconds without anything that
    counts for ``detach_on`` after which it detaches by itself, 0 for never. ``sticky``: joined again when the user is
    put out of it, and not left by a client's PART. ``keep`` and ``keep_size`` as of the User.
    """

    name: str
    key: str = field(default="", repr=False)
    detached: bool = False
    relay: str = HIGHLIGHT
    reattach: str = NONE
    detach_on: str = MESSAGE
    detach_after: float = 0.0
    sticky: bool = False
    keep: float = 0.0
    keep_size: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """One IRC network of one user. ``id`` is never used again, so that history stays with its network.

    ``away`` is said while no device is attached, "" for nothing; ``away_text`` is what the user has said, kept over
    reconnects and restarts ("" if not away). ``ignore`` has masks of sources that the user is not to see, ``unlogged``
    conversations that history does not keep. ``keep`` and ``keep_size`` as of the User.
    """

    id: int
    name: str
    servers: tuple[Endpoint, ...] = ()
    enabled: bool = True
    nick: str = ""  # "" is the user's
    alternative_nicks: tuple[str, ...] = ()
    ident: str = ""  # "" is the user's name
    realname: str = ""  # "" is the user's
    server_password: str = field(default="", repr=False)
    sasl: SaslLogin | None = None
    tls_fingerprint: str = ""  # SHA-256 of the server's certificate, hexadecimal
    connect_commands: tuple[str, ...] = field(default=(), repr=False)  # they may hold a services password
    certificate: str = field(default="", repr=False)  # PEM: what we show a network, with its key
    bind: str = ""
    proxy: str = field(default="", repr=False)  # a URL, perhaps with a password in it
    encoding: str = "utf-8"
    regain: str = REGAIN_WATCH
    away: str = ""
    away_text: str = ""
    quit_message: str = ""
    ignore: tuple[str, ...] = ()
    unlogged: tuple[str, ...] = ()
    keep: float = 0.0
    keep_size: int = 0
    flood: Flood = Flood()
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in.

    ``password_hash`` is an Argon2id string, "" if no password opens this account; ``scram`` is what SCRAM-SHA-256
    needs of the same password (RFC 5803), "" if that is not known. ``highlights`` has words and patterns beside the
    nick, see `model.highlight`; ``ignore`` has masks for all networks. History is kept for ``keep`` seconds, and no
    more of it than ``keep_size`` bytes of text, 0 for ever and for all: see `model.retention`.
    """

    id: int
    name: str
    password_hash: str = field(default="", repr=False)
    scram: str = field(default="", repr=False)
    tokens: tuple[Token, ...] = ()
    certificates: tuple[ClientCertificate, ...] = ()
    admin: bool = False
    enabled: bool = True
    nick: str = ""  # "" is the name
    realname: str = ""
    timezone: str = "UTC"  # of the times in text that clients without server-time get
    first_helping: int = DEFAULT_FIRST_HELPING
    limits: Limits = Limits()
    highlights: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    keep: float = 0.0
    keep_size: int = 0
    networks: tuple[Network, ...] = ()

    def network(self, name: str) -> Network | None:
        """The network of that name, in any case, or None."""
        folded = fold_name(name)
        return next((network for network in self.networks if fold_name(network.name) == folded), None)


def nick_of(user: User, network: Network) -> str:
    """The nick wanted on a network."""
    return network.nick or user.nick or user.name


def realname_of(user: User, network: Network) -> str:
    """The real name shown on a network."""
    return network.realname or user.realname or nick_of(user, network)
