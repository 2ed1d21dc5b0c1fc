"""A line of the past: all that is kept of one, but its number, which only the log it goes into gives.

Owns its shape, and what of a file may come into history. Must not know in which form files have it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from bouncer.irc.framing import BODY_LIMIT, UPSTREAM_TAG_LIMIT
from bouncer.irc.message import Message
from bouncer.model.entry import LINKED_KINDS, SAID_KINDS, Kind
from bouncer.model.errors import Refused

NAME_LIMIT: Final = 512  # bytes of a target's or device's name: as long as a line of text
ALSO_LIMIT: Final = 1000  # channels that one person can be seen in
LINE_LIMIT: Final = UPSTREAM_TAG_LIMIT + BODY_LIMIT  # bytes of a line: as long as a network may send one
# The last millisecond of December 30, 9999: a date of it has a year of four digits in every time zone.
LATEST: Final = 253_402_214_399_999

_NO_NAME = re.compile("[\0\r\n ]")
_BREAKS = re.compile(rb"[\0\r\n]")
_KINDS = {kind.name: kind for kind in Kind if kind}


class PastLine(NamedTuple):
    """As `Entry`, without what only lasts as long as the process. ``raw`` is the line without line end."""

    time: int  # milliseconds since 1970 UTC
    kind: Kind
    target: str
    device: str
    also: tuple[str, ...]
    raw: bytes


def past_line(
    time: int, raw: bytes, target: str, device: str = "", also: tuple[str, ...] = (), kind: str = ""
) -> PastLine:
    """The line, if history may have it. ``kind`` is what its file says it is, "" if it does not.

    Raises Refused with what is wrong with it.
    """
    if not 0 <= time <= LATEST:
        raise Refused("its time is not between 1970 and the end of 9999")
    if len(raw) > LINE_LIMIT:
        raise Refused(f"it is longer than {LINE_LIMIT} bytes, which no line of IRC is")
    if _BREAKS.search(raw):
        raise Refused("it has a line end or a NUL in it")
    command = Message.parse(raw).command
    found = _KINDS.get(command)
    if kind == Kind.REDACTED.name and found in SAID_KINDS:
        found = Kind.REDACTED
    if found is None or (kind and kind != found.name):
        raise Refused(f"it says that it is {kind or 'a line'} and is none that history keeps as such")
    if also and found not in LINKED_KINDS:
        raise Refused(f"it is a {found.name} that belongs to several conversations")
    if len(also) > ALSO_LIMIT:
        raise Refused(f"it belongs to more than {ALSO_LIMIT} conversations")
    for name in (target, device, *also):
        if _NO_NAME.search(name) or len(name.encode("utf-8", "surrogateescape")) > NAME_LIMIT:
            raise Refused(f"a name in it is longer than {NAME_LIMIT} bytes, or has a space or a line end")
    return PastLine(time, found, target, device, also, raw)
