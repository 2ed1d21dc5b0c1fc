"""Fit text and words into a line's byte limit.

Owns where text may be cut: never inside a UTF-8 character, at a space if there is one. Must not know what the text
is for, nor how long a line may be: limits are arguments, in bytes of UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_CHARACTER = 4  # bytes of UTF-8; no smaller limit can always be met


def cut(data: bytes, limit: int) -> bytes:
    """The first ``limit`` bytes of ``data`` at most, and fewer rather than a part of a UTF-8 character.

    Bytes that are no UTF-8 are cut wherever the limit falls.
    """
    if len(data) <= limit:
        return data
    start = limit
    while start > 0 and limit - start < _LONGEST_CHARACTER - 1 and data[start] & 0xC0 == 0x80:
        start -= 1
    lead = data[start]
    width = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
    return data[:start] if start + width > limit else data[:limit]


def fit_text(text: str, limit: int) -> list[str]:
    """Split ``text`` into pieces of at most ``limit`` bytes each, at least one piece.

    A piece ends at a space where it can (that one space is left out), else at a character's end. Raises ValueError
    for a limit below 4, the longest character.
    """
    if limit < _LONGEST_CHARACTER:
        raise ValueError(f"text can't be fitted into {limit} bytes: one character may need {_LONGEST_CHARACTER}")
    data = text.encode("utf-8", "surrogateescape")
    pieces: list[bytes] = []
    start = 0
    while len(data) - start > limit:
        space = data.rfind(b" ", start + 1, start + limit + 1)
        if space > 0:
            pieces.append(data[start:space])
            start = space + 1
        else:
            # one byte more than the limit lets cut() see whether a character is being split
            pieces.append(cut(data[start : start + limit + 1], limit))
            start += len(pieces[-1])
    pieces.append(data[start:])
    return [piece.decode("utf-8", "surrogateescape") for piece in pieces]


def pack(words: Iterable[str], limit: int, sep: str = " ") -> list[str]:
    """Join ``words`` with ``sep`` into as few strings of at most ``limit`` bytes as keep their order.

    A word that is longer than the limit stands alone, uncut: only the caller knows whether it may be cut.
    """
    words = list(words)
    whole = sep.join(words)
    if whole.isascii() and whole.count(sep) == len(words) - 1:
        return _cut_at(whole, limit, sep)
    gap = len(sep.encode("utf-8", "surrogateescape"))
    lines: list[str] = []
    line: list[str] = []
    used = 0
    for word in words:
        size = len(word.encode("utf-8", "surrogateescape"))
        if line and used + gap + size > limit:
            lines.append(sep.join(line))
            line = []
        used = used + gap + size if line else size
        line.append(word)
    if line:
        lines.append(sep.join(line))
    return lines


def _cut_at(whole: str, limit: int, sep: str) -> list[str]:
    """:func:`pack` for words joined already, all ASCII and without ``sep`` in any: nothing is done for each word."""
    lines = []
    start = 0
    while len(whole) - start > limit:
        end = whole.rfind(sep, start, start + limit + len(sep))
        if end < 0:  # a word that is longer than the limit
            end = whole.find(sep, start)
            if end < 0:
                break
        lines.append(whole[start:end])
        start = end + len(sep)
    return [*lines, whole[start:]]
