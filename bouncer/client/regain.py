"""Getting the wanted nick back.

Owns the watch on its holder. Must not know sockets or clocks: it is given the lines and the time, and answers with
lines. Times are seconds on any clock that does not run backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bouncer.irc.casemap import DEFAULT_FOLD, Fold
from bouncer.irc.message import Message
from bouncer.irc.numerics import ERR_UNKNOWNCOMMAND, RPL_ISON

POLL = 30.0  # seconds between two questions; also what a ghost of ours takes at most to be noticed gone

EVENTS = ("NICK", "QUIT", RPL_ISON, ERR_UNKNOWNCOMMAND)


class Regain:
    """One connection's wish for another nick. Begin with ``nick`` as the server gave it.

    ``done`` becomes true when we have the nick, or when it is wanted no more (we were renamed to a third one, by the
    user or by services, who would win such a quarrel).
    """

    def __init__(self, wanted: str, nick: str, now: float, fold: Fold = DEFAULT_FOLD) -> None:
        self.wanted = wanted
        self.nick = nick
        self.fold = fold  # may be set once the network has told its case mapping
        self.deadline = now + POLL
        self._asked = False  # an answer is due; others may ask ISON on this connection too
        self._ask_by_trying = False  # the server has no ISON

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.fold(self.nick) == self.fold(self.wanted)

    def receive(self, message: Message) -> list[Message]:
        """Take a line of the server (those of ``EVENTS`` matter); the lines to send. Never raises."""
        row = None if self.done else _ROWS.get(message.command)
        return row(self, message) if row is not None else []

    def _renamed(self, message: Message) -> list[Message]:
        if not self._is(message.nick, self.nick):
            return self._left(message)
        self.nick = message.param(0)
        if not self.done:
            self.wanted = self.nick
        return []

    def _left(self, message: Message) -> list[Message]:
        return self._take() if self._is(message.nick, self.wanted) else []

    def _present(self, message: Message) -> list[Message]:
        if not self._asked:
            return []
        self._asked = False
        names = " ".join(message.params[1:]).split()
        return [] if any(self._is(name, self.wanted) for name in names) else self._take()

    def _unknown(self, message: Message) -> list[Message]:
        if message.param(1).upper() == "ISON":
            self._ask_by_trying = True
        return []

    def handle_timer(self, now: float) -> list[Message]:
        """To be called at ``deadline``."""
        if self.done or now < self.deadline:
            return []
        self.deadline = now + POLL
        if self._ask_by_trying:
            return self._take()
        self._asked = True
        return [Message.build("ISON", self.wanted)]

    def _is(self, name: str, other: str) -> bool:
        return self.fold(name) == self.fold(other)

    def _take(self) -> list[Message]:
        return [Message.build("NICK", self.wanted)]


_ROWS: Mapping[str, Callable[[Regain, Message], list[Message]]] = MappingProxyType(
    {
        "NICK": Regain._renamed,
        "QUIT": Regain._left,
        RPL_ISON: Regain._present,
        ERR_UNKNOWNCOMMAND: Regain._unknown,
    }
)
