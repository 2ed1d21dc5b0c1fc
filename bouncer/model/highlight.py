r"""What calls for the user's attention: one definition for all who need to know.

Owns how words are found in text. Must not know what happens to a line that has one.

A word is found where it stands as a whole word, in any case, with or without formatting, and never inside a URL. In the
user's own words ``*`` stands for any letters of one word and ``?`` for one; several words are found in a row. Scripts
that put no spaces between words (UAX #29, "Word Boundaries") have no borders to look for.

The pattern takes time of order text times words for any words: see `irc.source` for the stars; besides, they do not
reach over a word's end, and each word of the text is tried from its beginning only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from bouncer.irc.casemap import DEFAULT_FOLD, Fold
from bouncer.irc.formatting import strip_formatting
from bouncer.irc.message import Message

_ACTION = "\x01ACTION "
_SCHEME = 32  # characters of one that are looked at; the longest in use has under 30
_URL = re.compile(rf"(?:(?<![a-z0-9])[a-z][a-z0-9+.-]{{0,{_SCHEME}}}://|(?<!\w)www\.)[^\s<>\"]*")
_GONE = "\0"  # stands for a URL: neither a space nor a letter
_NICK_SPECIALS = "[]\\`_^{|}~-"  # that may be letters' cases to a network
_JOINERS = "\u200c\u200d"  # part the letters of one word
# Thai, Lao, Myanmar, Khmer; the radicals, kana and ideographs of East Asia.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
_UNSPACED += "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


@cache
def _letters() -> str:
    """What words are made of, as the inside of a character class: ``\\w`` has no marks (vowel signs, accents)."""
    marks = {code for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M"}
    firsts = [code for code in sorted(marks) if code - 1 not in marks]
    lasts = [code for code in sorted(marks) if code + 1 not in marks]
    spans = (f"{chr(first)}-{chr(last)}" for first, last in zip(firsts, lasts, strict=True))
    return rf"\w{_JOINERS}{''.join(spans)}"


def _same_case(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold())


def _nick_letter(letter: str, fold: Fold) -> str:
    if letter not in _NICK_SPECIALS:
        return re.escape(letter)
    return "[" + "".join(re.escape(each) for each in _NICK_SPECIALS if fold(each) == fold(letter)) + "]"


def _body(word: str, letter: str) -> str:
    """The pattern of a user's word; ``letter`` is that of ``?``."""
    runs = [re.escape(run).replace(r"\?", letter) for run in re.sub(r"\*+", "*", word).split("*")]
    if len(runs) == 1:
        return runs[0]
    first, *middle, last = runs
    return first + "".join(f"(?>{letter}*?{run})" for run in middle) + f"{letter}*{last}"


class Highlight:
    """What calls a user who has this nick and these words. Never changes: another nick needs another one."""

    __slots__ = ("_find", "fold", "nick", "words")

    def __init__(self, nick: str, words: Iterable[str] = (), fold: Fold = DEFAULT_FOLD) -> None:
        self.nick = nick
        self.words = tuple(words)
        self.fold = fold
        letters = _letters()
        begins, ends = f"(?:(?<![{letters}])|(?<=[{_UNSPACED}]))", f"(?:(?![{letters}])|(?=[{_UNSPACED}]))"
        letter = f"(?:(?![{_UNSPACED}])[{letters}])"
        plain = [(each, _body(each, letter)) for each in map(_same_case, map(" ".join, map(str.split, self.words)))]
        plain.append((_same_case(nick), "".join(_nick_letter(each, fold) for each in _same_case(nick))))
        # a class of so many letters is dear to compile, and to begin with a literal is what makes a branch cheap
        branches: dict[tuple[str, str], list[str]] = {}
        for word, body in plain:
            if word:
                borders = "" if _IS_UNSPACED.match(word[0]) else begins, "" if _IS_UNSPACED.match(word[-1]) else ends
                branches.setdefault(borders, []).append(body)
        pattern = "|".join(f"{before}(?:{'|'.join(each)}){after}" for (before, after), each in branches.items())
        self._find = re.compile(pattern).search if pattern else None

    def is_in(self, text: str) -> bool:
        """Whether the text (of a PRIVMSG or NOTICE, as it came) has such a word."""
        if self._find is None:
            return False
        if text[:1] == "\x01":
            if not text.startswith(_ACTION):
                return False  # a CTCP has no words for people
            text = text[len(_ACTION) :]
        # a run of spaces is one: words are in a row however far apart
        text = " ".join(_same_case(strip_formatting(text)).split())
        if "://" in text or "www." in text:
            text = _URL.sub(_GONE, text)
        return self._find(text) is not None

    def calls(self, message: Message) -> bool:
        """Whether a PRIVMSG or NOTICE of the network's calls the user: somebody else talks to them alone, or says one
        of the words. Servers and the user's own lines do not; a NOTICE to the nick alone does by its words only, as
        programs send those."""
        if "!" not in message.source or self.fold(message.nick) == self.fold(self.nick):
            return False
        text = message.param(1)
        alone = message.command == "PRIVMSG" and self.fold(message.param(0)) == self.fold(self.nick)
        if alone and (text[:1] != "\x01" or text.startswith(_ACTION)):
            return True
        return self.is_in(text)
