"""What of a line is found by which question: the words of lines and of searches.

Owns the derivation of words from text, so that every store finds the same. Must not know an index. A change of what is
derived is a new WORDS_FORM: indexes made with another one are made anew.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.formatting import strip_formatting
from bouncer.irc.message import Message

WORDS_FORM = 1
TERMS_LIMIT = 50  # terms of a search that are looked at: more than one line of IRC has words

_ACTION = "\x01ACTION "
# of an ASCII character: what it is in a word, or a space between words
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
# Vowel signs and tone marks are no letters to Python, but stand within words: Hebrew, Arabic, the scripts of India;
# Thai, Lao, Tibetan, Burmese, Khmer.
_MARKS = r"\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_MARKS += r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f71-\u0f84"
_MARKS += r"\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"
_WORD = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
# Scripts that put no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer; Han and Japanese. (Korean has spaces.)
_UNSPACED = r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
_UNSPACED += r"\uf900-\ufaff\U00020000-\U0003ffff"
_SPACELESS = re.compile(f"[{_UNSPACED}]")
_RUNS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_ASKED = re.compile(r'"([^"]*)(?:"|$)|(\S+)')


class Term(NamedTuple):
    """Words that follow each other; the last is only the beginning of one if ``prefix`` is True."""

    words: tuple[str, ...]
    prefix: bool = False


class Said(NamedTuple):
    """What a line of text says and who said it, as searches compare them."""

    words: str  # separated by one or more spaces
    sender: str


def said(raw: bytes) -> Said:
    """The words and the sender of a line of text."""
    body = raw.partition(b" ")[2] if raw[:1] == b"@" else raw
    source, _, rest = body.partition(b" ")
    head, colon, text = rest.partition(b" :")
    if source[:1] == b":" and colon and head.count(b" ") == 1 and head[:1] != b" ":  # COMMAND target :text
        return Said(derive(text.decode("utf-8", "surrogateescape")), _sender(source))
    message = Message.parse(raw)
    params = message.params
    return Said(derive(params[-1]) if len(params) > 1 else "", fold_sender(message.nick))


def fold_sender(nick: str) -> str:
    """A nick as senders are compared."""
    return DEFAULT_FOLD(nick)


@lru_cache(4096)  # senders repeat
def _sender(source: bytes) -> str:
    return fold_sender(source[1:].partition(b"!")[0].partition(b"@")[0].decode("utf-8", "surrogateescape"))


def derive(text: str) -> str:
    """The words in a text: folded, without formatting, the parts of addresses as words of their own, and scripts
    without spaces as overlapping pairs of characters. Separated by one or more spaces."""
    text = _plain(text)
    if text.isascii():
        return text.translate(_ASCII)
    return " ".join(_words(text, ends=True))


def ask(text: str) -> tuple[Term, ...]:
    """The terms of a search, all of which must be found. Empty if there is no word in it."""
    terms = []
    for match in _ASKED.finditer(_plain(text)):
        quoted, word = match.groups()
        asked = quoted if word is None else word
        words = _words(asked, ends=False)
        if words:
            # a single character of a script without spaces is found as the first of a pair
            begun = len(words[-1]) == 1 and _unspaced(words[-1])
            terms.append(Term(tuple(words), begun or asked.endswith("*")))
    return tuple(dict.fromkeys(terms[:TERMS_LIMIT]))


def found(words: str, terms: tuple[Term, ...]) -> bool:
    """True if a line with these derived words has all terms."""
    spaced = f" {' '.join(words.split())} "
    return all(f" {' '.join(term.words)}{'' if term.prefix else ' '}" in spaced for term in terms)


def _plain(text: str) -> str:
    if not text.isprintable():
        text = strip_formatting(text.removeprefix(_ACTION))
    return unquote(text, errors="replace") if "%" in text and "://" in text else text


def _unspaced(character: str) -> bool:
    return _SPACELESS.match(character) is not None


def _words(text: str, *, ends: bool) -> list[str]:
    """``ends``: also the last character of the last run of a script without spaces. In a question that would be
    a pair's beginning as well."""
    text = _fold(text)
    words: list[str] = []
    runs = [run for word in _WORD.findall(text) for run in _RUNS.findall(word)]
    for number, run in enumerate(runs, start=1):
        if not _unspaced(run[0]):
            words.append(run)
            continue
        words += [run[place : place + 2] for place in range(len(run) - 1)]
        if ends or number < len(runs) or len(run) == 1:
            words.append(run[-1])
    return words


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
