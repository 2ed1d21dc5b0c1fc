"""What the word index holds: blocks of lines that follow each other.

Owns what is in a block and the questions made of it. Must not know when blocks are made, nor what a word is.

With a row for each line, a common word would have as many rows to read as lines. A block is one row for many lines; in
which of them a word is, stands as its places in a tsvector. Words have their network before them, so that those of
other networks are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from bouncer.model.entry import TEXT_KINDS
from bouncer.store.index_words import sender_mark, target_mark
from bouncer.store.words import WORDS_FORM, Term, said

BLOCKS_FORM = WORDS_FORM << 8 | 1  # what is in the database's words_form

BLOCK_LINES = 64  # fewer: more rows to look at for a common word; more: more words in it that are in no line together
BLOCK_SPAN = 16_000  # numbers from a block's first line to its last: a tsvector's places go up to 16,383
BLOCK_WORDS = 128 << 10  # characters of words, after which a block ends: a tsvector has at most 1 MiB
LONGEST_WORD = 200  # characters that are indexed of one; a key of GIN has at most 2,700 bytes. Who asks must compare


class Line(NamedTuple):
    """What is indexed of a line."""

    seq: int
    time: int
    kind: int
    target: int
    msgid: bytes
    raw: bytes


@dataclass(slots=True)
class Block:
    """A block as it is kept."""

    network: int
    first: int
    last: int = 0
    oldest: int = 0
    newest: int = 0
    lines: int = 0
    msgids: list[int] = field(default_factory=list)
    _words: dict[str, str] = field(default_factory=dict)  # word -> places, as a tsvector spells them
    _size: int = 0

    def add(self, line: Line) -> None:
        """Take in the next line."""
        self.oldest = min(self.oldest, line.time) if self.lines else line.time
        self.newest = max(self.newest, line.time) if self.lines else line.time
        self.lines += 1
        self.last = line.seq
        if line.msgid:
            self.msgids.append(checksum(self.network, line.msgid))
        if line.kind in TEXT_KINDS:
            text = said(line.raw)
            words, place = self._words, str(line.seq - self.first + 1)
            for word in {*text.words.split(), target_mark(line.target), sender_mark(text.sender)}:
                known = words.get(word)
                words[word] = f"{known},{place}" if known else place
            self._size += len(text.words)

    def ends_before(self, line: Line, lines: int) -> bool:
        """True if that line belongs to the next block."""
        return self.lines >= lines or line.seq - self.first >= BLOCK_SPAN or self._size >= BLOCK_WORDS

    @property
    def document(self) -> str:
        """The text form of a tsvector. No derived word or mark has a quote or a backslash in it."""
        network = _prefix(self.network)
        return " ".join(f"'{network}{word[:LONGEST_WORD]}':{places}" for word, places in self._words.items())


def blocks(network: int, lines: Iterable[Line], size: int) -> Iterator[Block]:
    """These lines in blocks of ``size``. The last may be one that is not full."""
    block: Block | None = None
    for line in lines:
        if block is not None and block.ends_before(line, size):
            yield block
            block = None
        if block is None:
            block = Block(network, line.seq)
        block.add(line)
    if block is not None:
        yield block


def checksum(network: int, msgid: bytes) -> int:
    """What is indexed of a msgid, as a column of 32 bits has it. Others may have the same: who asks must compare."""
    found = crc32(msgid, crc32(b"%d" % network))
    return found - (1 << 32) if found >> 31 else found


class Wanted(NamedTuple):
    """A word, as blocks have it, or the beginning of one."""

    word: str
    prefix: bool


def wanted(network: int, terms: Sequence[Term], marks: Sequence[str]) -> list[Wanted]:
    """What a line must have to answer, and maybe not all that it must have."""
    before = _prefix(network)
    found = [Wanted(before + mark[:LONGEST_WORD], False) for mark in marks]
    for term in terms:
        for number, word in enumerate(term.words, start=1):
            last = number == len(term.words)
            found.append(Wanted(before + word[:LONGEST_WORD], term.prefix and last and len(word) <= LONGEST_WORD))
    return list(dict.fromkeys(found))


def query(words: Sequence[Wanted]) -> str:
    """The text form of the tsquery for blocks that have all of these."""
    return " & ".join(f"'{word}'{':*' if prefix else ''}" for word, prefix in words)


def _prefix(network: int) -> str:
    return f"{network:x}."
