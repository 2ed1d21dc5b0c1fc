"""The ``MARKREAD`` command: what the user has read on one device, the others know (IRCv3 draft/read-marker).

Owns its words and its errors. Must not know how markers are kept.
"""

from __future__ import annotations

from bouncer.downstream.chathistory import NO_NAME, TARGET_LIMIT, parse_timestamp
from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import marker
from bouncer.irc.message import Message

READ_MARKER = "draft/read-marker"


def markread(session: Attached, message: Message) -> None:
    """Tell up to when a conversation was read, or move that on; all devices that can take it are told."""
    place = session.place
    target = message.param(0)
    if not target:
        _fail(session, "NEED_MORE_PARAMS", "", "Missing parameters")
        return
    channel = place.channels.get(target)
    name = channel.name if channel else target
    if NO_NAME.search(target):
        _fail(session, "INVALID_PARAMS", target, "Invalid parameters")
    elif not place.markers.loaded:
        _fail(session, "INTERNAL_ERROR", target, "The read timestamp could not be set or told; try again later")
    elif len(message.params) == 1:
        session.reply(marker(place, name))
    else:
        kind, _, text = message.param(1).partition("=")
        time = parse_timestamp(text) if kind == "timestamp" else None
        if time is None:
            _fail(session, "INVALID_PARAMS", message.param(1), "Invalid parameters")
            return
        moved = place.markers.move(name, min(max(0, time), int(session.now * 1000)))
        if moved:
            place.publish([marker(place, name)])
        if not moved or READ_MARKER not in session.offer.enabled:
            session.reply(marker(place, name))


def _fail(session: Attached, code: str, context: str, why: str) -> None:
    words = [context[:TARGET_LIMIT]] if context else []
    session.reply(Message.lenient("FAIL", "MARKREAD", code, *words, why, source=session.place.server))
