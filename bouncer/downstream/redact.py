"""The ``REDACT`` command: taking back what was said (IRCv3 draft/message-redaction).

Owns what is refused here. Whether it is allowed the network says, and only its word takes anything back.
"""

from __future__ import annotations

from bouncer.downstream.chathistory import TARGET_LIMIT
from bouncer.downstream.place import Attached
from bouncer.irc.message import Message

REDACTION = "draft/message-redaction"
OUR_MSGIDS = "bnc-"  # how the msgids begin that we give to lines which have none of their network's


def redact(session: Attached, message: Message) -> None:
    """Pass a REDACT on to a network that knows it."""
    place = session.place
    target, msgid = message.param(0), message.param(1)
    if not place.down and REDACTION not in place.state.caps:
        _fail(session, "INVALID_TARGET", target, why=f"{place.title} can't take messages back")
    elif msgid.startswith(OUR_MSGIDS):
        _fail(session, "UNKNOWN_MSGID", target, msgid, why="The network knows no such message and can't take it back")
    else:
        place.send(session, message)


def _fail(session: Attached, code: str, *context: str, why: str) -> None:
    words = [word[:TARGET_LIMIT] or "*" for word in context]
    session.reply(Message.lenient("FAIL", "REDACT", code, *words, why, source=session.place.server))
