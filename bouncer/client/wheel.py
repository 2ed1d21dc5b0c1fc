"""Deadlines of many connections, with one timer for all of them.

Owns who is to be rung when, to a turn of a second or so. Must not know what is done then. For what may be late by a
turn: a connection of its own timer costs half a kilobyte, and as many wake-ups of the loop as there are connections.
"""

from __future__ import annotations

import asyncio
from math import ceil
from typing import Protocol

TURN = 1.0  # seconds
RUNG_PER_PASS = 50  # of one turn, before others have the loop: a PING costs some 30 us

Turns = dict[int, dict["Rung", None]]


class Rung(Protocol):
    """Who has a deadline."""

    def ring(self, now: float) -> None:
        """It has come; ``now`` is on the loop's clock."""


class Wheel:
    """``turn`` is how late a ring may be, in seconds."""

    __slots__ = ("_next", "_timer", "_turns", "loop", "turn")

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: float = TURN) -> None:
        self.loop = loop
        self.turn = turn
        self._turns: Turns = {}  # by number since the clock's beginning
        self._timer: asyncio.Handle | None = None  # none while there is no deadline
        self._next = 0  # the turn it is for

    def __len__(self) -> int:
        return sum(map(len, self._turns.values()))

    def put(self, who: Rung, when: float) -> int:
        """Ring ``who`` once, at that time on the loop's clock or up to a turn later. The turn, to :meth:`take` it."""
        turn = ceil(when / self.turn)
        self._turns.setdefault(turn, {})[who] = None
        if self._timer is None or turn < self._next:
            self._arm()
        return turn

    def take(self, who: Rung, turn: int) -> None:
        """Do not ring; nothing happens if that was done."""
        rungs = self._turns.get(turn)
        if rungs is not None:
            rungs.pop(who, None)
            if not rungs:
                del self._turns[turn]
        if not self._turns:
            self._arm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._disarm()
        if self._turns:
            self._next = min(self._turns)
            self._timer = self.loop.call_at(self._next * self.turn, self._come_round)

    def _come_round(self) -> None:
        self._timer = None
        now = self.loop.time()
        for _ in range(RUNG_PER_PASS):
            turn = min(self._turns, default=None)
            if turn is None or turn * self.turn > now:
                self._arm()
                return
            rungs = self._turns[turn]
            who = next(iter(rungs))
            self.take(who, turn)
            who.ring(now)
        self._disarm()
        self._next, self._timer = 0, self.loop.call_soon(self._come_round)
