"""What may be asked of the history: questions as values.

Owns their shapes. Must not know who answers them, nor how (the port is History, in ports.py).

The order of history is (time, seq): a network's own times need not follow the order in which its lines came, and many
lines share a millisecond.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple

from bouncer.irc.message import Message
from bouncer.model.entry import TEXT_KINDS

LINES_LIMIT = 10_000  # lines in one answer, whatever was asked: some 2 MB, and a reader's thread for 50 ms
LAST_SEQ = (1 << 63) - 1  # above every number that is given
# What the user said has our time, and the network's when the network tells it again: so far apart they may be.
OWN_SLACK_MS = 60_000


class Mark(NamedTuple):
    """A place in the order of a network's lines, as a bound: that of a line, or between two.

    ``Mark(time, 0)`` is before all lines of that millisecond, ``Mark(time, LAST_SEQ)`` after them.
    """

    time: int  # milliseconds since 1970 UTC
    seq: int


class Trace(NamedTuple):
    """What a line of the past may be known by: its network's msgid ("" if it has none), or who said what, when, where.

    ``time`` in milliseconds, ``sender`` a nick, ``target`` the conversation, ``words`` all parameters behind the first.
    """

    msgid: str
    time: int
    target: str
    sender: str
    command: str
    words: str


def words_of(message: Message) -> str:
    """What a line says beside where, as :class:`Trace` has it."""
    return " ".join(message.params[1:])


class Spot(NamedTuple):
    """A place in the order of the lines of several networks."""

    time: int
    network: int
    seq: int


@dataclass(frozen=True, slots=True)
class Range:
    """The lines of one conversation between two places, both excluded: ``limit`` at most, from the oldest or from the
    newest on. Of them, those with numbers up to ``above`` are left out, and imported ones unless ``imported``.

    ``targets`` are names as anybody may spell them; several if a conversation went on under several (a private one,
    over changes of nick). ``upto`` is the log's last number when this was asked: what came after is left out, and
    what is not yet committed is waited for.
    """

    network: int
    targets: tuple[str, ...]
    upto: int
    limit: int
    after: Mark | None = None
    before: Mark | None = None
    newest: bool = False
    kinds: Set[int] = TEXT_KINDS
    above: int = 0
    imported: bool = True


@dataclass(frozen=True, slots=True)
class Expiry:
    """Lines that are kept no longer: of one conversation, or of a whole network if ``target`` is "". Those before a
    time (milliseconds), and of them those up to a number; of one conversation only what is there when this is
    committed."""

    network: int
    target: str = ""
    before: int | None = None
    upto: int = LAST_SEQ

    def covers(self, other: Expiry) -> bool:
        """Whether all lines of the other are among these."""
        return (
            self.network == other.network
            and self.target in ("", other.target)
            and (self.before is None or (other.before is not None and self.before >= other.before))
            and self.upto >= other.upto
        )


class Weight(NamedTuple):
    """What a run of lines weighs: how many they are, and the bytes of their text. ``end`` is the place of the oldest
    of them: the next run begins before it."""

    lines: int
    size: int
    end: Mark


@dataclass(frozen=True, slots=True)
class Search:
    """Lines of text that have all of these words, of several networks, newest first.

    ``text``: words; ``"words in quotes"`` that follow each other; ``wor*`` for what begins so. Case and accents make
    no difference. Languages without spaces are found by any part. What was said by ``sender`` (a nick) or in
    ``target`` alone; between ``after`` and ``before`` (milliseconds, both excluded). ``older`` is the last line of
    the page before, to go on from. A question without text, sender and target has no answer.
    """

    networks: tuple[int, ...]
    text: str
    limit: int
    target: str = ""
    sender: str = ""
    after: int | None = None
    before: int | None = None
    older: Spot | None = None
