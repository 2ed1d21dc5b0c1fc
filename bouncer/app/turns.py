"""Whose turn it is: work that waits in several lines, of which each gets the next turn once.

Owns the lines and their limits. Must not know what the work is, nor who does it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")

# Of one line. With two threads and 60 ms for each hash they are done within a second, so that no right password waits
# longer for others of its own line; and it is what one address may have open at once before it has logged in.
LINE_LIMIT = 32
# Of all lines: as many as may be connected and not logged in.
WAITING_LIMIT = 512


class Turns(Generic[T]):
    """A queue that is fair between lines: who stands in a short one does not wait for a long one."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[T]] = OrderedDict()  # the one whose turn is next is first; none is empty
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, line: str, work: T) -> bool:
        """Let it wait in that line; False if there is no room."""
        if self._waiting >= WAITING_LIMIT:
            return False
        waiting = self._lines.get(line)
        if waiting is None:
            waiting = self._lines[line] = deque()
        elif len(waiting) >= LINE_LIMIT:
            return False
        waiting.append(work)
        self._waiting += 1
        return True

    def take(self) -> T | None:
        """The next one, or None if nobody waits. Its line goes behind all others."""
        if not self._lines:
            return None
        line, waiting = self._lines.popitem(last=False)
        work = waiting.popleft()
        if waiting:
            self._lines[line] = waiting
        self._waiting -= 1
        return work

    def drop(self, line: str, work: T) -> None:
        """Somebody does not want to wait any more."""
        waiting = self._lines.get(line)
        if waiting is None or work not in waiting:
            return
        waiting.remove(work)
        if not waiting:
            del self._lines[line]
        self._waiting -= 1
