"""How much a stranger may cost before he has said who he is.

Owns the limits on connections that are not yet registered, their count per address, and how quickly they may come
from one. Must not know sockets, nor what time it is.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

# A household or a shell host behind one address, all of whose clients come back at once after a restart of ours;
# each needs its place for about a second.
UNREGISTERED_PER_ADDRESS = 32
# The same for an IPv6 site, a /48, which providers give to one household: 65,536 crowds, of which 16 would fill all
# that there is room for, and keep everybody out.
UNREGISTERED_PER_SITE = 128
# Half of the 1,024 descriptors that many systems give a process: the other half is for those who are registered,
# the networks and the store.
UNREGISTERED = 512
# A shell host with a hundred clients gets them all back at once; after that one address is one household, and five
# handshakes a second cost a hundredth of a processor.
CONNECTS_AT_ONCE = 100
CONNECTS_PER_SECOND = 5.0
CROWDS = 10_000  # remembered for that, some 200 bytes each; the one that came longest ago is forgotten first
REGISTRATION_DEADLINE = 30.0  # seconds; a person who types the password by hand into a slow client makes it
HANDSHAKE_DEADLINE = 10.0  # seconds; a TLS handshake takes two round trips, and the worst mobile link 2 s for each
CLOSE_DEADLINE = 2.0  # seconds; a peer that has not taken its last lines by then is not reading any more


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a listener: counts of connections, deadlines in seconds."""

    unregistered_per_address: int = UNREGISTERED_PER_ADDRESS
    unregistered_per_site: int = UNREGISTERED_PER_SITE
    unregistered: int = UNREGISTERED
    connects_at_once: int = CONNECTS_AT_ONCE
    connects_per_second: float = CONNECTS_PER_SECOND
    registration: float = REGISTRATION_DEADLINE
    handshake: float = HANDSHAKE_DEADLINE
    close: float = CLOSE_DEADLINE


@lru_cache(maxsize=256)  # who comes often is asked for often; parsing is the dearest part of turning somebody away
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


@lru_cache(maxsize=256)
def site_of(crowd: str) -> str:
    """Whom a crowd may belong to: for IPv6 the /48 around it, else itself."""
    if not crowd.endswith("/64"):
        return crowd
    return str(ipaddress.IPv6Network(crowd).supernet(new_prefix=48))


class Full(Enum):
    """Why there is no place; the value is for people."""

    ALL = "Too many connections that have not logged in; try again in a minute"
    CROWD = "Too many connections from your address that have not logged in; try again in a minute"
    PACE = "Too many connections from your address in a short time; try again in a minute"


class Pace:
    """How quickly connections come, by crowd: so many at once, then so many a second; refused ones do not count."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self._step = 1 / per_second
        self._ahead = at_once * self._step
        # crowd -> when all it has used up will have come back; in order of the last connection
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def take(self, crowd: str, now: float) -> bool:
        """Count one connection; False if it is one too many."""
        until = max(self._until.get(crowd, now), now) + self._step
        if until - now > self._ahead + self._step / 1000:  # floats are not exact
            return False
        self._until.pop(crowd, None)
        self._until[crowd] = until
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        """Drop the oldest if they are too many, or have nothing used up; two at a time, so that it never takes long."""
        for _ in range(2):
            oldest = next(iter(self._until))
            if len(self._until) <= CROWDS and self._until[oldest] > now:
                return
            del self._until[oldest]


class Place:
    """One unregistered connection's place in the lobby; left once, however often :meth:`leave` is called."""

    __slots__ = ("_crowd", "_lobby")

    def __init__(self, lobby: Lobby, crowd: str) -> None:
        self._lobby: Lobby | None = lobby
        self._crowd = crowd

    def move(self, crowd: str, now: float) -> Full | None:
        """Count for another crowd from now on, as a proxy's client does once it is known; else the reason why not."""
        if self._lobby is None or crowd == self._crowd:
            return None
        full = self._lobby.moved(self._crowd, crowd, now)
        if full is None:
            self._crowd = crowd
        return full

    def leave(self) -> None:
        """Make room: the connection is registered, or gone."""
        lobby, self._lobby = self._lobby, None
        if lobby is not None:
            lobby.left(self._crowd)


class Lobby:
    """Those who are connected but not registered, over all listeners.

    A crowd of "" has no limits by address: a proxy on this machine brings everybody from one.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pace = Pace(limits.connects_at_once, limits.connects_per_second)
        self._crowds: Counter[str] = Counter()  # of crowds and their sites
        self._inside = 0

    def __len__(self) -> int:
        return self._inside

    def enter(self, crowd: str, now: float) -> Place | Full:
        """A place for a connection, or why there is none. ``now`` is in seconds, of a clock that never goes back."""
        if self._inside >= self._limits.unregistered:
            return Full.ALL
        full = self._count(crowd, now)
        if full is not None:
            return full
        self._inside += 1
        return Place(self, crowd)

    def moved(self, before: str, crowd: str, now: float) -> Full | None:
        """One changes its crowd; called by its :class:`Place`."""
        full = self._count(crowd, now)
        if full is None:
            self._uncount(before)
        return full

    def left(self, crowd: str) -> None:
        """One of a crowd is out; called by its :class:`Place`."""
        self._inside -= 1
        self._uncount(crowd)

    def _count(self, crowd: str, now: float) -> Full | None:
        if not crowd:
            return None
        site = site_of(crowd)
        if self._crowds[crowd] >= self._limits.unregistered_per_address:
            return Full.CROWD
        if site != crowd and self._crowds[site] >= self._limits.unregistered_per_site:
            return Full.CROWD
        if not self._pace.take(crowd, now):
            return Full.PACE
        for each in {crowd, site}:
            self._crowds[each] += 1
        return None

    def _uncount(self, crowd: str) -> None:
        for each in {crowd, site_of(crowd)} if crowd else ():
            self._crowds[each] -= 1
            if not self._crowds[each]:
                del self._crowds[each]  # else every address that ever came would be remembered
