"""What a client missed, in the form that it can take.

Owns batches and times in the text. Must not know where the lines come from, nor when they are asked for.

A client with batches and time tags gets each conversation in a ``chathistory`` batch; one with time tags only gets
plain lines with their times; the rest get the time in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from bouncer.downstream.deliver import CRLF, Renderer
from bouncer.downstream.place import Attached
from bouncer.irc.fit import fit_text
from bouncer.irc.framing import BODY_LIMIT
from bouncer.irc.message import Message
from bouncer.model.entry import Entry, Kind
from bouncer.model.log import message_ids
from bouncer.model.ports import Kept

PAGE_LINES = 1000  # one write of some 150 kB; a slow socket then waits for the rest in the store, not in memory
SHORTEST_PIECE = 64  # bytes of text in a line whose source and target leave no room: a long line is better than none
ACTION = "\x01ACTION "


class Replay:
    """Renders missed lines for clients of one user."""

    def __init__(self, renderer: Renderer, zone: tzinfo = UTC, page_lines: int = PAGE_LINES) -> None:
        self.page_lines = page_lines
        self._renderer = renderer
        self._zone = zone
        self._batches = 0

    def kept(self, session: Attached, rows: Sequence[Kept]) -> bytes:
        """The bytes for lines out of the store."""
        network = session.place.log.network
        lines = []
        for row in rows:
            entry = Entry(row.seq, row.time, Message.parse(row.raw), Kind(row.kind), row.target, row.device)
            lines.append((entry, message_ids(row.boot, network)))
        return self._render(session, lines)

    def entries(self, session: Attached, entries: Iterable[Entry]) -> bytes:
        """The bytes for lines out of the log."""
        ids = session.place.log.ids
        return self._render(session, [(entry, ids) for entry in entries])

    def _render(self, session: Attached, lines: Sequence[tuple[Entry, str]]) -> bytes:
        renderer, profile = self._renderer, session.profile
        echo = profile & renderer.echo
        place = session.place
        timed = renderer.has_time(profile)
        conversations: dict[str, list[bytes]] = {}
        day = datetime.fromtimestamp(0, self._zone).date()
        plain: list[bytes] = []
        for entry, ids in lines:
            if (entry.device == session.device and not echo) or place.is_detached(entry.target):
                continue
            if not timed:
                moment = datetime.fromtimestamp(entry.time / 1000, self._zone)
                form = "%H:%M:%S" if moment.date() == day else "%Y-%m-%d %H:%M:%S"
                day = moment.date()
                plain += [renderer.line(each, profile, ids) for each in _with_time(entry, moment.strftime(form))]
                continue
            data = renderer.line(entry, profile, ids)
            if profile & renderer.batch:
                conversations.setdefault(entry.target, []).append(data)
            else:
                plain.append(data)
        return b"".join(plain) + b"".join(
            self._batch(session, target, pieces) for target, pieces in conversations.items()
        )

    def _batch(self, session: Attached, target: str, lines: list[bytes]) -> bytes:
        self._batches += 1
        name = f"r{self._batches:x}"
        server = session.place.server
        start = Message.lenient("BATCH", "+" + name, "chathistory", target, source=server)
        end = Message.lenient("BATCH", "-" + name, source=server)
        mark = f"@batch={name};".encode()  # such a line always has a time tag to go before
        return b"".join((start.raw, CRLF, *(mark + line[1:] for line in lines), end.raw, CRLF))


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
