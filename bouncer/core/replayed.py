"""History that a network sends: compared with what is kept, and the rest put into the log as lines of the past.

Owns the batches on their way in, and which of them waits for an answer of the store. Must not know why a network sends
history, nor what its lines mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import NamedTuple

from bouncer.core.alarm import Alarm
from bouncer.irc.message import Message
from bouncer.model.history import Trace, words_of
from bouncer.model.past import PastLine
from bouncer.model.ports import Timers
from bouncer.model.questions import Known, Recall
from bouncer.upstream.batches import LINE_OVERHEAD, Batches, Piece

RETRY = 30.0  # seconds after which a store that could not answer is asked again
# What waits while the store can't be asked: some 20,000 lines of usual length. Of more, the newest batch is given up:
# whoever sends so much without being asked can be asked again.
WAITING_BYTES = 12 << 20
PORTION_OVERHEAD = 500  # bytes beside the lines, measured; empty batches take it too
# A line said just now may stand in history before it comes to us as a live one: with such lines a batch waits for that.
JUST_NOW_MS = 60_000
PORTION = 200  # lines that are read, compared and shown at a time: 3 ms, as with a burst of live ones
SETTLING = 1.0  # seconds; servers hand a line to all channels' members in milliseconds


class _Portion(NamedTuple):
    """Lines of a piece, which came at that time (seconds); ``last``: all of the piece is in the log with these."""

    piece: Piece
    lines: list[Message]
    came: float
    last: bool


class Replayed:
    """What one network replays.

    ``read`` says what a line of a batch about some conversation was, None if history is not to have it. ``insert`` puts
    lines into the log, in order of time. ``came`` and ``kept`` are told of each piece when it is there, and when its
    lines are in the log; of one that is given up neither, and ``kept`` of none whose connection has ended before.
    """

    __slots__ = (
        "_alarm",
        "_asking",
        "_came",
        "_insert",
        "_kept",
        "_network",
        "_read",
        "_recall",
        "_size",
        "_timers",
        "_waiting",
        "batches",
    )

    def __init__(
        self,
        network: int,
        timers: Timers,
        recall: Recall,
        *,
        read: Callable[[Message, str, float], PastLine | None],
        insert: Callable[[Sequence[PastLine]], None],
        came: Callable[[Piece], None],
        kept: Callable[[Piece], None],
    ) -> None:
        self.batches = Batches()
        self._network = network
        self._timers = timers
        self._recall = recall
        self._read = read
        self._insert = insert
        self._came = came
        self._kept = kept
        self._waiting: list[_Portion] = []  # a few batches at most
        self._size = 0  # of those
        self._asking = False
        self._alarm = Alarm(timers, self._ring)

    def took(self, message: Message, now: float) -> bool:
        """Whether a line with a batch is history, and so taken care of."""
        if not self.batches.takes(message):
            return False
        piece = self.batches.overfull(message)
        if piece is not None:
            self._take(piece, now)
        return True

    def batched(self, message: Message, now: float) -> None:
        """A BATCH begins or ends."""
        piece = self.batches.batch(message, now)
        if piece is not None:
            self._take(piece, now)
        self._set_alarm()

    def ended(self, now: float) -> None:
        """The connection is gone: what it brought is as good as any, but answers nothing that the next one asks."""
        for piece in self.batches.ended():
            self._take(piece, now)
        self._waiting = [portion._replace(last=False) for portion in self._waiting]
        self._set_alarm()

    def _take(self, piece: Piece, now: float) -> None:
        portions = [piece.lines[start : start + PORTION] for start in range(0, max(1, len(piece.lines)), PORTION)]
        size = sum(map(_size, portions))
        if self._size + size > WAITING_BYTES:
            return
        self._size += size
        self._came(piece)
        for place, lines in enumerate(portions, 1):
            self._waiting.append(_Portion(piece, lines, now, place == len(portions)))
        self._go_on()

    def _go_on(self) -> None:
        """Ask about the oldest; one after the other, so that what one brings is kept when the next is compared."""
        while self._waiting and not self._asking:
            first = self._waiting[0]
            lines, traces = self._taken_apart(first)
            ready_at = first.came + SETTLING
            if ready_at > self._timers.now() and any(line.time > first.came * 1000 - JUST_NOW_MS for line in lines):
                self._wait(ready_at)
            elif lines:
                self._asking = True
                self._recall(Known(self._network, traces), partial(self._answered, lines))
            else:
                self._done()

    def _taken_apart(self, portion: _Portion) -> tuple[list[PastLine], list[Trace]]:
        """Of the lines that history is to have: how they are kept, and what they are known by."""
        lines, traces = [], []
        for message in portion.lines:
            line = self._read(message, portion.piece.target, portion.came)
            if line is not None:
                lines.append(line)
                traces.append(_trace(message, line))
        return lines, traces

    def _answered(self, lines: Sequence[PastLine], known: Set[int] | None) -> None:
        if known is None:
            self._wait(self._timers.now() + RETRY)
            return
        new = [line for place, line in enumerate(lines) if place not in known]
        if new:
            self._insert(sorted(new, key=lambda line: line.time))
        self._asking = False
        self._done()
        self._go_on()

    def _done(self) -> None:
        """The oldest portion is in the log, or there was nothing in it to keep."""
        piece, lines, _, last = self._waiting.pop(0)
        self._size -= _size(lines)
        if last:
            self._kept(piece)

    def _wait(self, until: float) -> None:
        self._asking = True
        self._timers.at(until, self._ask_again)

    def _ask_again(self) -> None:
        self._asking = False
        self._go_on()

    def _ring(self) -> None:
        now = self._timers.now()
        for piece in self.batches.overdue(now):
            self._take(piece, now)
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._alarm.set(self.batches.due_at)


def _size(lines: Sequence[Message]) -> int:
    """Of a portion, in bytes."""
    return PORTION_OVERHEAD + sum(len(message.raw) + LINE_OVERHEAD for message in lines)


def _trace(message: Message, line: PastLine) -> Trace:
    msgid = message.tag("msgid")
    target = line.target or (line.also[0] if line.also else "")
    return Trace(msgid, line.time, target, message.nick, message.command, words_of(message))
