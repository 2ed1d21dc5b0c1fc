"""Labels: on a network with labeled-response each command of a client has one, and its answer names it.

Owns which labels are out and which batches answer them. What is labelled is a value that comes back. Must not know what
the lines say.

IRCv3 labeled-response, batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from bouncer.irc.message import Message

T = TypeVar("T")

LABEL_CAPS = frozenset({"labeled-response", "batch"})  # an answer of several lines needs the second one
# What has no answer that anybody waits for: that one is typing; and a new nick, since InspIRCd 3 tells a labelled one
# as if the new nick had said it, so that nobody would know who has it.
UNLABELLED = frozenset({"NICK", "TAGMSG"})

LABEL_PATIENCE = 300.0  # seconds; a label is nobody else's, so a late answer harms nobody
LABELS_LIMIT = 1000  # labels out at a time, as many as commands without (see `asks`); of more, the oldest is forgotten
BATCHES_LIMIT = 64  # answers that a network has begun and not ended; servers have one at a time, and those inside it
BATCH_SILENCE = 30.0  # seconds in which a batch brings a line or its end (design 3.3), or it is taken for ended


def labelled(message: Message, label: str) -> Message:
    """The same line with a label (one that needs no escaping); its own tags stay."""
    tags = f"{message.tagtext};label={label}" if message.tagtext else f"label={label}"
    return Message.parse(b"@" + tags.encode("utf-8", "surrogateescape") + b" " + message.body)


@dataclass(slots=True)
class _Batch(Generic[T]):
    labelled: T
    heard: float  # when it last brought a line


class Labels(Generic[T]):
    """The labels of one connection. Times are seconds."""

    __slots__ = ("_batches", "_last", "_out")

    def __init__(self) -> None:
        self._last = 0
        self._out: dict[str, tuple[T, float]] = {}
        self._batches: dict[str, _Batch[T]] = {}

    def __len__(self) -> int:
        return len(self._out) + len(self._batches)

    def __iter__(self) -> Iterator[T]:
        """What is labelled, and not answered whole."""
        for what, _ in self._out.values():
            yield what
        for batch in self._batches.values():
            yield batch.labelled

    def next(self) -> str:
        """A label that was not given before on this connection."""
        self._last += 1
        return f"{self._last:x}"

    def note(self, label: str, what: T, now: float) -> None:
        """A line with that label has gone out."""
        while self._out:
            oldest = next(iter(self._out))
            if len(self._out) < LABELS_LIMIT and now - self._out[oldest][1] <= LABEL_PATIENCE:
                break
            del self._out[oldest]
        self._out[label] = (what, now)

    def find(self, message: Message, now: float) -> T | None:
        """What this line answers; None if it has no label of ours and stands in no batch that has."""
        tags = message.tags
        if "label" in tags:
            return self.take(message)
        batch = self._batches.get(tags.get("batch", ""))
        if batch is None:
            return None
        batch.heard = now
        return batch.labelled

    def take(self, message: Message) -> T | None:
        """What is labelled as this line is; it is answered with that."""
        found = self._out.pop(message.tags.get("label", ""), None)
        return found[0] if found else None

    def batch(self, message: Message, now: float) -> None:
        """A BATCH begins or ends. Those that answer nothing, and are in none that does, are of no interest."""
        reference = message.param(0)
        if reference[:1] == "-":
            self._batches.pop(reference[1:], None)
        elif reference[:1] == "+":
            for silent in [name for name, batch in self._batches.items() if now - batch.heard > BATCH_SILENCE]:
                del self._batches[silent]
            found = self.find(message, now)
            if found is not None and len(self._batches) < BATCHES_LIMIT:
                self._batches[reference[1:]] = _Batch(found, now)
