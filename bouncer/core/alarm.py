"""One deadline that moves. Owns the timer for it: there is none while nothing is due. Must not know what it is for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from bouncer.model.ports import Cancellable, Timers


class Alarm:
    """Has ``ring`` called at the time that was set last."""

    __slots__ = ("_at", "_ring", "_timer", "_timers")

    def __init__(self, timers: Timers, ring: Callable[[], None]) -> None:
        self._timers = timers
        self._ring = ring
        self._timer: Cancellable | None = None
        self._at = inf

    def set(self, when: float) -> None:
        """Ring then (seconds since 1970), and not when it was to before; infinite: not at all."""
        if when == self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at = when
        self._timer = self._timers.at(when, self._rung) if when < inf else None

    def __repr__(self) -> str:
        return f"<Alarm at {self._at} of {self._ring}>"

    def _rung(self) -> None:
        self._timer, self._at = None, inf
        self._ring()
