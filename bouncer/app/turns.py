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
    """A queue that is fair between lines: who stands in a short one does not wait for a long one.

    A line's name is where those in it come from, and perhaps a space and more. Places have their turns first, then the
    lines of each: who opens many lines in one place keeps only that place waiting.
    """

    def __init__(self) -> None:
        # by place and line; the ones whose turn is next are first; none is empty
        self._places: OrderedDict[str, OrderedDict[str, deque[T]]] = OrderedDict()
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, line: str, work: T) -> bool:
        """Let it wait in that line; False if there is no room."""
        if self._waiting >= WAITING_LIMIT:
            return False
        waiting = self._places.setdefault(_place(line), OrderedDict()).setdefault(line, deque())
        if len(waiting) >= LINE_LIMIT:
            return False
        waiting.append(work)
        self._waiting += 1
        return True

    def take(self) -> T | None:
        """The next one, or None if nobody waits. Its line goes behind all others."""
        if not self._places:
            return None
        place, lines = self._places.popitem(last=False)
        line, waiting = lines.popitem(last=False)
        work = waiting.popleft()
        if waiting:
            lines[line] = waiting
        if lines:
            self._places[place] = lines
        self._waiting -= 1
        return work

    def drop(self, line: str, work: T) -> None:
        """Somebody does not want to wait any more."""
        lines = self._places.get(_place(line))
        waiting = lines.get(line) if lines is not None else None
        if lines is None or waiting is None or work not in waiting:
            return
        waiting.remove(work)
        if not waiting:
            del lines[line]
        if not lines:
            del self._places[_place(line)]
        self._waiting -= 1


def _place(line: str) -> str:
    return line.partition(" ")[0]
