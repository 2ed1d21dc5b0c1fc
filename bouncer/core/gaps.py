"""What was said on a network while we were not connected to it: asked of networks that keep history.

Owns since when lines may be missing, in which conversations, and what is asked next: one page at a time, at the
network's pace. Must not know what becomes of the answers, nor how a line is sent.

IRCv3 draft/chathistory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from math import inf

from bouncer.core.alarm import Alarm
from bouncer.downstream.deliver import stamp
from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.model.ports import Timers
from bouncer.model.state import NetworkState
from bouncer.upstream.batches import CHATHISTORY, TARGETS, Piece
from bouncer.upstream.clock import past_at
from bouncer.upstream.labels import LABEL_CAPS, labelled

NEEDED_CAPS = frozenset({"batch", "server-time", "draft/chathistory"})
EVENTS = "draft/event-playback"
# Asked for beyond what is missing: servers of one network differ by seconds, and lines may have been on their way.
OVERLAP_MS = 60_000
PAGE_LINES = 1000  # in one answer at most; fewer where the network says so, or USUAL_PAGE where it does not say
USUAL_PAGE = 100
LINES_LIMIT = 10_000  # of one conversation and one connection: a day of a very busy channel
PEOPLE_LIMIT = 100  # private conversations of one connection
PATIENCE = 30.0  # seconds for an answer, from when the question went out ...
JOINING = 600.0  # seconds in which channels are joined again; of those that are not, a later process does not know
WORD_LIMIT = (
    150  # characters of a msgid or a nick that a question is asked with: some networks have 100; a line has 510
)
SILENCES = 3  # ... and so many questions without one, then this connection is asked no more
EVERYBODY = ""  # the target of the question who has said something
LABEL = "gap"  # begins the labels of our questions; clients' are numbers (upstream/labels.py)
NAME = "\tgap"  # under which it is kept since when lines are missing, among the positions: no device is called so


@dataclass(slots=True)
class _Want:
    """A conversation to ask for, behind ``after``."""

    target: str
    after: str
    lines: int = 0  # that were answered so far
    page: int = 0  # of which so many to the question that is out
    label: str = ""  # of that question, where the network takes labels


class Gaps:
    """The gaps of one network. ``say`` passes a line of ours on; ``keep`` remembers beyond the end of the process since
    when (milliseconds) lines may be missing, None for nowhere.

    ``stirred``: something has happened by which :meth:`ask` may have something to do.
    """

    __slots__ = (
        "_able",
        "_alarm",
        "_everybody",
        "_forget_at",
        "_keep",
        "_labels",
        "_msgids",
        "_out",
        "_page",
        "_queue",
        "_say",
        "_silences",
        "_since",
        "_timers",
        "_unanswered",
        "_whole",
        "stirred",
    )

    def __init__(self, timers: Timers, *, say: Callable[[Message], bool], keep: Callable[[int | None], None]) -> None:
        self._timers = timers
        self._say = say
        self._keep = keep
        self._alarm = Alarm(timers, self._late)
        self._since: dict[str, int] = {}  # by folded name of a channel
        self._everybody: int | None = None  # likewise of private conversations
        self._forget_at = inf  # when what is kept is forgotten, though some channel has not been joined
        self._close()

    def _close(self) -> None:
        self._able = False  # this connection can be asked
        self._whole = False  # its answers have all that it has: one that is not full is the last
        self._msgids = False
        self._labels: Iterator[int] | None = None
        self._page = USUAL_PAGE
        self._queue: list[_Want] = []
        self._out: _Want | None = None
        self._silences = 0  # questions without an answer, in a row
        self._unanswered = False  # some question had none
        self.stirred = False
        self._alarm.set(inf)

    # --- the connection's life

    def ended(self, channels: Iterable[str], heard: int) -> None:
        """We are not connected; of these channels, and of private conversations, all is there that was said up to
        ``heard`` (milliseconds), but for older gaps."""
        self._close()
        for channel in channels:
            self._since.setdefault(DEFAULT_FOLD(channel), heard)
        if self._everybody is None:
            self._everybody = heard

    def begin(self, state: NetworkState, message: Message) -> None:
        """The network has said what it can; ``message`` is its last line, by which its clock is known."""
        if self._able or (self._everybody is None and not self._since):
            return
        if not state.caps >= NEEDED_CAPS:
            self._since.clear()
            self._everybody = None
            return
        tokens = state.isupport.tokens
        self._able = True
        self._labels = count(1) if state.caps >= LABEL_CAPS else None
        self._whole = EVENTS in state.caps
        self._msgids = "msgid" in tokens.get("MSGREFTYPES", "").split(",") and "message-tags" in state.caps
        limit = tokens.get("CHATHISTORY", "")
        self._page = min(int(limit), PAGE_LINES) if limit.isdecimal() and len(limit) < 9 and int(limit) else USUAL_PAGE
        now = self._timers.now()
        late = min(0, past_at(message, round(now * 1000), now) - round(now * 1000))  # if its clock is behind ours
        gaps = list(self._since.values())
        if self._everybody is not None:
            gaps.append(self._everybody)
            self._everybody += late
            until = stamp(round(now * 1000) + OVERLAP_MS)
            self._queue.append(_Want(EVERYBODY, f"{_moment(self._everybody)} timestamp={until}"))
        self._since = {name: since + late for name, since in self._since.items()}
        self._keep(min(gaps))
        self._forget_at = now + JOINING
        for channel in state.channels.values():
            if channel.synced:
                self.entered(channel.name)
        self.stirred = True

    def entered(self, channel: str) -> None:
        """We are in this channel, and know who else is."""
        since = self._since.get(DEFAULT_FOLD(channel)) if self._able else None
        if since is not None and not any(want.target == channel for want in self._wants()):
            self._queue.append(_Want(channel, _moment(since)))
            self.stirred = True

    def _wants(self) -> list[_Want]:
        return [*self._queue, *([self._out] if self._out else [])]

    # --- asking

    def ask(self) -> None:
        """Ask the next question, if none is out."""
        self.stirred = False
        if self._out is not None or not self._able:
            return
        if not self._queue:
            self._rest()
            return
        want = self._out = self._queue.pop(0)
        verb, target = ("TARGETS", []) if want.target == EVERYBODY else ("AFTER", [want.target])
        want.page = 0
        message = Message.lenient("CHATHISTORY", verb, *target, *want.after.split(" "), str(self._page))
        if self._labels is not None:
            want.label = f"{LABEL}{next(self._labels)}"
            message = labelled(message, want.label)
        if not self._say(message):  # too much waits already
            self._out = None
            self._queue.insert(0, want)
            self._alarm.set(self._timers.now() + PATIENCE)

    def _rest(self) -> None:
        """There is nothing to ask for at the moment."""
        if self._unanswered or self._forget_at == inf:
            return  # what is missing still is asked for after the next outage
        self._everybody = None
        if self._since and self._timers.now() < self._forget_at:
            self._alarm.set(self._forget_at)
        else:
            self._forget_at = inf
            self._keep(None)

    def went_out(self, now: float) -> None:
        """The question has gone out."""
        self._alarm.set(now + PATIENCE)

    def _late(self) -> None:
        if self._out is not None:
            self._out = None
            self._silences += 1
            self._unanswered = True
            if self._silences >= SILENCES:
                self._queue.clear()
        self.ask()

    # --- answers

    def came(self, piece: Piece) -> None:
        """History has come; if it is an answer, there is nothing to wait for any more."""
        if self._answers(piece) and piece.last:
            self._silences = 0
            self._alarm.set(inf)

    def kept(self, piece: Piece) -> None:
        """All of it is in the log."""
        want = self._out
        if want is None or not self._answers(piece):
            return
        want.page += len(piece.lines)
        want.lines += len(piece.lines)
        if not piece.last:
            return
        self._out = None
        if want.target == EVERYBODY:
            self._list(piece.lines)
        elif not self._is_last(want, piece):
            self._queue.insert(0, want)
        else:
            self._since.pop(DEFAULT_FOLD(want.target), None)
        self.ask()

    def refused(self) -> None:
        """The network will not answer."""
        if self._out is not None:
            self._since.pop(DEFAULT_FOLD(self._out.target), None)
            self._out = None
            self._silences = 0
            self._alarm.set(inf)
            self.stirred = True

    def _answers(self, piece: Piece) -> bool:
        want = self._out
        if want is None:
            return False
        if want.label:
            return piece.label == want.label
        if want.target == EVERYBODY:
            return piece.type == TARGETS
        return piece.type == CHATHISTORY and DEFAULT_FOLD(piece.target) == DEFAULT_FOLD(want.target)

    def _is_last(self, want: _Want, piece: Piece) -> bool:
        """Whether there is no more to ask for; else what is wanted is what stands behind this answer."""
        if not piece.lines or piece.complete or (self._whole and want.page < self._page):
            return True
        last, now = piece.lines[-1], self._timers.now()
        time = past_at(last, 0, now)
        msgid = last.tags.get("msgid", "")
        named = self._msgids and msgid and " " not in msgid and len(msgid) <= WORD_LIMIT
        after = f"msgid={msgid}" if named else _moment(time + OVERLAP_MS - 1)
        if after == want.after or not time or want.lines >= LINES_LIMIT:
            return True
        want.after = after
        if DEFAULT_FOLD(want.target) in self._since:
            self._since[DEFAULT_FOLD(want.target)] = time
        return False

    def _list(self, lines: Iterable[Message]) -> None:
        """Who has said something: those with whom it was a private conversation are asked for."""
        since = self._everybody
        people = [line.param(1) for line in lines if line.command == "CHATHISTORY" and line.param(0) == "TARGETS"]
        for name in dict.fromkeys(people[:PEOPLE_LIMIT]):
            if since is not None and name and " " not in name and name[0] not in "#&" and len(name) <= WORD_LIMIT:
                self._queue.append(_Want(name, _moment(since)))


def _moment(since: int) -> str:
    """The place behind which to ask, if all is there up to that time."""
    return f"timestamp={stamp(max(0, since - OVERLAP_MS))}"
