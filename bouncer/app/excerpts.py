"""Reads a conversation as clients ask for it: by message ids, around a place, under all nicks of the other.

Owns what a question of a session's means to the store. Must not know who asked, nor how the lines are shown.
"""

from __future__ import annotations

from dataclasses import replace

from bouncer.irc.casemap import DEFAULT_FOLD
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.history import LAST_SEQ, Mark, Range
from bouncer.model.ports import History, Kept
from bouncer.model.questions import Excerpt, Lines, NoSuchLine, Unread, Way

# Earlier nicks of one person that are looked for, each a question to the store; and how many changes of nick each of
# these answers may have. People who change more often are followed as far as that.
EARLIER_NICKS = 10
CHANGES_LIMIT = 50
FIRST, LAST = Mark(-(1 << 62), 0), Mark(1 << 62, LAST_SEQ)


async def read(history: History, question: Lines) -> Excerpt | NoSuchLine:
    """The answer to a session's question. Raises Unavailable if the store can't answer."""
    marks: list[Mark | None] = []
    for place in (question.start, question.end):
        if isinstance(place, str):
            mark = await history.find(question.network, place)
            if mark is None:
                return NoSuchLine(place)
            marks.append(mark)
        else:
            marks.append(Mark(place, LAST_SEQ) if isinstance(place, int) else place)
    start, end = marks
    reader = _Reader(history, question, await _stretches(history, question) if question.follow else [])
    if question.way is Way.AROUND:
        return await reader.around(start or LAST)
    forward = question.way is Way.NEWER or (question.way is Way.TOWARDS and (start or LAST) < (end or FIRST))
    if forward:
        before = _begin(end, question.end)
        rows = await reader.lines(start, before, question.limit + 1, newest=False)
        return Excerpt(rows[: question.limit], complete=len(rows) <= question.limit)
    rows = await reader.lines(end, _begin(start, question.start), question.limit + 1, newest=True)
    return Excerpt(rows[-question.limit :], complete=len(rows) <= question.limit)


async def unread(history: History, question: Unread) -> Excerpt:
    """What a device has not been shown of a conversation. Raises Unavailable if the store can't answer."""
    range_ = Range(
        question.network,
        (question.target,),
        question.upto,
        question.limit,
        after=question.start,
        kinds=question.kinds,
        above=question.after,  # lines with later numbers may have times as early as they like
        imported=False,
    )
    rows = await history.lines(range_)
    return Excerpt(rows, complete=len(rows) < question.limit)


def _begin(mark: Mark | None, place: int | str | Mark | None) -> Mark | None:
    """A place as the bound of what is before it: of a time, that is before all lines of its millisecond."""
    return Mark(place, 0) if isinstance(place, int) else mark


class _Reader:
    """Reads lines of one conversation. ``stretches``: (nick, after, before), when the other had another one."""

    def __init__(self, history: History, question: Lines, stretches: list[tuple[str, Mark, Mark]]) -> None:
        self._history = history
        self._question = question
        self._stretches = stretches
        self._bounds = sorted({FIRST, LAST, *(mark for _, *marks in stretches for mark in marks)})

    async def lines(self, after: Mark | None, before: Mark | None, limit: int, *, newest: bool) -> list[Kept]:
        question = self._question
        range_ = Range(
            question.network, (question.target,), question.upto, limit, after, before, newest, question.kinds
        )
        if not self._stretches:
            return await self._history.lines(range_)
        pieces = list(zip(self._bounds, self._bounds[1:], strict=False))
        found: list[Kept] = []
        for first, last in reversed(pieces) if newest else pieces:
            # the change of nick itself stands at a bound, and is in the piece that it begins
            low, high = max(Mark(first.time, first.seq - 1), after or FIRST), min(last, before or LAST)
            if low >= high or len(found) >= limit:
                continue
            names = [nick for nick, begin, end in self._stretches if begin <= first and end >= last]
            piece = replace(
                range_,
                targets=(question.target, *names),
                limit=limit - len(found),
                after=None if low <= FIRST else low,
                before=None if high >= LAST else high,
            )
            rows = await self._history.lines(piece)
            found = rows + found if newest else found + rows
        return found

    async def around(self, middle: Mark) -> Excerpt:
        """As many lines before the middle as after it; more of one side where the other has not so many."""
        limit = self._question.limit
        begin = _begin(middle, self._question.start) or middle
        before = await self.lines(None, begin, limit, newest=True)
        after = await self.lines(Mark(begin.time, begin.seq - 1), None, limit, newest=False)
        room = max(limit // 2, limit - len(after))
        shown = before[-room:] if room else []
        complete = len(before) + len(after) <= limit and len(before) < limit and len(after) < limit
        return Excerpt([*shown, *after[: limit - len(shown)]], complete)


async def _stretches(history: History, question: Lines) -> list[tuple[str, Mark, Mark]]:
    """When the person whose nick is asked for had which other one, as far as changes of nick tell.

    What was said under the nick itself always counts: that its owner lost it for a while is more frequent than that
    a stranger had it.
    """
    found: list[tuple[str, Mark, Mark]] = []
    folded = DEFAULT_FOLD(question.target)
    names = [
        (old, mark) for old, new, mark in await _changes(history, question, question.target, None) if new == folded
    ]
    for _ in range(EARLIER_NICKS):
        if not names:
            break
        nick, until = names.pop()
        changes = await _changes(history, question, nick, until)
        since = FIRST
        if changes:
            old, new, since = changes[-1]
            if new == DEFAULT_FOLD(nick) and DEFAULT_FOLD(old) != folded:
                names.append((old, since))
        found.append((nick, since, until))
    return found


async def _changes(history: History, question: Lines, nick: str, before: Mark | None) -> list[tuple[str, str, Mark]]:
    """Changes of nick from or to this one: the old nick, the new one folded, and when; the oldest first."""
    rows = await history.lines(
        Range(
            question.network,
            (nick,),
            question.upto,
            CHANGES_LIMIT,
            before=before,
            newest=True,
            kinds=frozenset({Kind.NICK}),
        )
    )
    messages = [(Message.parse(row.raw), Mark(row.time, row.seq)) for row in rows]
    return [(message.nick, DEFAULT_FOLD(message.param(0)), mark) for message, mark in messages]
