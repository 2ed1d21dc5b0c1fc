"""``*playback``: history for clients that know ZNC's module of that name (znc.in/playback).

Owns its words: PLAY, LIST and CLEAR, however they reach us. Must not know where lines are kept: it asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from bouncer.downstream.place import Attached, Frame
from bouncer.irc.message import Message
from bouncer.irc.source import match_mask
from bouncer.model.history import Mark
from bouncer.model.ports import Talk
from bouncer.model.questions import Excerpt, Lines, NoSuchLine, Talks, Way

NICK = "*playback"
PLAYBACK = "znc.in/playback"
# Who asks from the beginning of time gets the newest lines of each conversation, twice what a buffer of ZNC's has;
# who says where it stopped gets all since then.
UNDATED_LINES = 1000
PAGE_LINES = 1000  # lines in one answer of the store, and in one batch; the next is asked for when these were taken
EVER = 1 << 53  # milliseconds; later than any line
PATTERNS_LIMIT = 100  # names or patterns in one command; more than a line of 512 bytes holds
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_USAGE = "PLAY <names> [from] [to] plays history, LIST [names] shows what there is. Times are seconds since 1970."


def asked(session: Attached, text: str) -> None:
    """Do what somebody has said to ``*playback``."""
    words = text.split()
    _VERBS.get(words[0].upper() if words else "", _unknown)(session, words[1:])


def _say(session: Attached, *lines: str) -> None:
    source = f"{NICK}!playback@bouncer"
    session.reply(*(Message.lenient("PRIVMSG", session.nick, line, source=source) for line in lines))


def _unknown(session: Attached, words: Sequence[str]) -> None:
    _say(session, _USAGE)


def _clear(session: Attached, words: Sequence[str]) -> None:
    _say(
        session, "Nothing was cleared: history is kept for all your devices. PLAY with a time plays what came after it."
    )


def _milliseconds(text: str) -> int | None:
    return int(Decimal(text) * 1000) if _SECONDS.fullmatch(text) else None


def _play(session: Attached, words: Sequence[str]) -> None:
    times = [_milliseconds(word) for word in words[1:3]]
    since, until = [*times, 0, EVER][0] if times else 0, times[1] if len(times) > 1 else EVER
    if not words or since is None or until is None:
        _say(session, _USAGE)
        return
    _Playing(session, since, until).begin(words[0])


def _list(session: Attached, words: Sequence[str]) -> None:
    def render(talks: Sequence[Talk] | None) -> None:
        if talks is None:
            _say(session, _Playing.UNREADABLE)
        else:
            _Listing(session, shown(session, talks, words[0] if words else "*")).go_on()

    if session.place.log.network:
        session.ask(Talks(session.place.log.network, -1, EVER), render)


def shown(session: Attached, talks: Sequence[Talk], names: str) -> list[Talk]:
    """Those of these conversations that are meant by names and patterns, and that the client has on its screen."""
    place = session.place
    isupport = place.state.isupport
    patterns = names.split(",")[:PATTERNS_LIMIT]
    return [
        talk
        for talk in talks
        if any(match_mask(pattern, talk.target, isupport.fold) for pattern in patterns)
        and (
            not isupport.is_channel(talk.target)
            or (talk.target in place.channels and not place.is_detached(talk.target))
        )
    ]


class _Playing:
    """One PLAY: conversation after conversation, page after page, as the client takes them."""

    UNREADABLE = "The history can't be read at the moment; try again later."

    def __init__(self, session: Attached, since: int, until: int) -> None:
        self._session = session
        self._since = since
        self._until = until
        self._upto = session.place.log.seq
        self._names: list[str] = []

    def begin(self, names: str) -> None:
        network = self._session.place.log.network

        def render(talks: Sequence[Talk] | None) -> None:
            if talks is None:
                _say(self._session, self.UNREADABLE)
                return
            self._names = [talk.target for talk in reversed(shown(self._session, talks, names))]
            self._next()

        if network:
            self._session.ask(Talks(network, self._since, EVER), render)

    def _next(self) -> None:
        if self._names:
            self._page(self._names.pop(), None)

    def _page(self, name: str, after: Mark | None) -> None:
        place = self._session.place
        dated = bool(self._since)
        question = Lines(
            place.log.network,
            name,
            self._upto,
            PAGE_LINES if dated else UNDATED_LINES,
            Way.NEWER if dated else Way.OLDER,
            (after or self._since) if dated else self._until + 1,
            self._until + 1 if dated else None,
            kinds=self._session.kinds,
        )

        def render(answer: Excerpt | NoSuchLine | None) -> None:
            if not isinstance(answer, Excerpt):
                _say(self._session, self.UNREADABLE)
                return
            self._write(name, answer)
            if dated and not answer.complete:
                last = answer.rows[-1]
                self._page(name, Mark(last.time, last.seq))
            else:
                self._next()

        self._session.ask(question, render)

    def _write(self, name: str, answer: Excerpt) -> None:
        """A page; without what the client said itself, unless it takes echoes."""
        session, enabled = self._session, self._session.offer.enabled
        echo = "echo-message" in enabled
        rows = [row for row in answer.rows if echo or row.device != session.device]
        if rows:
            session.history(rows, Frame(PLAYBACK if PLAYBACK in enabled else "chathistory", name))


class _Listing:
    """One LIST: of each conversation the times of its first and last line."""

    def __init__(self, session: Attached, talks: list[Talk]) -> None:
        self._session = session
        self._talks = talks[::-1]

    def go_on(self) -> None:
        if not self._talks:
            return
        talk, session = self._talks.pop(), self._session
        place = session.place

        def render(answer: Excerpt | NoSuchLine | None) -> None:
            if not isinstance(answer, Excerpt):
                _say(session, _Playing.UNREADABLE)
                return
            first = answer.rows[0].time if answer.rows else talk.time
            _say(session, f"{talk.target} {first / 1000:.3f} {talk.time / 1000:.3f}")
            self.go_on()

        session.ask(Lines(place.log.network, talk.target, place.log.seq, 1, Way.NEWER), render)


_VERBS: Mapping[str, Callable[[Attached, Sequence[str]], None]] = MappingProxyType(
    {"PLAY": _play, "LIST": _list, "CLEAR": _clear}
)
