"""How long the answer to a wrong password is held back, and how its owner hears of it.

Owns the counts of wrong attempts by where they come from and by whose name they give, and their limits. Must not know
passwords, nor whether a name exists. The clock is an argument or a port.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bouncer.model.ports import Timers

FREE = 3  # wrong attempts in a row that are told at once: a slip, and two tries of what it might have been
# Seconds. A connection that has not logged in is closed after 30 s (`net.limits`), with words that would not say why.
LONGEST_WAIT = 25.0
FORGET_AFTER = 900.0  # seconds after which a row of wrong attempts is over by itself
# Rows that are remembered of each kind, some 2 MB; the oldest go first. To push one out takes as many wrong attempts,
# minutes of all the hashing there is.
ROWS_LIMIT = 10_000
NAME_LIMIT = 64  # characters of a name that count: no user has a longer one
NOTICE_EVERY = 60.0  # seconds between two notices to one user


@dataclass(slots=True)
class _Row:
    count: int
    last: float


class Attempts:
    """Rows of wrong attempts, per crowd and per name; names compare as given."""

    def __init__(self) -> None:
        self._crowds: dict[str, _Row] = {}
        self._names: dict[str, _Row] = {}

    def __len__(self) -> int:
        return len(self._crowds) + len(self._names)

    def wrong(self, crowd: str, name: str, now: float, *others: str) -> float:
        """Count a wrong attempt; the seconds after which to tell that it is wrong. Crowd "" is everybody's and does not
        count. ``others`` are names that may have been meant as well."""
        names = {each[:NAME_LIMIT] for each in (name, *others)}
        count = max(_count(self._names, each, now) for each in names)
        if crowd:
            count = max(count, _count(self._crowds, crowd, now))
        return min(2.0 ** (count - FREE - 1), LONGEST_WAIT) if count > FREE else 0.0

    def right(self, name: str) -> None:
        """That user is in: a row of the name ends. That of the crowd goes on, since who guesses at others may have an
        account to break it with; it delays wrong answers only."""
        self._names.pop(name[:NAME_LIMIT], None)


def _count(rows: dict[str, _Row], key: str, now: float) -> int:
    row = rows.pop(key, None)
    if row is None or now - row.last > FORGET_AFTER:
        row = _Row(0, now)
    row.count = min(row.count + 1, 1000)
    row.last = now
    rows[key] = row  # behind all others: they are in order of age
    while rows:
        oldest = next(iter(rows))
        if len(rows) <= ROWS_LIMIT and now - rows[oldest].last <= FORGET_AFTER:
            break
        del rows[oldest]
    return row.count


class Notices:
    """Tells users of failed logins to their account: the first at once, then how many there were, once a minute."""

    def __init__(self, timers: Timers, tell: Callable[[int, str], None]) -> None:
        self._timers = timers
        self._tell = tell
        self._minutes: dict[int, tuple[int, str]] = {}  # user id -> failures not told of, and from where the last came

    def failed(self, user_id: int, address: str) -> None:
        """A login of an existing user has failed."""
        minute = self._minutes.get(user_id)
        if minute is not None:
            self._minutes[user_id] = (minute[0] + 1, address)
            return
        self._tell(user_id, f"Wrong password for your account from {address}")
        self._begin(user_id)

    def _begin(self, user_id: int) -> None:
        self._minutes[user_id] = (0, "")
        self._timers.at(self._timers.now() + NOTICE_EVERY, lambda: self._over(user_id))

    def _over(self, user_id: int) -> None:
        count, address = self._minutes.pop(user_id)
        if count:
            times = "once" if count == 1 else f"{count} times"
            self._tell(user_id, f"Wrong password for your account from {address} ({times} in the last minute)")
            self._begin(user_id)
