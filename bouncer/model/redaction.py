"""What is left of a line whose text was taken back (IRCv3 draft/message-redaction).

Owns its form, so that memory and every store leave the same. Must not know who may take a line back.
"""

from __future__ import annotations

from bouncer.irc.message import Message

LEFT_TAGS = frozenset({"msgid", "time", "account"})  # what says which line it was; others may hold words


def redacted(message: Message) -> Message:
    """The line without what it said: who said it, and where."""
    left = Message.lenient(message.command, message.param(0, "*"), "", source=message.source)
    tags = {tag: value for tag, value in message.tags.items() if tag in LEFT_TAGS}
    return left.replace(tags=tags) if tags else left
