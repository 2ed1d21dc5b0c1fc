"""History on request: the ``CHATHISTORY`` command (IRCv3 draft/chathistory).

Owns its words and its errors. Must not know where lines are kept, nor how they are written: it asks, and gives what
comes to the session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bouncer.downstream.deliver import stamp
from bouncer.downstream.place import Attached, Frame
from bouncer.irc.message import Message
from bouncer.model.ports import Talk
from bouncer.model.questions import Excerpt, Lines, NoSuchLine, Talks, Way

LIMIT = 1000  # lines in one answer, some 150 kB; clients ask for 50 to 500 and page on
TARGET_LIMIT = 200  # characters of a target, or of another word of the client's, that are told back to it
HISTORY = "draft/chathistory"
NO_NAME = re.compile(r"[ ,\x00-\x1f\x7f]|^:|^\*?$")  # what is no name of a channel or person (RFC 2812 section 2.3.1)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_NOT_RETRIEVED = "Messages could not be retrieved"


class _Wrong(Exception):
    """A command that can't be answered: the code, words that say what is meant, and why (draft/chathistory)."""

    def __init__(self, code: str, *context: str, why: str) -> None:
        super().__init__(code)
        self.code = code
        self.context = context
        self.why = why


def chathistory(session: Attached, message: Message) -> None:
    """Answer a CHATHISTORY."""
    verb = message.param(0).upper()
    try:
        form = _FORMS.get(verb)
        if form is None:
            raise _Wrong("INVALID_PARAMS", why="Unknown command")
        expected = form.selectors + (3 if form.of_target else 2)
        if len(message.params) < expected:
            raise _Wrong("INVALID_PARAMS", why="Insufficient parameters")
        if len(message.params) > expected:
            raise _Wrong("INVALID_PARAMS", why="Too many parameters")
        form.answer(session, form, message.params)
    except _Wrong as wrong:
        _fail(session, message.param(0), wrong)


def _fail(session: Attached, verb: str, wrong: _Wrong) -> None:
    words = [word[:TARGET_LIMIT] or "*" for word in (verb, *wrong.context)]
    session.reply(Message.lenient("FAIL", "CHATHISTORY", wrong.code, *words, wrong.why, source=session.place.server))


# --- the words of the command


def parse_timestamp(text: str) -> int | None:
    """The milliseconds since 1970 UTC of a time as server-time writes it, or None if it is not one."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text[:19] + "+00:00")
    except ValueError:
        return None
    return round(moment.timestamp()) * 1000 + int(text[20:-1][:3].ljust(3, "0"))


def parse_limit(text: str) -> int | None:
    """How many lines are asked for, of those that one answer may have; None if it is no number."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0")
    return LIMIT if len(digits) > len(str(LIMIT)) else min(int(digits or "0"), LIMIT)


def _selector(text: str, target: str) -> int | str:
    """A time in milliseconds, or a msgid."""
    kind, equals, value = text.partition("=")
    if not equals:
        raise _Wrong("INVALID_PARAMS", text, why="A message is named by timestamp=... or msgid=...")
    if kind == "msgid" and value:
        return value
    if kind == "timestamp":
        time = parse_timestamp(value)
        if time is not None:
            return time
        raise _Wrong("INVALID_PARAMS", text, why="Invalid timestamp")
    if kind == "msgid":
        raise _Wrong("INVALID_PARAMS", text, why="Invalid msgid")
    raise _Wrong("INVALID_MSGREFTYPE", target, kind, why="A message is named by timestamp=... or msgid=...")


def _limit(text: str) -> int:
    limit = parse_limit(text)
    if limit is None:
        raise _Wrong("INVALID_PARAMS", text, why="Invalid limit")
    return limit


# --- lines of a conversation


def _lines(session: Attached, form: _Form, params: Sequence[str]) -> None:
    verb, target, limit = params[0], params[1], params[-1]
    if NO_NAME.search(target):
        raise _Wrong("INVALID_TARGET", target, why=_NOT_RETRIEVED)
    selectors = [None if form.open and text == "*" else _selector(text, target) for text in params[2:-1]]
    start, end = selectors[0], selectors[-1] if len(selectors) > 1 else None
    if form.backwards_to:
        start, end = None, start
    place = session.place
    channel = place.channels.get(target)
    isupport = place.state.isupport
    question = Lines(
        place.log.network,
        channel.name if channel else target,
        place.log.seq,
        _limit(limit),
        form.way,
        start,
        end,
        kinds=session.kinds,
        follow=not isupport.is_channel(target),
    )

    def render(answer: Excerpt | NoSuchLine | None) -> None:
        if isinstance(answer, Excerpt):
            name = channel.name if channel else _canonical(answer, target, isupport.fold, channel=not question.follow)
            session.history(answer.rows, Frame("chathistory", name, answer.complete))
        elif isinstance(answer, NoSuchLine):
            _fail(session, verb, _Wrong("MESSAGE_ERROR", target, answer.msgid, why=_NOT_RETRIEVED))
        else:
            _fail(session, verb, _Wrong("MESSAGE_ERROR", target, why=_NOT_RETRIEVED))

    if question.network and question.limit:
        session.ask(question, render)
    else:
        # gamja asks for 0 lines until it has read ISUPPORT, and takes an error for the answer to all that it asked
        render(Excerpt((), complete=not question.network))


def _canonical(excerpt: Excerpt, target: str, fold: Callable[[str], str], *, channel: bool) -> str:
    """The name as its owner spells it, as far as these lines tell; of a channel, as it was last spelled."""
    folded = fold(target)
    if channel:
        return next((row.target for row in excerpt.rows if fold(row.target) == folded), target)
    nicks = (Message.parse(row.raw).nick for row in reversed(excerpt.rows))
    return next((nick for nick in nicks if fold(nick) == folded), target)


# --- conversations


def _targets(session: Attached, form: _Form, params: Sequence[str]) -> None:
    verb = params[0]
    times = [_selector(text, "*") for text in params[1:3]]
    start, end = times
    if not isinstance(start, int) or not isinstance(end, int):
        raise _Wrong("INVALID_MSGREFTYPE", "*", "msgid", why="Conversations are found by timestamp=... only")
    limit = _limit(params[3])
    place = session.place

    def render(talks: Sequence[Talk] | None) -> None:
        if talks is None:
            _fail(session, verb, _Wrong("MESSAGE_ERROR", why=_NOT_RETRIEVED))
            return
        shown = [talk for talk in talks if not place.is_detached(talk.target)]
        complete = len(shown) <= limit
        if not complete:
            shown = shown[:limit] if start < end else shown[len(shown) - limit :]
        told = [
            Message.lenient("CHATHISTORY", "TARGETS", talk.target, stamp(talk.time), source=place.server)
            for talk in shown
        ]
        session.batch(told, Frame("draft/chathistory-targets", complete=complete))

    if place.log.network:
        session.ask(Talks(place.log.network, min(start, end), max(start, end)), render)
    else:
        render(())


@dataclass(frozen=True, slots=True)
class _Form:
    """A subcommand: how many ``selectors`` it takes, and what is read by them.

    ``open``: ``*`` may stand for no selector. ``backwards_to``: reading ends at the selector, and begins at the newest.
    """

    answer: Callable[[Attached, _Form, Sequence[str]], None]
    way: Way
    selectors: int = 1
    of_target: bool = True
    open: bool = False
    backwards_to: bool = False


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "BEFORE": _Form(_lines, Way.OLDER, open=True),  # Kiwi IRC says BEFORE * for LATEST *
        "AFTER": _Form(_lines, Way.NEWER),
        "LATEST": _Form(_lines, Way.OLDER, open=True, backwards_to=True),
        "AROUND": _Form(_lines, Way.AROUND),
        "BETWEEN": _Form(_lines, Way.TOWARDS, selectors=2),
        "TARGETS": _Form(_targets, Way.TOWARDS, selectors=2, of_target=False),
    }
)
