"""Getting the wanted nick back.

Owns the watch on its holder. Must not know sockets or clocks: it is given the lines and the time, and answers with
lines. Times are seconds on any clock that does not run backwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bouncer.irc.casemap import DEFAULT_FOLD, Fold
from bouncer.irc.message import Message
from bouncer.irc.numerics import ERR_UNKNOWNCOMMAND, RPL_ISON

POLL = 30.0  # seconds between two questions; also what a ghost of ours takes at most to be noticed gone
MONITOR_POLL = 300.0  # the same where the server tells by itself: only in case that a client has cleared the list

# IRCv3 monitor
_OFFLINE, _LIST_FULL = "731", "734"
EVENTS = ("NICK", "QUIT", RPL_ISON, ERR_UNKNOWNCOMMAND, _OFFLINE, _LIST_FULL, "NOTICE")

SERVICES = "NickServ"
# What services call it, the kindest first. REGAIN (Atheme) and RECOVER (Anope) give the nick to us, GHOST (Ergo, older
# ones) only takes it from its holder.
_VERBS = ("REGAIN", "RECOVER", "GHOST")
_FREED = re.compile(
    r"\bghosted\b|\bkilled\b|\breleased\b|\brecovered\b|\bregained\b|(?:\bnot|n't) (?:currently )?(?:online|in use)\b",
    re.I,
)
_NOT_SO = re.compile(
    r"unknown|unrecogni[sz]ed|invalid|no such|syntax"
    r"|(?:not|n't) (?:a )?(?:valid|recogni[sz]ed|registered|authori[sz]ed|available)"
    r"|parameters|denied|refused|can't|cannot|may not",
    re.I,
)


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
        self._monitored = False
        self._verb = len(_VERBS)  # the place of the one that services were asked last; past the end: none
        self._asked_services = False

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.fold(self.nick) == self.fold(self.wanted)

    def monitor(self) -> list[Message]:
        """The server has MONITOR: let it tell."""
        if self._monitored or self.done:
            return []
        self._monitored = True
        return self._watch()

    def ask_services(self) -> list[Message]:
        """We are logged in: have services give us the nick. Once for each connection."""
        if self._asked_services or self.done:
            return []
        self._asked_services = True
        self._verb = 0
        return self._demand()

    def finish(self) -> list[Message]:
        """What is left to say when it is done."""
        return [Message.build("MONITOR", "-", self.wanted)] if self._monitored else []

    def receive(self, message: Message) -> list[Message]:
        """Take a line of the server (those of ``EVENTS`` matter); the lines to send. Never raises."""
        if message.command in _MOVES and "batch" in message.tags:
            return []
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

    def _offline(self, message: Message) -> list[Message]:
        names = message.param(1).split(",")
        return self._take() if any(self._is(name, self.wanted) for name in names) else []

    def _list_full(self, message: Message) -> list[Message]:
        self._monitored = False
        return []

    def _services_say(self, message: Message) -> list[Message]:
        if self._verb >= len(_VERBS) or not self._is(message.nick, SERVICES):
            return []
        text = message.param(1)
        if _NOT_SO.search(text):
            self._verb += 1
            return self._demand()
        if _FREED.search(text):
            self._verb = len(_VERBS)
            return self._take()
        return []

    def handle_timer(self, now: float) -> list[Message]:
        """To be called at ``deadline``."""
        if self.done or now < self.deadline:
            return []
        self._verb = len(_VERBS)  # what services say from now on is about something else
        if self._monitored:
            self.deadline = now + MONITOR_POLL
            return self._watch()
        self.deadline = now + POLL
        if self._ask_by_trying:
            return self._take()
        self._asked = True
        return [Message.build("ISON", self.wanted)]

    def _is(self, name: str, other: str) -> bool:
        return self.fold(name) == self.fold(other)

    def _watch(self) -> list[Message]:
        return [Message.build("MONITOR", "+", self.wanted)]

    def _demand(self) -> list[Message]:
        return [Message.build("PRIVMSG", SERVICES, f"{verb} {self.wanted}") for verb in _VERBS[self._verb :][:1]]

    def _take(self) -> list[Message]:
        return [Message.build("NICK", self.wanted)]


# In a batch they may be history, and happen to nobody now. A nick that a netsplit freed is found at the next look.
_MOVES = frozenset({"NICK", "QUIT"})
_ROWS: Mapping[str, Callable[[Regain, Message], list[Message]]] = MappingProxyType(
    {
        "NICK": Regain._renamed,
        "QUIT": Regain._left,
        RPL_ISON: Regain._present,
        ERR_UNKNOWNCOMMAND: Regain._unknown,
        _OFFLINE: Regain._offline,
        _LIST_FULL: Regain._list_full,
        "NOTICE": Regain._services_say,
    }
)
