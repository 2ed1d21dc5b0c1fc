"""Batches of history that a network sends: held until they are whole, since what is in them is not happening now.

Owns which batches are open and what is in them. Must not know what the lines mean. All other batches are of no interest
here: their lines go on as they come.

IRCv3 batch, draft/chathistory; znc.in/playback.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from bouncer.irc.message import Message

CHATHISTORY = "chathistory"
TARGETS = "draft/chathistory-targets"
HISTORY = frozenset({CHATHISTORY, TARGETS, "znc.in/playback"})
COMPLETE = "draft/chathistory-end"  # a tag of a batch's start: there is no more to ask for

LINES_LIMIT = 2000  # lines held of one batch (design 3.3), then they are a piece of history of their own
LINE_OVERHEAD = 600  # bytes that a line takes beside its text, measured on CPython 3.11
HELD_BYTES = 8 << 20  # of all batches together; more than LINES_LIMIT lines of usual length
PATIENCE = 30.0  # seconds a batch is held (design 3.3), likewise
BATCHES_LIMIT = 64  # batches open at a time, inner ones too; networks send one after the other


class Piece(NamedTuple):
    """Lines of one batch: all of them, or as many as were held. ``last``: the batch has ended with them. ``complete``:
    the network said that there is no more. ``label``: of the command that it answers, "" if it has none."""

    type: str
    target: str
    lines: list[Message]
    last: bool
    complete: bool
    label: str = ""


@dataclass(slots=True)
class _Batch:
    reference: str
    type: str
    target: str
    complete: bool
    label: str
    since: float  # when the oldest line held, or the batch itself, came
    lines: list[Message] = field(default_factory=list)
    size: int = 0  # of the lines, in bytes

    def piece(self, *, last: bool) -> Piece:
        lines, self.lines, self.size = self.lines, [], 0
        return Piece(self.type, self.target, lines, last, self.complete, self.label)


class Batches:
    """The batches of one connection. Times are seconds. ``open``, always the same object, has them by reference; those
    inside another one are the other one."""

    __slots__ = ("_held", "_labels", "open")

    def __init__(self) -> None:
        self.open: dict[str, _Batch] = {}
        self._held = 0  # bytes of their lines
        self._labels: dict[str, str] = {}  # of batches around these, by reference

    @property
    def due_at(self) -> float:
        """When :meth:`overdue` has something to give."""
        return min((batch.since + PATIENCE for batch in self.open.values()), default=inf)

    def batch(self, message: Message, now: float) -> Piece | None:
        """A BATCH that is in none of these begins or ends; returns what one of these has had, if that has ended."""
        sign, reference = message.param(0)[:1], message.param(0)[1:]
        if sign == "-":
            return self._end(reference)
        if sign == "+" and reference not in self.open:
            tags = message.tags
            label = tags.get("label") or self._labels.get(tags.get("batch", ""), "")
            kind, target = message.param(1), message.param(2)
            if kind in HISTORY and len(self.open) < BATCHES_LIMIT:
                self.open[reference] = _Batch(reference, kind, target, COMPLETE in tags, label, now)
            elif label and len(self._labels) < BATCHES_LIMIT:
                self._labels[reference] = label
        return None

    def _end(self, reference: str) -> Piece | None:
        self._labels.pop(reference, None)
        batch = self.open.pop(reference, None)
        if batch is None or batch.reference != reference:  # one inside it
            return None
        for name in [name for name, each in self.open.items() if each is batch]:
            del self.open[name]
        return self._piece(batch, last=True)

    def _piece(self, batch: _Batch, *, last: bool) -> Piece:
        self._held -= batch.size
        return batch.piece(last=last)

    def takes(self, message: Message) -> bool:
        """Whether a line belongs to one of these; then it is held."""
        batch = self.open.get(message.tags.get("batch", ""))
        if batch is None:
            return False
        if message.command != "BATCH":
            size = len(message.raw) + LINE_OVERHEAD
            batch.lines.append(message)
            batch.size += size
            self._held += size
            return True
        sign, reference = message.param(0)[:1], message.param(0)[1:]
        if reference == batch.reference:
            return False  # it is said to be in itself; so its end is
        if sign == "+" and len(self.open) < BATCHES_LIMIT:
            self.open.setdefault(reference, batch)
        elif sign == "-" and self.open.get(reference) is batch:
            del self.open[reference]
        return True

    def overfull(self, message: Message) -> Piece | None:
        """What the batch of a line that was taken holds, if that is as much as one may, or all of them."""
        batch = self.open.get(message.tags.get("batch", ""))
        if batch is None or not (len(batch.lines) >= LINES_LIMIT or (batch.lines and self._held >= HELD_BYTES)):
            return None
        return self._piece(batch, last=False)

    def overdue(self, now: float) -> Iterator[Piece]:
        """What was held too long. Lines that come later belong to their batch as before."""
        for batch in _each(self.open):
            if now - batch.since >= PATIENCE:
                batch.since = now
                if batch.lines:
                    yield self._piece(batch, last=False)

    def ended(self) -> Iterator[Piece]:
        """The connection is gone: what all of them hold."""
        batches = _each(self.open)
        self.open.clear()
        self._labels.clear()
        for batch in batches:
            yield self._piece(batch, last=False)


def _each(open_: dict[str, _Batch]) -> list[_Batch]:
    """Each batch once, in order of their beginning."""
    return list({id(batch): batch for batch in open_.values()}.values())
