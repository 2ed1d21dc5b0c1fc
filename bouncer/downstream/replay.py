"""What a client missed, in the form that it can take.

Owns batches and times in the text. Must not know where the lines come from, nor when they are asked for.

A client with batches and time tags gets each conversation in a ``chathistory`` batch, with joins and the like if it
knows them for what they are (draft/event-playback); one with time tags only gets plain lines with their times; the rest
get the time in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo

from bouncer.downstream.asnow import Line, Moments, between, in_channel, kept_line, with_time
from bouncer.downstream.deliver import CRLF, Renderer
from bouncer.downstream.missed import JITTER_MS, Missed
from bouncer.downstream.place import Attached, Frame
from bouncer.irc.message import Message
from bouncer.model.entry import TEXT_KINDS, Entry, Kind
from bouncer.model.log import message_ids
from bouncer.model.ports import Kept, Run

PAGE_LINES = 1000  # one write of some 150 kB; a slow socket then waits for the rest in the store, not in memory
# A quick client is given larger pages: each costs a question and, for each conversation, a batch. One is rendered in
# 2 ms, if not many of its lines have to be read; then pages stay small, for these take ten times that.
LARGEST_PAGE = 2000
QUICK = 0.25  # seconds in which a page is taken; it is in our memory for no longer
READ_SHARE = 10  # one line in so many
COMPLETE = "draft/chathistory-end"  # a tag of the batch's start: there is no more to page on to


class Replay:
    """Renders missed lines for clients of one user."""

    def __init__(self, renderer: Renderer, zone: tzinfo = UTC, page_lines: int = PAGE_LINES) -> None:
        self.page_lines = page_lines
        self._light = False
        self._renderer = renderer
        self._zone = zone
        self._batches = 0

    def kept(self, session: Attached, rows: Sequence[Kept], channel: str = "") -> list[Line]:
        """Lines out of the store, if all are of one ``channel``, for that."""
        return [kept_line(session.place, row, channel) for row in rows]

    def next_page(self, last: int, took: float) -> int:
        """How many lines to ask for after a page of ``last`` lines that the client took in so many seconds."""
        if not (self._light and 0 <= took < QUICK):
            return self.page_lines
        return max(self.page_lines, min(2 * last, LARGEST_PAGE))

    def page(self, session: Attached, run: Run) -> list[bytes]:
        """The bytes for a page of what the client missed, in pieces, if all lines of it stay in the order in which
        they came."""
        renderer, profile = self._renderer, session.profile
        batches = bool(profile & renderer.batch) and renderer.has_time(profile)
        missed = Missed(renderer, profile, session.place, self._zone, self._name if batches else None)
        missed.write(run, "" if profile & renderer.echo else session.device)
        self._light = missed.read * READ_SHARE <= len(run)
        if not batches:
            return missed.lines()
        pieces: list[bytes] = []
        for talk in missed.begun:
            pieces += self._fenced(session, talk.name, talk.pieces, Frame("chathistory", talk.target))
        return pieces

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
                message = between(message, row.target, frame.target, place.state.nick, isupport.fold)
            elif frame.target:
                message = in_channel(message, frame.target, isupport)
            entry = Entry(row.seq, row.time, message, Kind(row.kind), row.target, row.device)
            entries.append((entry, message_ids(row.boot, network)))
        return self.framed(session, [data for _, data in self._pieces(session.profile, entries)], frame)

    def framed(self, session: Attached, lines: Iterable[bytes], frame: Frame) -> bytes:
        """Whole lines in a batch, if the client takes batches."""
        renderer, profile = self._renderer, session.profile
        if not profile & renderer.batch:
            return b"".join(lines)
        name = self._name()
        mark = b"@batch=" + name
        inner = [mark + (b";" + line[1:] if line[:1] == b"@" else b" " + line) for line in lines if line]
        return b"".join(self._fenced(session, name, inner, frame))

    def _name(self) -> bytes:
        """That of a new batch."""
        self._batches += 1
        return b"r%x" % self._batches

    def _fenced(self, session: Attached, name: bytes, inner: Sequence[bytes], frame: Frame) -> list[bytes]:
        """Lines of a batch between its two ends."""
        server, reference = session.place.server, name.decode()
        params = [frame.type, frame.target] if frame.target else [frame.type]
        start = Message.lenient("BATCH", "+" + reference, *params, source=server)
        if frame.complete and session.profile & self._renderer.tags:
            start = start.replace(tags={COMPLETE: ""})
        end = Message.lenient("BATCH", "-" + reference, source=server)
        return [start.raw, CRLF, *inner, end.raw, CRLF]

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
        moments = Moments(self._zone)
        for entry, ids in lines:
            moment = moments.of(entry.time)
            for each in with_time(entry, moment) if entry.kind in TEXT_KINDS else [entry]:
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
