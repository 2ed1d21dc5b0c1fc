"""When a network says that a line was said. Owns how far its clock is trusted. Must not know what the line is.

IRCv3 server-time
"""

from __future__ import annotations

from datetime import datetime

from bouncer.irc.message import Message

TRUSTED_SKEW_MS = 24 * 3600 * 1000  # a network's clock that is further off than a day is wrong (design 3.3)


def said_at(message: Message, stamp: int, now: float) -> int:
    """The line's own time in milliseconds since 1970, or ``stamp`` if it has none that can be right at ``now``
    (seconds)."""
    text = message.tags.get("time")
    if not text:
        return stamp
    try:
        time = round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return stamp
    return time if abs(time - now * 1000) < TRUSTED_SKEW_MS else stamp
