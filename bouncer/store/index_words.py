"""What the word index holds: for a block of lines that follow each other their words, and marks that no word can be.

Owns the form of documents and marks, and the questions made of them. Must not know when lines are indexed, nor what a
word is.

The index is an FTS5 table without content, whose tokenizer `ascii` takes runs of ASCII letters, digits and anything
beyond ASCII as words. Marks begin with a character for private use, which no derived word contains. It tells in which
blocks a line may be that one looks for; the lines themselves are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from bouncer.model.entry import TEXT_KINDS, Entry
from bouncer.store.words import WORDS_FORM, Term, derive, fold_sender

INDEX_FORM = WORDS_FORM << 8 | 3  # what is in the database's words_form

SEQ_BITS = 40  # of a rowid; the network's id is above
SEQ_MASK = (1 << SEQ_BITS) - 1

BLOCK_LINES = 16  # of 32 costs a tenth less to write, and a search compares twice as many lines that are not meant

# A line is late if it is so much older than one before it: what servers with different clocks say is not.
LATE_MS = 2000
LATE = "\ue004"  # the lines are late
WEEK = 7 * 86_400_000  # milliseconds: late lines have marks of their weeks, for there may be millions of late ones

NO_WEEKS: frozenset[int] = frozenset()
LONG_AGO = -(1 << 62)  # before every time

_SIMPLE = re.compile(r"[0-9a-z]+")


# A line and the id of its conversation. (A plain tuple costs a third of a named one, and a line has few microseconds.)
Line = tuple[Entry, int]


def row_of(network: int, seq: int) -> int:
    """The row in the index of the block that begins with a line."""
    return network << SEQ_BITS | seq


def target_mark(target: int) -> str:
    """Belongs to this conversation (the id of its row)."""
    return f"\ue001{target}"


def any_target(targets: Sequence[int]) -> str:
    """The question for blocks with lines of one of these conversations."""
    return " OR ".join(f'"{target_mark(target)}"' for target in targets)


def is_simple(sender: str) -> bool:
    """Whether a folded nick stands in lines as it is, but for capitals."""
    return _SIMPLE.fullmatch(sender) is not None


@lru_cache(4096)  # senders repeat
def sender_mark(sender: str) -> str:
    """Was said by this folded nick."""
    if is_simple(sender):
        return f"\ue002{sender}"
    return f"\ue005{sender.encode('utf-8', 'surrogateescape').hex()}"


def msgid_mark(msgid: bytes) -> str:
    """Has this msgid, or one that looks like it: who asks must compare. Whole msgids would double the index."""
    return f"\ue003{crc32(msgid):08x}"


def week_of(time: int) -> int:
    """The week of a time (milliseconds), counted from 1970."""
    return max(0, time // WEEK)


def week_mark(week: int) -> str:
    """Is late, and of this week."""
    return f"\ue006{week}"


def late_ones(lines: Sequence[Line], newest: int) -> list[bool]:
    """Which lines are late; ``newest``: the latest time of all lines before them."""
    late = []
    for entry, _ in lines:
        newest = max(newest, entry.time)
        late.append(newest - entry.time > LATE_MS)
    return late


def parts(lines: Sequence[Line], newest: int) -> Iterator[tuple[Sequence[Line], bool]]:
    """These lines in blocks, of which all lines are late or none is; ``newest`` as for :func:`late_ones`."""
    if min(entry.time for entry, _ in lines) >= max(newest, max(entry.time for entry, _ in lines)) - LATE_MS:
        for start in range(0, len(lines), BLOCK_LINES):
            yield lines[start : start + BLOCK_LINES], False
        return
    late = late_ones(lines, newest)
    start = 0
    for end in range(1, len(lines) + 1):
        if end == len(lines) or late[end] != late[start] or end - start == BLOCK_LINES:
            yield lines[start:end], late[start]
            start = end


class Block(NamedTuple):
    """Lines that follow each other, as they are indexed: the numbers of the first and the last, the latest time, that
    of all lines before them, how many they are, whether they are late, the weeks of late ones, whether all words stand
    in the lines as they are, but for capitals, and the document, empty if nothing is to be found."""

    network: int
    first: int
    last: int
    newest: int
    before: int
    lines: int
    late: bool
    weeks: frozenset[int]
    plain: bool
    document: str


def block_of(network: int, lines: Sequence[Line], late: bool, latest: dict[int, int], before: int) -> Block:
    """Make a block, and note in ``latest`` when something was said last in each conversation. The same lines have the
    same words as often, whenever it is made: FTS5 counts them, and can't take out more than was put in."""
    newest = LONG_AGO
    texts: list[str] = []
    sources: set[str] = set()
    targets: set[int] = set()
    marks: list[str] = []
    for entry, target in lines:  # this is done for each line, so few calls of ours
        message, time = entry.message, entry.time
        newest = max(newest, time)
        targets.add(target)
        if entry.kind in TEXT_KINDS:
            params = message.params
            if len(params) > 1:
                texts.append(params[-1])
            sources.add(message.source)
            if latest.get(target, LONG_AGO) < time:
                latest[target] = time
        if "msgid=" in message.tagtext and (msgid := message.tag("msgid")):
            marks.append(msgid_mark(msgid.encode("utf-8", "surrogateescape")))
    targets.discard(0)
    words = " ".join(texts)
    plain = _is_plain(words)
    if not plain:
        words = " ".join([text if _is_plain(text) else derive(text) for text in texts])
    weeks = frozenset(week_of(entry.time) for entry, _ in lines) if late else NO_WEEKS
    if late:
        marks += [LATE, *map(week_mark, weeks)]
    document = " ".join([*marks, *map(target_mark, targets), *map(_who, sources), words]).strip(" ")
    return Block(network, lines[0][0].seq, lines[-1][0].seq, newest, before, len(lines), late, weeks, plain, document)


def _is_plain(text: str) -> bool:
    """Whether the tokenizer itself takes the same words from a text as are derived: it folds ASCII, and separates by
    all that is no letter or digit."""
    return text.isascii() and text.isprintable() and not ("%" in text and "://" in text)


@lru_cache(8192)  # people who talk at present, of all networks; some 2 MB
def _who(source: str) -> str:
    return sender_mark(fold_sender(source.partition("!")[0].partition("@")[0]))


def query(terms: Sequence[Term], marks: Sequence[str]) -> str:
    """The question for blocks that have all of these."""
    asked = [f'"{mark}"' for mark in marks]
    for term in terms:
        *whole, last = term.words
        asked += [f'"{word}"' for word in whole]
        asked.append(f'"{last}"{"*" if term.prefix else ""}')
    return " AND ".join(asked)
