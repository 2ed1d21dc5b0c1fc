"""What a client missed, in the form that it can take.

Owns batches and times in the text. Must not know where the lines come from, nor when they are asked for.

A client with batches and time tags gets each conversation in a ``chathistory`` batch, with joins and the like if it
knows them for what they are (draft/event-playback); one with time tags only gets plain lines with their times; the rest
get the time in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType

from bouncer.downstream.deliver import CRLF, Renderer
from bouncer.downstream.place import Attached, Frame
from bouncer.irc.casemap import Fold
from bouncer.irc.fit import fit_text
from bouncer.irc.framing import BODY_LIMIT
from bouncer.irc.isupport import ISupport
from bouncer.irc.message import Message
from bouncer.irc.source import Source, format_source, parse_source
from bouncer.model.entry import TEXT_KINDS, Entry, Kind
from bouncer.model.log import message_ids
from bouncer.model.ports import Kept

PAGE_LINES = 1000  # one write of some 150 kB; a slow socket then waits for the rest in the store, not in memory
# Clocks of a network's servers and ours differ, and words pass each other on the way: lines stay in the order in which
# they came, in a replay as live, unless they are later than the others by more than this.
JITTER_MS = 1000
SHORTEST_PIECE = 64  # bytes of text in a line whose source and target leave no room: a long line is better than none
ACTION = "\x01ACTION "
COMPLETE = "draft/chathistory-end"  # a tag of the batch's start: there is no more to page on to
# Which parameter names the channel.
NAMED_AT: Mapping[str, int] = MappingProxyType(
    {"INVITE": 1} | dict.fromkeys(("PRIVMSG", "NOTICE", "TAGMSG", "JOIN", "PART", "KICK", "MODE", "TOPIC", "REDACT"), 0)
)
BETWEEN_TWO = frozenset({"PRIVMSG", "NOTICE", "TAGMSG", "INVITE", "REDACT"})  # what one person says to another


Line = tuple[Entry, str]
"""A line, and how msgids of ours begin that were given when it came."""


class Replay:
    """Renders missed lines for clients of one user."""

    def __init__(self, renderer: Renderer, zone: tzinfo = UTC, page_lines: int = PAGE_LINES) -> None:
        self.page_lines = page_lines
        self._renderer = renderer
        self._zone = zone
        self._batches = 0

    def kept(self, session: Attached, rows: Sequence[Kept], channel: str = "") -> list[Line]:
        """Lines out of the store, if all are of one ``channel``, for that."""
        network = session.place.log.network
        nick, isupport = session.place.state.nick, session.place.state.isupport
        elsewhere = (channel,) if channel else ()
        lines = []
        for row in rows:
            message = Message.parse(row.raw)
            if isupport.is_channel(row.target):
                message = _in(message, row.target, isupport)
            elif row.target:
                message = _between(message, row.target, "", nick, isupport.fold)
            entry = Entry(
                row.seq, row.time, message, Kind(row.kind), row.target, row.device, also=row.also or elsewhere
            )
            lines.append((entry, message_ids(row.boot, network)))
        return lines

    def entries(self, session: Attached, entries: Iterable[Entry]) -> list[Line]:
        """Lines out of the log."""
        ids = session.place.log.ids
        return [(entry, ids) for entry in entries]

    def excerpt(self, session: Attached, rows: Sequence[Kept], frame: Frame) -> bytes:
        """The bytes for lines of one conversation that the client has asked for, its own among them."""
        place = session.place
        network, isupport = place.log.network, place.state.isupport
        private = bool(frame.target) and not isupport.is_channel(frame.target)
        entries = []
        for row in rows:
            message = Message.parse(row.raw)
            if private:
                message = _between(message, row.target, frame.target, place.state.nick, isupport.fold)
            elif frame.target:
                message = _in(message, frame.target, isupport)
            entry = Entry(row.seq, row.time, message, Kind(row.kind), row.target, row.device)
            entries.append((entry, message_ids(row.boot, network)))
        return self.framed(session, [data for _, data in self._pieces(session.profile, entries)], frame)

    def framed(self, session: Attached, lines: Iterable[bytes], frame: Frame) -> bytes:
        """Whole lines in a batch, if the client takes batches."""
        renderer, profile = self._renderer, session.profile
        if not profile & renderer.batch:
            return b"".join(lines)
        self._batches += 1
        name = f"r{self._batches:x}"
        server = session.place.server
        params = [frame.type, frame.target] if frame.target else [frame.type]
        start = Message.lenient("BATCH", "+" + name, *params, source=server)
        if frame.complete and profile & renderer.tags:
            start = start.replace(tags={COMPLETE: ""})
        end = Message.lenient("BATCH", "-" + name, source=server)
        mark = f"@batch={name}".encode()
        inner = [mark + (b";" + line[1:] if line[:1] == b"@" else b" " + line) for line in lines if line]
        return b"".join((start.raw, CRLF, *inner, end.raw, CRLF))

    def written(self, session: Attached, lines: Sequence[Line]) -> bytes:
        """The bytes for what the client missed, in order of time."""
        renderer, profile = self._renderer, session.profile
        echo = profile & renderer.echo
        place = session.place
        shown = [
            (entry, ids)
            for entry, ids in lines
            if not ((entry.device == session.device and not echo) or place.is_detached(entry.target))
        ]
        pieces = self._pieces(profile, in_order(shown))
        if not profile & renderer.batch or not renderer.has_time(profile):
            return b"".join(data for _, data in pieces)
        conversations: dict[str, list[bytes]] = {}
        for entry, data in pieces:
            for target in (entry.target,) if entry.target else self._channels_of(session, entry):
                if data:
                    conversations.setdefault(target, []).append(data)
        return b"".join(
            self.framed(session, pieces, Frame("chathistory", target)) for target, pieces in conversations.items()
        )

    def _channels_of(self, session: Attached, entry: Entry) -> Iterator[str]:
        """Where a QUIT or NICK is shown: not in private, where nothing may have been said."""
        place = session.place
        is_channel = place.state.isupport.is_channel
        return (name for name in entry.also if is_channel(name) and not place.is_detached(name))

    def _pieces(self, profile: int, lines: Sequence[tuple[Entry, str]]) -> Iterator[tuple[Entry, bytes]]:
        """Each line and its bytes, with the time in the text for clients without time tags."""
        renderer = self._renderer
        if renderer.has_time(profile):
            for entry, ids in lines:
                yield entry, renderer.line(entry, profile, ids)
            return
        day = datetime.fromtimestamp(0, self._zone).date()
        for entry, ids in lines:
            moment = datetime.fromtimestamp(entry.time / 1000, self._zone)
            form = "%H:%M:%S" if moment.date() == day else "%Y-%m-%d %H:%M:%S"
            day = moment.date()
            for each in _with_time(entry, moment.strftime(form)) if entry.kind in TEXT_KINDS else [entry]:
                yield entry, renderer.line(each, profile, ids)


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Lines as they came, but those of the past, which have later numbers, where they belong in time."""
    latest = 0
    placed: list[tuple[int, int, Line]] = []
    for line in sorted(lines, key=lambda line: line[0].seq):
        time, seq = line[0].time, line[0].seq
        latest = max(latest, time)
        placed.append((time if time < latest - JITTER_MS else latest, seq, line))
    placed.sort(key=lambda each: each[:2])
    return [line for _, _, line in placed]


def _in(message: Message, channel: str, isupport: ISupport) -> Message:
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


def _between(message: Message, kept: str, other: str, mine: str, fold: Fold) -> Message:
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


def _with_time(entry: Entry, moment: str) -> list[Entry]:
    """The entry with its time in its text; two of them where one line would not hold both."""
    message = entry.message
    if len(message.params) < 2:
        return [entry]
    before, text, after = "", message.params[-1], ""
    if text.startswith(ACTION):
        before, text, after = ACTION, text[len(ACTION) :].rstrip("\x01"), "\x01"
    text = f"[{moment}] {text}"
    rest = message.replace(params=[*message.params[:-1], before + ":" + after]).body
    pieces = fit_text(text, max(BODY_LIMIT - len(CRLF) - len(rest) - 1, SHORTEST_PIECE))
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
