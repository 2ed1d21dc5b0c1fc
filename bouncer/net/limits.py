"""How much a stranger may cost before he has said who he is.

Owns the limits on connections that are not yet registered, and their count per address. Must not know sockets.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

# A household or a shell host behind one address, all of whose clients come back at once after a restart of ours;
# each needs its place for about a second.
UNREGISTERED_PER_ADDRESS = 32
# Half of the 1,024 descriptors that many systems give a process: the other half is for those who are registered,
# the networks and the store.
UNREGISTERED = 512
REGISTRATION_DEADLINE = 30.0  # seconds; a person who types the password by hand into a slow client makes it
HANDSHAKE_DEADLINE = 10.0  # seconds; a TLS handshake takes two round trips, and the worst mobile link 2 s for each
CLOSE_DEADLINE = 2.0  # seconds; a peer that has not taken its last lines by then is not reading any more


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a listener: counts of connections, deadlines in seconds."""

    unregistered_per_address: int = UNREGISTERED_PER_ADDRESS
    unregistered: int = UNREGISTERED
    registration: float = REGISTRATION_DEADLINE
    handshake: float = HANDSHAKE_DEADLINE
    close: float = CLOSE_DEADLINE


def crowd_of(address: str) -> str:
    """Whom an address counts for: itself, or for IPv6 its /64, since whoever has one address there has them all."""
    text = address.partition("%")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return address
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return text


class Place:
    """One unregistered connection's place in the lobby; left once, however often :meth:`leave` is called."""

    __slots__ = ("_crowd", "_lobby")

    def __init__(self, lobby: Lobby, crowd: str) -> None:
        self._lobby: Lobby | None = lobby
        self._crowd = crowd

    def leave(self) -> None:
        """Make room: the connection is registered, or gone."""
        lobby, self._lobby = self._lobby, None
        if lobby is not None:
            lobby.left(self._crowd)


class Lobby:
    """Those who are connected but not registered, over all listeners."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._crowds: Counter[str] = Counter()
        self._inside = 0

    def __len__(self) -> int:
        return self._inside

    def enter(self, address: str, local: bool) -> Place | None:
        """A place for a connection from ``address``, or None if there is no room. ``local`` ones are not counted by
        address, since a proxy on this machine brings everybody from one."""
        crowd = "" if local else crowd_of(address)
        if self._inside >= self._limits.unregistered:
            return None
        if crowd and self._crowds[crowd] >= self._limits.unregistered_per_address:
            return None
        self._inside += 1
        if crowd:
            self._crowds[crowd] += 1
        return Place(self, crowd)

    def left(self, crowd: str) -> None:
        """One of a crowd is out; called by its :class:`Place`."""
        self._inside -= 1
        if crowd:
            self._crowds[crowd] -= 1
            if not self._crowds[crowd]:
                del self._crowds[crowd]  # else every address that ever came would be remembered
