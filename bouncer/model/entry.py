"""One item of a network's log: a line, when it was said, and who is to see it.

Owns the kinds of lines that history keeps. Must not know how a line is rendered or stored.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final

from bouncer.irc.message import Message

PAST: Final = "past"  # an entry's ``only`` when it was said before the lines around it: shown to all, but as history
NOBODY: Final = "nobody"  # an entry's ``only`` when it is kept but shown to no one: the channel is detached


class Kind(IntEnum):
    """What a line is. The values are in the database: never change one. NONE is not kept in history.

    TAGMSG is a reaction; others are not kept. REDACTED is what is left of a line whose text was taken back
    (`model.redaction`): it has its place and its msgid still, and is shown to nobody.
    """

    NONE = 0
    PRIVMSG = 1
    NOTICE = 2
    TAGMSG = 3
    JOIN = 4
    PART = 5
    QUIT = 6
    NICK = 7
    KICK = 8
    MODE = 9
    TOPIC = 10
    INVITE = 11
    REDACT = 12
    RENAME = 13
    REDACTED = 14


PAST_BOOT: Final = 0  # the ``boot`` of imported lines: starts of the process count from 1
TEXT_KINDS = frozenset({Kind.PRIVMSG, Kind.NOTICE})
SAID_KINDS = TEXT_KINDS | {Kind.TAGMSG}  # what has a msgid, and can be taken back
LINKED_KINDS = frozenset({Kind.QUIT, Kind.NICK, Kind.RENAME})  # what may belong to several conversations
SHOWN_KINDS = frozenset(Kind) - {Kind.NONE, Kind.REDACTED}  # what is shown to those who can take all of it


class Entry:
    """A line in a log.

    ``seq``: its number in the network's history if ``kind`` is kept, else that of the last kept line before it.
    ``time``: milliseconds since 1970 UTC. ``target``: the conversation it belongs to (a channel, or the other's nick).
    ``also``: conversations that it belongs to as well (a QUIT or NICK: the channels that the user is seen in). Of a
    RENAME, the name that the channel had before.
    ``device``: the device that said it, for the user's own lines. ``origin``: the session that said it, which gets
    it back only as an echo. ``only``: the one session that it is for, if it is for one, or NOBODY, or PAST.
    """

    imported: ClassVar[bool] = False

    __slots__ = ("also", "device", "kind", "message", "only", "origin", "seq", "target", "time")

    def __init__(
        self,
        seq: int,
        time: int,
        message: Message,
        kind: Kind = Kind.NONE,
        target: str = "",
        device: str = "",
        origin: object = None,
        only: object = None,
        also: tuple[str, ...] = (),
    ) -> None:
        self.seq = seq
        self.time = time
        self.message = message
        self.kind = kind
        self.target = target
        self.device = device
        self.origin = origin
        self.only = only
        self.also = also

    @property
    def renames(self) -> bool:
        """Whether the conversation that ``also`` names goes on as ``target`` from here on."""
        return self.kind is Kind.RENAME and not self.imported

    def __repr__(self) -> str:
        return f"<Entry {self.seq} {self.kind.name} {self.message!r}>"


class ImportedEntry(Entry):
    """A line of the past that came out of a file. History has it at its time; no device has missed it."""

    imported: ClassVar[bool] = True

    __slots__ = ()
