"""Up to when the user has read each conversation of one network, on whichever device (IRCv3 draft/read-marker).

Owns what is known of it in memory. Must not know who reads or moves a marker, nor how it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bouncer.irc.casemap import DEFAULT_FOLD

# Conversations of one network whose markers are held, under 1 MB; of more, the one read longest ago is forgotten here.
MARKERS_LIMIT = 5000


class Markers:
    """``keep`` is told of each marker that moves: the conversation and the time (milliseconds since 1970 UTC)."""

    def __init__(self, keep: Callable[[str, int], None]) -> None:
        self.loaded = False  # whether it is known what was kept; until then nothing is known
        self._keep = keep
        self._times: dict[str, int] = {}

    def load(self, times: Mapping[str, int]) -> None:
        """Learn what was kept, once."""
        newest = sorted(times.items(), key=lambda item: item[1])[-MARKERS_LIMIT:]
        self._times = {DEFAULT_FOLD(target): time for target, time in newest}
        self.loaded = True

    def time(self, target: str) -> int | None:
        """Up to when it was read; None if that is not known."""
        return self._times.get(DEFAULT_FOLD(target))

    def move(self, target: str, time: int) -> bool:
        """It was read up to then. False, and nothing done, if it was read as far before: markers never go back."""
        folded = DEFAULT_FOLD(target)
        if time <= self._times.get(folded, -1):
            return False
        if folded not in self._times and len(self._times) >= MARKERS_LIMIT:
            del self._times[min(self._times, key=self._times.__getitem__)]
        self._times[folded] = time
        self._keep(target, time)
        return True
