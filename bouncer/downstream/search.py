"""Searching from a client: the ``SEARCH`` command (soju.im/search).

Owns its attributes and its errors. Must not know how words are found, nor how lines are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bouncer.downstream.chathistory import NO_NAME, parse_limit, parse_timestamp
from bouncer.downstream.place import Attached, Frame
from bouncer.irc.message import Message, parse_tags
from bouncer.model.history import Search
from bouncer.model.ports import Kept

LIMIT = 100  # lines in one answer, as many as without a limit: what clients know from soju
BATCH = "soju.im/search"


class _Wrong(Exception):
    """An attribute that can't be taken."""

    def __init__(self, attribute: str, why: str) -> None:
        super().__init__(attribute)
        self.attribute = attribute
        self.why = why


def search(session: Attached, message: Message) -> None:
    """Answer a SEARCH: lines of this network, in one conversation or in all of them."""
    network = session.place.log.network
    try:
        question = _question(network, parse_tags(message.param(0)))
    except _Wrong as wrong:
        _fail(session, "INVALID_PARAMS", wrong.attribute, why=wrong.why)
        return

    def render(rows: Sequence[Kept] | None) -> None:
        if rows is None:
            _fail(session, "INTERNAL_ERROR", why="The history could not be searched; try again later")
        else:
            session.history(rows, Frame(BATCH))

    if network:
        session.ask(question, render)
    else:
        render(())


def _question(network: int, told: Mapping[str, str]) -> Search:
    """What is asked for; attributes of other versions are passed over. Raises _Wrong."""
    text, target, sender = (_text(told, name) for name in ("text", "in", "from"))
    if target and NO_NAME.search(target):
        raise _Wrong("in", "This is no name of a channel or person")
    if not (text.strip() or target or sender):
        raise _Wrong("text", "There is nothing to look for")
    limit = parse_limit(told["limit"]) if "limit" in told else LIMIT
    if not limit:
        raise _Wrong("limit", "Invalid limit")
    after, before = _time(told, "after"), _time(told, "before")
    return Search((network,), text, min(limit, LIMIT), target, sender, after, before)


def _text(told: Mapping[str, str], name: str) -> str:
    value = told.get(name, "")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Wrong(name, "This is not UTF-8") from None
    return value


def _time(told: Mapping[str, str], name: str) -> int | None:
    if name not in told:
        return None
    time = parse_timestamp(told[name])
    if time is None:
        raise _Wrong(name, "Invalid timestamp")
    return time


def _fail(session: Attached, code: str, *context: str, why: str) -> None:
    session.reply(Message.lenient("FAIL", "SEARCH", code, *context, why, source=session.place.server))
