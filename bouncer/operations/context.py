"""What an operation works with: the house, the records, who asks, and ports to the world.

Owns the shapes of these ports. Must not know who answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bouncer.core.house import House
    from bouncer.model.ports import Archive, History, Records
    from bouncer.operations.tap import Traffic


class Passwords(Protocol):
    """Hashing, on threads of its own."""

    async def hash(self, password: str) -> str:
        """The Argon2id string to keep. Raises Unavailable when too many are waiting."""

    async def verify(self, password_hash: str, password: str) -> bool:
        """Whether the password is that of the hash; takes as long for an empty hash."""

    async def scram(self, password: str) -> str:
        """The keys to keep for SCRAM-SHA-256 (RFC 5803), made anew each time. Raises Unavailable likewise."""

    def generate(self) -> str:
        """A random password of ours: at least 128 bits, letters and digits only."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What clients see of the listener's certificate. Times are seconds since 1970 UTC."""

    fingerprint: str  # SHA-256, hexadecimal, lower case, no colons
    names: tuple[str, ...]
    not_before: float
    not_after: float
    self_signed: bool
    path: str


class Certs(Protocol):
    """The certificate of the TLS listeners."""

    async def show(self) -> Certificate:
        """The one in use. Raises Refused if there is none or it can't be read."""

    async def renew(self) -> Certificate:
        """Make a new self-signed one and use it for new connections. Raises Refused for one that was not made here."""


class Dialer(Protocol):
    """Who connects to networks."""

    def connect(self, network_id: int) -> None:
        """Connect at once if it is not connected, without waiting for the next try."""

    def disconnect(self, network_id: int) -> None:
        """Leave the network."""

    def reconnect(self, network_id: int) -> None:
        """Leave and connect again at once."""

    def watch(self, network_id: int, traffic: Traffic | None) -> None:
        """Give that all lines from now on, over reconnects too; None ends it."""

    def watched(self, network_id: int) -> Traffic | None:
        """What is given its lines, None if nothing is."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the process knows of itself."""

    version: str
    running: bool = False  # false: the command works on the database, no bouncer runs
    since: float = 0.0  # seconds since 1970 UTC
    listeners: tuple[str, ...] = ()
    undurable: int = 0  # lines not yet committed
    unindexed: int = 0  # lines not yet in the search index
    problem: str = ""  # why lines can't be stored, "" if they can
    lost: int = 0  # lines given up since the start, because they could not be stored for too long
    compiled: bool = False  # false: all of it runs as plain Python


class Process(Protocol):
    """The process itself."""

    def facts(self) -> Facts:
        """As of now."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user inside IRC, or ("" as ``user``) whoever may open the machine's admin socket.

    ``network`` is the one that the asking session is attached to, "" if none: it is meant when none is named.
    ``fingerprint`` is of the TLS certificate that this session shows, "" if none.
    """

    user: str = ""
    admin: bool = False
    network: str = ""
    fingerprint: str = ""

    @property
    def is_machine(self) -> bool:
        return not self.user


MACHINE = Actor(admin=True)


@dataclass(frozen=True, slots=True)
class Context:
    """All that an operation may use. ``now`` is in seconds since 1970 UTC."""

    house: House
    records: Records
    passwords: Passwords
    certs: Certs
    dialer: Dialer
    process: Process
    actor: Actor
    now: float
    archive: Archive
    history: History
