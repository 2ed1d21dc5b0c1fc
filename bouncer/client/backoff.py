"""When to try again, and where.

Owns the back-off after each kind of failure, the order of servers, the reading of a server's parting words, and the
pace of connects to one host by all clients of a process. Must not know sockets, timers or lines other than the text
of an ERROR: it is told what happened and when, and answers how long to wait. Times are seconds.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

FIRST_WAIT = 2.0  # seconds after the first failure
LONGEST_WAIT = 300.0  # seconds after many
FLOOD_WAIT = 10.0  # seconds: what made us flood may be going on
KILL_WAIT = 120.0  # seconds after an operator's kill: long enough not to look like a machine that does not listen
LONGEST_KILL_WAIT = 3600.0
BAN_WAIT = 900.0  # seconds after the first ban; asking sooner makes most networks lengthen it
LONGEST_BAN_WAIT = 86400.0
THROTTLE_WAIT = 60.0  # seconds after "connecting too fast": throttles commonly look back one minute
LONGEST_THROTTLE_WAIT = 1800.0
HELD = 120.0  # seconds a connection must have lasted before earlier failures are forgotten: registering takes up to 60
JITTER = 0.25  # part of a wait that is random, so that many clients do not come back in one instant

PACE = 2.0  # seconds between two connects to one host
PACE_BURST = 10  # connects to one host at once
LONGEST_PACE = 60.0  # what complaints may double the pace to
COMPLAINT_MEMORY = 600.0  # seconds after which a complaint is forgotten
ONE_COMPLAINT = 30.0  # seconds in which many clients told the same thing count as one complaint
HOSTS_LIMIT = 4096  # hosts remembered by a HostPacing; those without news are dropped first


@dataclass(frozen=True, slots=True)
class Server:
    """Where a network can be reached. ``tls_fingerprint`` is the SHA-256 of its certificate, see :class:`Client`."""

    host: str
    port: int = 6697
    tls: bool = True
    tls_fingerprint: str | None = None
    ssl: ssl.SSLContext | None = field(default=None, repr=False)  # instead of the usual one: a client certificate

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Cause(Enum):
    """Why a connection, or an attempt, came to its end."""

    LOST = "lost"  # anything that may be over soon: refused, reset, timed out, restarted
    COLLISION = "collision"  # somebody else got our nick: another server's user, or whom services believe
    FLOODED = "flooded"  # we said too much at once
    KILLED = "killed"  # by an operator, who would do it again to whom comes back at once
    THROTTLED = "throttled"  # the host says that we connect too often
    BANNED = "banned"
    REFUSED = "refused"  # credentials: trying again with the same ones only makes it worse


# Some servers (ngIRCd) send no 464; said while we register, these words can only be about the password.
_BAD_PASSWORD = re.compile(r"\b(?:bad|wrong|invalid|incorrect) password|password (?:incorrect|mismatch)", re.IGNORECASE)
# The words of servers, the first that fits; tests/unit has real ones. A kill by services for a nick is no operator's,
# and a ban is told as a kill by some.
_WORDS: tuple[tuple[Cause, re.Pattern[str]], ...] = tuple(
    (cause, re.compile(words, re.IGNORECASE))
    for cause, words in (
        (
            Cause.COLLISION,
            r"nick(?:name)? colli(?:sion|de)|\b(?:ghost|regain|recover|release) command used|\bghosted by\b"
            r"|nick(?:name)? (?:was |has been )?(?:regained|recovered|enforced)|overridden",
        ),
        (
            Cause.BANNED,
            r"\b[kgzdx][-: ]?lined?\b|\bbann?ed\b|\bakill|\bautokill|\bdnsbl|\bblack ?list|\bnot welcome"
            r"|\bproxy (?:found|detected)",
        ),
        (Cause.KILLED, r"\bkilled\b|\blocal kill\b"),
        (Cause.FLOODED, r"\b(?:excess|max(?:imum)?|input|message|client) flood|recvq exceeded|\bflooded\b"),
        (
            Cause.THROTTLED,
            r"throttl|too fast|too quickly|connect(?:ing|ions?) too|session limit|no more connections"
            r"|too many (?:\w+ ){0,3}(?:connections|clients)|reconnect(?:ing)? too|wait (?:a while|before)|flood",
        ),
    )
)


def cause_of(text: str, *, registering: bool = False) -> Cause:
    """What the text of an ERROR, of 465 or of a failure tells. REFUSED only while ``registering``: what is said of
    passwords later is not about ours."""
    if registering and _BAD_PASSWORD.search(text):
        return Cause.REFUSED
    return next((cause for cause, words in _WORDS if words.search(text)), Cause.LOST)


_WAITS = {
    Cause.LOST: (FIRST_WAIT, LONGEST_WAIT),
    Cause.COLLISION: (FIRST_WAIT, LONGEST_WAIT),
    Cause.FLOODED: (FLOOD_WAIT, LONGEST_WAIT),
    Cause.KILLED: (KILL_WAIT, LONGEST_KILL_WAIT),
    Cause.THROTTLED: (THROTTLE_WAIT, LONGEST_THROTTLE_WAIT),
    Cause.BANNED: (BAN_WAIT, LONGEST_BAN_WAIT),
}


class ReconnectPolicy:
    """The memory of one network's failures. ``rng`` gives floats from 0 up to 1."""

    __slots__ = ("_connected", "_counts", "_index", "_rng", "attempts", "servers")

    def __init__(self, servers: Sequence[Server], rng: Callable[[], float]) -> None:
        if not servers:
            raise ValueError("there is no server to connect to")
        self.servers = tuple(servers)
        self.attempts = 0  # failures since a connection held
        self._rng = rng
        self._index = 0
        self._counts: dict[Cause, int] = {}
        self._connected: float | None = None

    @property
    def server(self) -> Server:
        """The one to try next, or the one in use."""
        return self.servers[self._index % len(self.servers)]

    def connected(self, now: float) -> None:
        """A connection was made; whether it holds will be seen."""
        self._connected = now

    def forget(self) -> None:
        """Start afresh, as if nothing had failed; the server stays the same."""
        self.attempts = 0
        self._counts.clear()

    def failed(self, now: float, cause: Cause) -> float | None:
        """A connection or attempt ended at ``now``: seconds to wait before the next one, None to stop.

        The waits double from round to round: with three servers, each is tried once before the wait grows.
        """
        held = self._connected is not None and now - self._connected >= HELD
        self._connected = None
        if held:
            self.forget()
        else:
            self._index += 1  # a server that held us is the first to go back to; one that did not is the last
        self.attempts += 1
        if cause is Cause.REFUSED:
            return None
        first, longest = _WAITS[cause]
        # a ban or a throttle is the network's word, whichever of its servers said it
        count = self._counts.get(cause, 0)
        rounds = count // (len(self.servers) if cause is Cause.LOST else 1)
        self._counts[cause] = count + 1
        wait = min(first * 2.0 ** min(rounds, 32), longest)
        jitter = JITTER * self._rng()
        return min(wait * (1 + jitter), longest) if wait < longest else wait * (1 - jitter)


@dataclass(slots=True)
class _Host:
    free: float  # when the next slot would be if they were handed out one by one
    pace: float
    complained: float  # when it last complained
    seen: float


class HostPacing:
    """The pace of connects to each host, shared by all clients of a process.

    Ten (``burst``) may start at once, then one per ``pace`` seconds. A host that complains has its pace doubled until
    it has not complained for ten minutes. ``pace`` None is "off".
    """

    def __init__(self, pace: float | None = PACE, burst: int = PACE_BURST) -> None:
        if (pace is not None and pace <= 0) or burst < 1:
            raise ValueError("a pace of connects is a number of seconds above 0, or None, and a burst at least 1")
        self.pace = pace
        self.burst = burst
        self._hosts: dict[str, _Host] = {}

    def reserve(self, host: str, now: float) -> float:
        """Take the next slot for ``host``: the seconds until it comes, 0.0 if it is now."""
        if self.pace is None:
            return 0.0
        entry = self._entry(host, now)
        start = max(entry.free, now)
        entry.free = start + entry.pace
        return max(0.0, start - (self.burst - 1) * self.pace - now)

    def complain(self, host: str, now: float) -> None:
        """``host`` said that we connect too fast. Many clients that hear it together count once."""
        if self.pace is None:
            return
        entry = self._entry(host, now)
        if now - entry.complained < ONE_COMPLAINT:
            return
        entry.complained = now
        entry.pace = min(entry.pace * 2, max(LONGEST_PACE, self.pace))
        # what is left of the burst is gone, and the next one waits like those after it
        entry.free = max(entry.free, now + (self.burst - 1) * self.pace + entry.pace)

    def _entry(self, host: str, now: float) -> _Host:
        key = host.lower()
        entry = self._hosts.pop(key, None)
        if entry is None:
            if len(self._hosts) >= HOSTS_LIMIT:
                self._forget(now)
            entry = _Host(now, self.pace or PACE, -COMPLAINT_MEMORY + now, now)
        self._hosts[key] = entry  # the longest unused one is the first of the dict
        if now < entry.seen:  # the clock was set back: keep the distances, not the times
            entry.free -= entry.seen - now
            entry.complained -= entry.seen - now
        entry.seen = now
        if now - entry.complained >= COMPLAINT_MEMORY:
            entry.pace = self.pace or PACE
        return entry

    def _forget(self, now: float) -> None:
        """Drop the hosts without news; if all are busy, the longest unused."""
        idle = [key for key, entry in self._hosts.items() if entry.free <= now - COMPLAINT_MEMORY]
        for key in idle or [next(iter(self._hosts))]:
            del self._hosts[key]
