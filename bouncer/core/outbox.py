"""Clients' lines on their way to one network, and whose the answers are.

Owns what waits for its turn in the pacing, and what has gone out and may be answered. Must not know what a line is to
history, nor which words of clients are ours to see to.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from bouncer.downstream.place import Attached, Place
from bouncer.downstream.welcome import note
from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.upstream.asks import Asks
from bouncer.upstream.labels import LABEL_CAPS, UNLABELLED, labelled

WAITING_LIMIT = 1000  # lines that wait for the pacer; at a line in 2 s that is half an hour, more is refused
QUOTED = frozenset({"PRIVMSG", "NOTICE"})  # what the rest says may be a password


class Outbox:
    """``place``: the network as clients see it. ``say`` passes a line on to it, and returns False if it can't be sent.

    ``asks``: by session, what has gone out and may be answered. ``watching``: some client has said MONITOR.
    """

    __slots__ = ("_place", "_say", "_waiting", "asks", "watching")

    def __init__(self, place: Place, say: Callable[[Message], bool]) -> None:
        self._place = place
        self._say = say
        self._waiting: dict[int, tuple[Message, Attached]] = {}  # by identity
        self.opened()

    def opened(self) -> None:
        """A connection has begun: nothing has been said on it."""
        self.asks: Asks[object] = Asks()
        self.watching = False

    def pass_on(self, session: Attached, message: Message) -> None:
        """Pass a client's line on, or refuse it at once with the reason."""
        place = self._place
        if down := place.down:
            session.say(numerics.ERR_CANNOTSENDTOCHAN, message.param(0) or "*", f"Not sent: {down}")
            return
        out = taken(message, place.state.caps)
        if out is None:
            return
        if place.state.caps >= LABEL_CAPS and out.command not in UNLABELLED:
            out = labelled(out, self.asks.next_label())
        self._waiting[id(out)] = (out, session)
        if len(self._waiting) > WAITING_LIMIT or not self._say(out):
            self._waiting.pop(id(out), None)
            session.reply(note(place.state.nick, f"Not sent, too much is waiting already: {_quoted(out)}"))

    def sent(self, message: Message, now: float) -> Attached | None:
        """A line has gone out at that time (seconds). Who said it, None if it was none of the clients."""
        found = self._waiting.pop(id(message), None)
        if found is None:
            return None
        self.asks.note(message, found[1], self._place.state.isupport.fold, now)
        self.watching = self.watching or message.command == "MONITOR"
        return found[1]

    def ended(self) -> None:
        """The connection is gone, and with it what has waited."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for message, session in waiting:
            session.reply(note(self._place.state.nick, f"Not sent, the connection ended: {_quoted(message)}"))


def taken(message: Message, caps: Set[str]) -> Message | None:
    """What a network with these capabilities takes of a client's line; None if nothing is left of it."""
    if message.source:  # who a client is, the network knows; what it calls itself is dropped
        message = Message.parse(message.body.partition(b" ")[2])
    if "message-tags" in caps:
        tags = {
            tag: value
            for tag, value in message.tags.items()
            if tag[:1] == "+" and not value.startswith("bnc-")  # a msgid of ours means nothing there
        }
        if tags == message.tags:
            return message
        return message.replace(tags=tags) if tags or message.command != "TAGMSG" else None
    if message.command == "TAGMSG":
        return None
    return Message.parse(message.body) if message.tagtext else message


def _quoted(message: Message) -> str:
    """What was not sent, as far as it can be shown: text, or else the command only (it may hold a password)."""
    return message.params[-1] if message.command in QUOTED and message.params else message.command
