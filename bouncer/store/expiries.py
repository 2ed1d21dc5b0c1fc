"""What lines are to be deleted, the first asked for first.

Owns that nothing waits twice, at a cost that does not grow with how much waits: who may delete may ask for it
thousands of times a second. Must not know how lines are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.history import Expiry


class Expiries:
    """Those that wait. They are few: of one conversation as many as it had different ends when they were asked for."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, str], list[Expiry]] = {}  # by network and folded conversation

    def __iter__(self) -> Iterator[Expiry]:
        return (each for waiting in self._waiting.values() for each in waiting)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, expiry: Expiry) -> None:
        """Note one, unless what waits covers it; what it covers of its conversation waits no more."""
        expiry = replace(expiry, target=DEFAULT_FOLD(expiry.target))
        place = expiry.network, expiry.target
        same = self._waiting.get(place, [])
        if any(each.covers(expiry) for each in (*same, *self._waiting.get((expiry.network, ""), []))):
            return
        self._waiting[place] = [*(each for each in same if not expiry.covers(each)), expiry]

    def remove(self, expiry: Expiry) -> None:
        """That one is done, or given up."""
        place = expiry.network, expiry.target
        self._waiting[place].remove(expiry)
        if not self._waiting[place]:
            del self._waiting[place]
