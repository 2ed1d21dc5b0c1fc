"""Which names and texts are allowed, and which one was probably meant.

Owns the rules for names of users, networks, nicks and channels. Must not know any operation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.model.errors import Refused

NAME_LIMIT = 64  # characters; a login is user/network@device and has to fit one USER line with room to spare
NICK_LIMIT = 64  # characters; the longest NICKLEN of public networks is 39
CHANNEL_LIMIT = 200  # bytes; RFC 2812 has 50, a JOIN line with a key still fits 512
TEXT_LIMIT = 400  # bytes; a line is 512 with its command, target and source
CHANNEL_PREFIXES = "#&+!"

_NAME = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_BREAKS = re.compile("[\r\n\0]")
_UNDECODED = re.compile("[\ud800-\udfff]")


def quoted(text: str) -> str:
    """The text as a sentence shows it: short, one line, in quotes."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return f'"{shown[:60]}…"' if len(shown) > 60 else f'"{shown}"'


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, "" if none is near."""
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else ""


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` or "", to end a sentence with."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""


def one_line(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, if it fits into one line. Raises Refused."""
    if _BREAKS.search(text):
        raise Refused("it has a line end or a NUL in it; write it as one line")
    if _UNDECODED.search(text):
        raise Refused("it is not UTF-8; write it in UTF-8")
    if len(text.encode()) > limit:
        raise Refused(f"it is longer than {limit} bytes; shorten it")
    return text


def account_name(text: str) -> str:
    """The name of a user or a network, if it is allowed. Raises Refused."""
    if not text:
        raise Refused("a name is missing")
    if not _NAME.fullmatch(text):
        raise Refused(f"{quoted(text)} can't be a name: letters, digits, dot, dash and underscore only")
    if len(text) > NAME_LIMIT:
        raise Refused(f"the name is longer than {NAME_LIMIT} characters; shorten it")
    return text


def nick(text: str) -> str:
    """A nick that a server might accept. Raises Refused."""
    one_line(text)
    bad = next((c for c in text if c in " ,!@*?" or not c.isprintable()), "")
    if bad or text[:1] in tuple(":$#&+~%"):
        raise Refused(f"{quoted(text)} can't be a nick: {quoted(bad or text[0])} is not allowed there")
    if len(text) > NICK_LIMIT:
        raise Refused(f"the nick is longer than {NICK_LIMIT} characters; shorten it")
    return text


def ident(text: str) -> str:
    """A user name to show to networks. Raises Refused."""
    one_line(text, NAME_LIMIT)
    if any(c in " @!:" for c in text):
        raise Refused(f"{quoted(text)} can't be an ident: no space, @, ! or : in it")
    return text


def channel_name(text: str) -> str:
    """A channel's name. Raises Refused."""
    one_line(text, CHANNEL_LIMIT)
    if text[:1] not in tuple(CHANNEL_PREFIXES) or len(text) < 2:
        raise Refused(
            f"{quoted(text)} is not a channel: its name starts with # (as in #{text.lstrip('#') or 'python'})"
        )
    if any(c in " ,\a" for c in text):
        raise Refused(f"{quoted(text)} can't be a channel: no space or comma in it")
    return text


def channel_key(text: str) -> str:
    """The form under which names of one channel are equal, as most networks compare them."""
    return DEFAULT_FOLD(text)


def same_channel(one: str, other: str) -> bool:
    """Whether two names are of one channel."""
    return channel_key(one) == channel_key(other)
