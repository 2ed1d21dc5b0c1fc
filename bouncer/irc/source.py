"""Who a line is from, masks that match such sources, and what a host name may look like.

Owns the form nick!user@host. Must not know who is whom, nor what a mask is used for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from bouncer.irc.casemap import DEFAULT_FOLD, Fold

_COMPILED_MASKS = 512  # ban and ignore lists are tried again and again for the same few masks

_WILDCARD = re.compile(r"(\\[*?]|[*?])")
_HOST_LIMIT = 253  # RFC 1035 section 2.3.4: 255 bytes on DNS's wire are 253 of text
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123 section 2.1, RFC 1035 section 2.3.4
_HOSTNAME = re.compile(rf"(?:{_LABEL}\.)+(?:{_LABEL})?")


class Source(NamedTuple):
    """A line's source in parts; those that are absent are empty. A server's name stands in ``nick``."""

    nick: str
    user: str
    host: str


def parse_source(text: str) -> Source:
    """Split ``nick!user@host``, ``nick@host``, ``nick!user`` or ``nick``. Never raises."""
    left, _, host = text.partition("@")
    nick, _, user = left.partition("!")
    return Source(nick, user, host)


def format_source(nick: str, user: str, host: str) -> str:
    """Join the parts again, leaving out those that are empty."""
    return nick + ("!" + user if user else "") + ("@" + host if host else "")


@lru_cache(_COMPILED_MASKS)
def _compile_mask(mask: str, fold: Fold) -> re.Pattern[str]:
    """A pattern that takes time of order mask times text for any mask.

    The text between two stars is found at its first place and never sought again (atomic groups): if the rest does
    not match after the first place, it does not after a later one.
    """
    runs = [""]
    for piece in _WILDCARD.split(mask):
        if piece == "*":
            runs.append("")
        elif piece == "?":
            runs[-1] += "."
        else:
            literal = piece[1:] if _WILDCARD.fullmatch(piece) else piece
            runs[-1] += re.escape(fold(literal))
    first, *middle = runs
    if not middle:
        return re.compile(first, re.DOTALL)
    last = middle.pop()
    return re.compile(first + "".join(f"(?>.*?{run})" for run in middle if run) + ".*" + last, re.DOTALL)


def match_mask(mask: str, text: str, fold: Fold = DEFAULT_FOLD) -> bool:
    r"""Whether the whole ``text`` matches ``mask``: ``*`` any characters, ``?`` one (RFC 2812 section 2.5).

    A backslash takes a following ``*`` or ``?`` literally, and is an ordinary character before any other.
    """
    return _compile_mask(mask, fold).fullmatch(fold(text)) is not None


def valid_hostname(text: str) -> bool:
    """Whether ``text`` may be a server's or a client's host name: labels of RFC 1123, with at least one dot."""
    return len(text) <= _HOST_LIMIT and _HOSTNAME.fullmatch(text) is not None
