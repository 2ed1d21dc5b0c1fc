"""How fast our lines may go out: classes, a token bucket, and a bound on what waits.

Owns the queue of one connection's unsent lines. Must not know sockets or clocks: it is told the time, and says which
lines are due and when the next one will be. Times are seconds on any clock that does not run backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, Protocol, TypeVar

from bouncer.client.errors import SendQueueFull

T = TypeVar("T")

QUEUE_LIMIT = 1 << 20  # bytes of text waiting per connection: 15 minutes of full lines at a line per second
FREE_LIMIT = 1 << 16  # bytes of PONG, QUIT and registration waiting: these only wait on a peer that reads nothing
FLOOD_MEMORY = 600.0  # seconds until a flood is forgotten
MOST_SLOWDOWN = 8  # a line in 16 s is slow enough for any server
_EPSILON = 1e-3  # seconds: timers fire up to a clock tick early, and a line that early harms nobody


class Rank(IntEnum):
    """Classes of lines; a lower one overtakes a higher one. FREE lines cost nothing."""

    FREE = 0
    STATE = 1
    TEXT = 2


RANKS: dict[str, Rank] = {
    # what keeps, makes or ends a connection is never queued behind text
    **dict.fromkeys(
        ("PONG", "PING", "QUIT", "PASS", "NICK", "USER", "CAP", "AUTHENTICATE", "WEBIRC", "STARTTLS"), Rank.FREE
    ),
    **dict.fromkeys(
        ("MODE", "JOIN", "PART", "KICK", "INVITE", "TOPIC", "AWAY", "REMOVE", "MARKREAD", "MONITOR"), Rank.STATE
    ),
}


_FREE: Final = Rank.FREE


class Paced(Protocol):
    """What keeps a pace: a client."""

    pace: Pace | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Flood control: ``burst`` lines at once, then one per ``every`` seconds. An ``every`` of 0 is no limit.

    ``Pace(5, 2.0).install(client)`` is the same as ``client.pace = Pace(5, 2.0)``.
    """

    burst: int = 5
    every: float = 2.0

    def __post_init__(self) -> None:
        if self.burst < 1 or self.every < 0:
            raise ValueError("a pace needs a burst of at least one line and an interval of at least 0 seconds")

    def install(self, client: Paced) -> Pace:
        """Make ``client`` keep this pace from now on."""
        client.pace = self
        return self


class Slowdown:
    """How much slower to speak than was asked for, after a server has thrown us out for flooding.

    Each time halves the pace, down to an eighth, until ten minutes have passed without it.
    """

    def __init__(self) -> None:
        self.until = 0.0  # when the pace is the wanted one again
        self._factor = 1

    def flooded(self, now: float) -> None:
        """It happened at ``now``."""
        self._factor = min((self._factor if now < self.until else 1) * 2, MOST_SLOWDOWN)
        self.until = now + FLOOD_MEMORY

    def pace(self, wanted: Pace | None, now: float) -> Pace | None:
        """The pace to keep; where none was wanted, the usual one is halved."""
        if now >= self.until:
            return wanted
        base = wanted if wanted is not None and wanted.every else Pace()
        return Pace(max(1, base.burst // self._factor), base.every * self._factor)


class Pacer(Generic[T]):
    """The unsent lines of one connection. ``pace`` None lets everything through; it may be set at any time."""

    __slots__ = ("_lanes", "_next", "_sizes", "pace")

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace = pace
        # lists, not deques: an empty deque has 760 bytes, and thousands of connections have nothing to say
        self._lanes: tuple[list[tuple[T, int]], ...] = tuple([] for _ in Rank)
        self._sizes = [0] * len(Rank)
        # when the bucket will be full again (the "theoretical arrival time" of GCRA): exact, no drifting fractions
        self._next = 0.0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return any(self._lanes)

    @property
    def size(self) -> int:
        """Bytes waiting."""
        free, state, text = self._sizes
        return free + state + text

    def push(self, item: T, size: int, rank: Rank) -> None:
        """Queue ``item`` of ``size`` bytes. Raises SendQueueFull, and queues nothing, if there is no room."""
        if rank is _FREE:
            if self._sizes[0] + size > FREE_LIMIT:
                raise SendQueueFull("the peer does not take what has to be said to it")
        elif self._sizes[1] + self._sizes[2] + size > QUEUE_LIMIT:
            raise SendQueueFull(f"{QUEUE_LIMIT} bytes are waiting to be sent already")
        self._lanes[rank].append((item, size))
        self._sizes[rank] += size

    def due(self, now: float, limit: int) -> list[T]:
        """Take out what may be sent at ``now``, in order: one line if any is due, then more up to ``limit`` bytes."""
        items: list[T] = []
        pace = self.pace
        if (pace is None or not pace.every) and self.size <= limit:
            return self.clear()
        taken = 0
        for rank, lane in enumerate(self._lanes):
            count = 0
            for item, size in lane:
                if (items and taken + size > limit) or (rank and not self._spend(now)):
                    break
                items.append(item)
                taken += size
                self._sizes[rank] -= size
                count += 1
            full = count < len(lane)
            del lane[:count]
            if full:  # a higher rank must not slip past what is left of this one
                break
        return items

    def _spend(self, now: float) -> bool:
        """Take one token; False if there is none."""
        pace = self.pace
        if pace is None or not pace.every:
            return True
        # never emptier than empty, which a slower pace before this one may have made it
        start = min(max(self._next, now), now + pace.burst * pace.every)
        if start - now > (pace.burst - 1) * pace.every + _EPSILON:
            self._next = start
            return False
        self._next = start + pace.every
        return True

    def deadline(self, now: float) -> float | None:
        """When the next waiting line is due (``now`` if it is already); None if nothing waits."""
        if self._lanes[0]:
            return now
        if not any(self._lanes):
            return None
        pace = self.pace
        if pace is None or not pace.every:
            return now
        return max(now, min(self._next - (pace.burst - 1) * pace.every, now + pace.every))

    def clear(self) -> list[T]:
        """Take out everything that waits, however early."""
        items: list[T] = []
        for lane in self._lanes:
            if lane:
                items += [item for item, _ in lane]
                lane.clear()
        self._sizes = [0] * len(self._lanes)
        return items
