"""The time and the deadlines of the running process: the Timers port on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class LoopTimers:
    """Timers of one loop. Times are seconds since 1970 UTC."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """The time of now."""
        return time.time()

    def at(self, when: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Have ``act`` called at ``when``; at once if that is past."""
        return self._loop.call_later(max(0.0, when - time.time()), act)
