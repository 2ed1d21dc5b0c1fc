"""What is stored about people: users, their networks, their channels. Frozen values; a change makes a new one.

Owns the names and defaults of the settings (design 5.3). Must not know how they are stored, parsed or shown.
Secrets are kept out of every ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_FIRST_HELPING = 1000  # lines a device that was never there before is given, of the last FIRST_HELPING_DAYS
FIRST_HELPING_DAYS = 7
DEFAULT_QUIT_MESSAGE = "Leaving"


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
    """Credentials for a network's services. ``mechanism`` "" means: the strongest that the network offers."""

    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = ""


@dataclass(frozen=True, slots=True)
class Flood:
    """How fast lines may go to a network: ``burst`` at once, then one per ``every`` seconds. ``burst`` 0 is "off"."""

    burst: int = 5
    every: float = 2.0


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that its user wants to be in."""

    name: str
    key: str = field(default="", repr=False)
    detached: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """One IRC network of one user. ``id`` is never used again, so that history stays with its network."""

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
    bind: str = ""
    quit_message: str = ""
    flood: Flood = Flood()
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in. ``password_hash`` is an Argon2id string, "" if no password opens this account."""

    id: int
    name: str
    password_hash: str = field(default="", repr=False)
    admin: bool = False
    enabled: bool = True
    nick: str = ""  # "" is the name
    realname: str = ""
    timezone: str = "UTC"  # of the times in text that clients without server-time get
    first_helping: int = DEFAULT_FIRST_HELPING
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
