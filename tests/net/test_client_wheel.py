from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from bouncer.client.wheel import RUNG_PER_PASS, Wheel

Play = Callable[[Coroutine[Any, Any, Any]], Any]
TURN = 0.001


class Bell:
    """Notes when it rang, and may want to ring again."""

    def __init__(self, wheel: Wheel, rung: list[Bell], again: int = 0) -> None:
        self.wheel = wheel
        self.rung = rung
        self.again = again
        self.wanted = 0.0
        self.late = 0.0
        self.rang = asyncio.Event()

    def set(self, wait: float) -> int:
        self.wanted = self.wheel.loop.time() + wait
        return self.wheel.put(self, self.wanted)

    def ring(self, now: float) -> None:
        self.late = now - self.wanted
        self.rung.append(self)
        self.rang.set()
        if self.again:
            self.again -= 1
            self.set(0.0)


def test_all_are_rung_once_and_none_too_early(play: Play) -> None:
    async def test() -> None:
        rung: list[Bell] = []
        wheel = Wheel(asyncio.get_running_loop(), TURN)
        bells = [Bell(wheel, rung) for _ in range(3 * RUNG_PER_PASS)]
        for number, bell in enumerate(bells):
            bell.set((number % 7) * TURN)
        late, again = Bell(wheel, rung), Bell(wheel, rung, again=2)
        late.set(20 * TURN)
        again.set(0.0)
        await late.rang.wait()
        assert sorted(map(id, rung)) == sorted(map(id, [*bells, late, again, again, again]))
        assert all(bell.late >= 0 for bell in rung)
        assert not len(wheel)

    play(test())


def test_who_is_taken_is_not_rung(play: Play) -> None:
    async def test() -> None:
        rung: list[Bell] = []
        wheel = Wheel(asyncio.get_running_loop(), TURN)
        one, other, last = (Bell(wheel, rung) for _ in range(3))
        turn = one.set(TURN)
        other.set(TURN)
        last.set(3 * TURN)
        wheel.take(one, turn)
        wheel.take(one, turn)
        await last.rang.wait()
        assert rung == [other, last]
        wheel.take(last, last.set(TURN))
        assert not len(wheel)

    play(test())
