"""Lines of the past as a client of now takes them: under the names of now, and with their time in the text.

Owns what is changed in a line of the past. Must not know where it comes from, nor in which form it goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType

from bouncer.downstream.place import Place
from bouncer.irc.casemap import Fold
from bouncer.irc.fit import fit_text
from bouncer.irc.framing import BODY_LIMIT
from bouncer.irc.isupport import ISupport
from bouncer.irc.message import Message
from bouncer.irc.source import Source, format_source, parse_source
from bouncer.model.entry import Entry, Kind
from bouncer.model.log import message_ids
from bouncer.model.ports import Kept

LINE_END = 2  # bytes
SHORTEST_PIECE = 64  # bytes of text in a line whose source and target leave no room: a long line is better than none
ACTION = "\x01ACTION "
# Which parameter names the channel.
NAMED_AT: Mapping[str, int] = MappingProxyType(
    {"INVITE": 1} | dict.fromkeys(("PRIVMSG", "NOTICE", "TAGMSG", "JOIN", "PART", "KICK", "MODE", "TOPIC", "REDACT"), 0)
)
BETWEEN_TWO = frozenset({"PRIVMSG", "NOTICE", "TAGMSG", "INVITE", "REDACT"})  # what one person says to another


Line = tuple[Entry, str]
"""A line, and how msgids of ours begin that were given when it came."""


class Moments:
    """Times as they stand in the text: of lines in order, the first one of each day with its date."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._day = datetime.fromtimestamp(0, zone).date()
        self._second = -1
        self._text = ""
        self.dated = False  # the last one had its date

    def of(self, time: int) -> str:
        """The next line's, by its time in milliseconds."""
        second = time // 1000
        if second != self._second:
            moment = datetime.fromtimestamp(second, self._zone)
            same_day = moment.date() == self._day
            self._day = moment.date()
            self._second = second if same_day else -1
            self.dated = not same_day
            self._text = moment.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")
        return self._text


def kept_line(place: Place, row: Kept, channel: str = "") -> Line:
    """A line out of the store; one of ``channel``, if that is named, whatever else it belongs to."""
    isupport = place.state.isupport
    message = Message.parse(row.raw)
    if isupport.is_channel(row.target):
        message = in_channel(message, row.target, isupport)
    elif row.target:
        message = between(message, row.target, "", place.state.nick, isupport.fold)
    also = row.also or ((channel,) if channel else ())
    entry = Entry(row.seq, row.time, message, Kind(row.kind), row.target, row.device, also=also)
    return entry, message_ids(row.boot, place.log.network)


def in_channel(message: Message, channel: str, isupport: ISupport) -> Message:
    """A line as if the channel had always had its name of now, so that it is shown in one window."""
    if b" %s " % channel.encode("utf-8", "surrogateescape") in message.raw:
        return message
    place = NAMED_AT.get(message.command)
    if place is None or len(message.params) <= place:
        return message
    name = message.params[place]
    bare = isupport.strip_status(name)
    if isupport.fold(bare) == isupport.fold(channel):
        return message
    params = list(message.params)
    params[place] = name[: len(name) - len(bare)] + channel
    said = Message.lenient(message.command, *params, source=message.source)
    return said.replace(tags=message.tags) if message.tagtext else said


def between(message: Message, kept: str, other: str, mine: str, fold: Fold) -> Message:
    """A private line as if both had always had the nicks of now, so that it is shown in one window.

    ``kept`` is the other's nick of then, ``other`` that of now; "" leaves it as it was.
    """
    if message.command not in BETWEEN_TWO or not message.params:
        return message
    source = parse_source(message.source)
    by_me = fold(message.params[0]) == fold(kept)
    speaker, target = (mine, other or message.params[0]) if by_me else (other or source.nick, mine)
    if (source.nick, message.params[0]) == (speaker, target):
        return message
    source = Source(speaker, source.user, source.host)
    said = Message.lenient(message.command, target, *message.params[1:], source=format_source(*source))
    return said.replace(tags=message.tags) if message.tagtext else said


def with_time(entry: Entry, moment: str) -> list[Entry]:
    """The entry with its time in its text; two of them where one line would not hold both."""
    message = entry.message
    if len(message.params) < 2:
        return [entry]
    before, text, after = "", message.params[-1], ""
    if text.startswith(ACTION):
        before, text, after = ACTION, text[len(ACTION) :].rstrip("\x01"), "\x01"
    text = f"[{moment}] {text}"
    rest = message.replace(params=[*message.params[:-1], before + ":" + after]).body
    pieces = fit_text(text, max(BODY_LIMIT - LINE_END - len(rest) - 1, SHORTEST_PIECE))
    return [
        Entry(
            entry.seq,
            entry.time,
            message.replace(params=[*message.params[:-1], before + piece + after]),
            entry.kind,
            entry.target,
            entry.device,
        )
        for piece in pieces
    ]
