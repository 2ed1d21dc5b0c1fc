"""Is the other side still there?

Owns the decision to ask and to give up. Must not know sockets, clocks or lines: it is told when something was heard,
and answers what to do. Times are seconds on any clock that does not run backwards.
"""

from __future__ import annotations

from enum import Enum

SILENCE = 60.0  # seconds without a byte before we ask; networks ping every 90 to 240 s themselves
PATIENCE = 45.0  # seconds for the answer: with SILENCE, a dead peer is noticed within 2 minutes


class Verdict(Enum):
    """What :meth:`Liveness.check` asks for."""

    WAIT = "wait"
    PING = "ping"
    DEAD = "dead"


class Liveness:
    """One connection's pulse. Ask :meth:`check` at each ``deadline``; before it, there is nothing to do."""

    __slots__ = ("_asked", "_heard", "_patience", "_silence")

    def __init__(self, now: float, silence: float = SILENCE, patience: float = PATIENCE) -> None:
        self._heard = now
        self._asked: float | None = None
        self._silence = silence
        self._patience = patience

    def heard(self, when: float) -> None:
        """Something arrived at ``when``; whatever it was, the peer lives."""
        self._heard = max(self._heard, when)
        if self._asked is not None and when >= self._asked:
            self._asked = None

    def check(self, now: float) -> Verdict:
        """What to do at ``now``. PING is said once per silence."""
        if self._asked is not None:
            return Verdict.DEAD if now >= self._asked + self._patience else Verdict.WAIT
        if now >= self._heard + self._silence:
            self._asked = now
            return Verdict.PING
        return Verdict.WAIT

    @property
    def deadline(self) -> float:
        """When :meth:`check` may have something to say."""
        return self._heard + self._silence if self._asked is None else self._asked + self._patience
