"""What the word index holds of a line: its words, and marks that no word can be.

Owns the form of these marks and the questions made of them. Must not know when lines are indexed, nor what a word is.

The index is an FTS5 table without content, whose tokenizer `ascii` takes runs of ASCII letters, digits and anything
beyond ASCII as words. Marks begin with a character for private use, which no derived word contains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

from bouncer.irc.message import Message
from bouncer.store.words import WORDS_FORM, Said, Term, fold_sender, said

INDEX_FORM = WORDS_FORM << 8 | 2  # what is in the database's words_form

SEQ_BITS = 40  # of a rowid; the network's id is above
SEQ_MASK = (1 << SEQ_BITS) - 1

LATE = "\ue004"  # the line is older than one before it
WEEK = 7 * 86_400_000  # milliseconds: a late line has a mark of its week, for there may be millions of late ones

_SIMPLE = re.compile(r"[0-9a-z]+")


def row_of(network: int, seq: int) -> int:
    """The row of a line in the index."""
    return network << SEQ_BITS | seq


def target_mark(target: int) -> str:
    """Belongs to this conversation (the id of its row)."""
    return f"\ue001{target}"


@lru_cache(4096)  # senders repeat
def sender_mark(sender: str) -> str:
    """Was said by this folded nick."""
    if _SIMPLE.fullmatch(sender):
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


def late_marks(time: int) -> str:
    """Is late, and was said at this time."""
    return f"{LATE} {week_mark(week_of(time))}"


def document(line: Said | None, target: int, msgid: bytes, *, late: str) -> str:
    """What is indexed of a line: ``line`` is None if it is no text. Empty if nothing is."""
    marks = msgid_mark(msgid) if msgid else ""
    if line is None:
        return marks
    return f"{late} {marks} {target_mark(target)} {sender_mark(line.sender)} {line.words}"


def document_of(message: Message, target: int, msgid: str, *, late: str) -> str:
    """What :func:`document` makes of a line of text, or what the tokenizer takes for the same; ``msgid`` is a mark."""
    params, source = message.params, message.source
    text = params[-1] if len(params) > 1 else ""
    if text.isascii() and text.isprintable() and source.isascii() and not ("%" in text and "://" in text):
        # the tokenizer itself folds ASCII, and separates words by all that is no letter or digit
        return f"{late} {msgid} {target_mark(target)} {_who(source)} {text}"
    words, sender = said(message.raw)
    return f"{late} {msgid} {target_mark(target)} {sender_mark(sender)} {words}"


@lru_cache(8192)  # people who talk at present, of all networks; some 2 MB
def _who(source: str) -> str:
    return sender_mark(fold_sender(source.partition("!")[0].partition("@")[0]))


def query(terms: Sequence[Term], marks: Sequence[str]) -> str:
    """The question for lines that have all of these."""
    asked = [f'"{mark}"' for mark in marks]
    asked += [f'"{" ".join(term.words)}"{"*" if term.prefix else ""}' for term in terms]
    return " AND ".join(asked)
