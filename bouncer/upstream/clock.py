"""When a network says that a line was said. Owns how far its clock is trusted. Must not know what the line is.

IRCv3 server-time
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from bouncer.irc.message import Message

TRUSTED_SKEW_MS = 24 * 3600 * 1000  # a network's clock that is further off than a day is wrong (design 3.3)
SECONDS_KEPT = 256  # lines of now are of few different ones
_USUAL_LENGTH = len("2026-01-31T23:59:59.123Z")
EARLIEST_MS = 631_152_000_000  # 1990: nobody has history that is older, and a clock that was never set says 1970


def said_at(message: Message, stamp: int, now: float) -> int:
    """The line's own time in milliseconds since 1970, or ``stamp`` if it has none that can be right at ``now``
    (seconds)."""
    time = _tagged(message)
    return time if time is not None and abs(time - now * 1000) < TRUSTED_SKEW_MS else stamp


def past_at(message: Message, stamp: int, now: float) -> int:
    """Likewise of a line of the past, which may be as old as IRC with times is."""
    time = _tagged(message)
    return time if time is not None and EARLIEST_MS <= time < now * 1000 + TRUSTED_SKEW_MS else stamp


def _tagged(message: Message) -> int | None:
    text = message.tag("time")
    if not text:
        return None
    try:
        if len(text) == _USUAL_LENGTH and text[19] == "." and text[23] == "Z":
            milliseconds = text[20:23]
            if milliseconds.isascii() and milliseconds.isdecimal():
                return _second(text[:19]) + int(milliseconds)
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(SECONDS_KEPT)
def _second(text: str) -> int:
    """The milliseconds since 1970 of ``2026-01-31T23:59:59``, in UTC."""
    return round(datetime.fromisoformat(text + "Z").timestamp() * 1000)
