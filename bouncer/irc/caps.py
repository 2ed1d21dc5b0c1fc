"""Capability negotiation (IRCv3 capability-negotiation) as two machines of values, one for each side.

Owns CAP's subcommands, what is available and what is enabled. Must not know what a capability does, which ones are
wanted or offered, or whose connection this is; it neither sends nor waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bouncer.irc.fit import cut, pack
from bouncer.irc.message import Message
from bouncer.irc.numerics import (
    ERR_INVALIDCAPCMD,
    ERR_NOTREGISTERED,
    ERR_UNKNOWNCOMMAND,
)

VERSION = 302  # what we speak: values, lists of many lines, NEW and DEL
CAP_NOTIFY = "cap-notify"
MAX_AVAILABLE = 512  # networks offer 20 to 40; what a hostile one offers beyond that is ignored
REQUEST_BUDGET = 400  # bytes of names in a REQ: the answer has to fit a line with the server's name and our nick too
REPLY_BUDGET = 360  # bytes of names in a line of ours: 512 less CRLF, a server name of 63, a nick of 64, "CAP LIST *"
_ECHO_LIMIT = 64  # bytes of an unknown subcommand that are repeated in the answer

Reply = list[str]


def _split_values(text: str) -> dict[str, str]:
    caps = {}
    for token in text.split():
        name, _, value = token.partition("=")
        if name:
            caps[name] = value
    return caps


def _clipped(text: str, limit: int) -> str:
    return cut(text.encode("utf-8", "surrogateescape"), limit).decode("utf-8", "surrogateescape")


class CapRequester:
    """Our side towards a network: learns what it has, asks for what we want of it.

    ``available`` has the network's capabilities and their values ("" for none), ``enabled`` the names in force. Give
    every message of the connection, or those of CAP, 410, 421 and 451 at least, to :meth:`receive` and send on what
    it returns. Each REQ costs only itself: the members of a refused one are asked for again, each alone.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self.available: dict[str, str] = {}
        self.enabled: set[str] = set()
        self._wanted = frozenset(wanted)
        self._listing = False
        self._listed = False
        self._asked: list[list[str]] = []  # one list of names for each REQ without an answer, oldest first

    @property
    def settled(self) -> bool:
        """Whether the list is complete and every REQ answered (so far): time for SASL, or for CAP END."""
        return self._listed and not self._asked

    def start(self) -> list[Message]:
        """The line that opens the negotiation."""
        return [Message.build("CAP", "LS", str(VERSION))]

    def receive(self, message: Message) -> list[Message]:
        """Take a message of the network; the lines to send on account of it. Never raises."""
        if message.command == "CAP":
            handle = _REQUESTER_ROWS.get(message.param(1).upper())
            return handle(self, message.params[2:]) if handle else []
        unknown = message.command in _REFUSALS and "CAP" in map(str.upper, message.params)
        if unknown or message.command == ERR_INVALIDCAPCMD:
            self._listed = True
            self._asked.clear()
        return []

    def _ls(self, params: list[str]) -> list[Message]:
        if not self._listing:
            self.available.clear()
        self._listing = len(params) > 1 and params[0] == "*"  # more lines follow
        if self._listing:
            self._learn(params[1:])
            return []
        self._learn(params)
        self._listed = True
        return self._ask(self.available)

    def _new(self, params: list[str]) -> list[Message]:
        return self._ask(self._learn(params))

    def _del(self, params: list[str]) -> list[Message]:
        for name in _split_values(" ".join(params)):
            self.available.pop(name, None)
            self.enabled.discard(name)
        return []

    def _ack(self, params: list[str]) -> list[Message]:
        answered = []
        for token in " ".join(params).split():
            name = token.lstrip("-~=").partition("=")[0]  # "~" and "=" are marks of the first version of CAP
            answered.append(name)
            if token.startswith("-"):
                self.enabled.discard(name)
            elif name in self._wanted:
                self.enabled.add(name)
        if group := self._answered_group(answered):
            group[:] = [name for name in group if name not in answered]
            if group:  # an ACK in several lines: the rest is still to come
                self._asked.insert(0, group)
        return []

    def _nak(self, params: list[str]) -> list[Message]:
        names = " ".join(params).split()
        # some servers cut the list they repeat, so that even the first name may not be whole
        group = self._answered_group(names) or (self._asked.pop(0) if self._asked else [])
        if len(group) < 2:
            return []
        return [line for name in group if name in self.available for line in self._request([name])]

    def _answered_group(self, names: list[str]) -> list[str] | None:
        """Take out the REQ that an answer with these names is for, and those before it: answers come in order."""
        for index, group in enumerate(self._asked):
            if not set(group).isdisjoint(names):
                del self._asked[: index + 1]
                return group
        return None

    def _learn(self, params: list[str]) -> list[str]:
        learned = []
        for name, value in _split_values(" ".join(params)).items():
            if name in self.available or len(self.available) < MAX_AVAILABLE:
                self.available[name] = value
                learned.append(name)
        return learned

    def _ask(self, names: Iterable[str]) -> list[Message]:
        pending = {name for group in self._asked for name in group}
        news = sorted(self._wanted.intersection(names) - self.enabled - pending)
        return [line for group in pack(news, REQUEST_BUDGET) for line in self._request(group.split())]

    def _request(self, group: list[str]) -> list[Message]:
        self._asked.append(group)
        return [Message.build("CAP", "REQ", " ".join(group))]


_REFUSALS = frozenset({ERR_UNKNOWNCOMMAND, ERR_NOTREGISTERED})  # what servers without CAP say to it
_REQUESTER_ROWS: dict[str, Callable[[CapRequester, list[str]], list[Message]]] = {
    "LS": CapRequester._ls,
    "NEW": CapRequester._new,
    "DEL": CapRequester._del,
    "ACK": CapRequester._ack,
    "NAK": CapRequester._nak,
}


class CapOffer:
    """Our side towards an attached client: tells what we offer, takes what it asks for.

    ``offered`` maps names to values (None or "" for none), the most useful first. ``version`` is the highest one the
    client named (0: none), ``enabled`` the names in force, and ``negotiating`` says that registration has to wait for
    CAP END (of no meaning once it is over).

    A reply is a list: the command, then its parameters without the client's nick, which comes first:
    ``Message.build(reply[0], nick, *reply[1:], source=us)``. The last one may be empty or have spaces.
    """

    def __init__(self, offered: Mapping[str, str | None]) -> None:
        self.offered: dict[str, str | None] = dict(offered)
        self.enabled: set[str] = set()
        self.version = 0
        self.negotiating = False

    def receive(self, message: Message) -> list[Reply]:
        """Take a CAP of the client; the replies to it, in order. Never raises."""
        subcommand = message.param(0)
        handle = _OFFER_ROWS.get(subcommand.upper())
        if handle:
            return handle(self, message.params[1:])
        echoed = _clipped(subcommand, _ECHO_LIMIT)
        if not echoed or " " in echoed or echoed[0] == ":":
            echoed = "*"  # it could not stand before the closing text
        return [[ERR_INVALIDCAPCMD, echoed, "Invalid CAP subcommand"]]

    def change(self, offered: Mapping[str, str | None]) -> list[Reply]:
        """Offer this from now on; the DEL and NEW lines to send, if the client has cap-notify.

        What is offered no more is in force no more, told or not; only cap-notify itself is never taken back. A
        changed value is told as NEW.
        """
        gone = [name for name in self.offered if name not in offered and name != CAP_NOTIFY]
        news = {
            name: value
            for name, value in offered.items()
            if name not in self.offered or (self.version >= VERSION and (value or "") != (self.offered[name] or ""))
        }
        self.offered = dict(offered)
        self.enabled.difference_update(gone)
        if CAP_NOTIFY not in self.enabled:
            return []
        lines = [["CAP", "DEL", line] for line in pack(gone, REPLY_BUDGET)]
        return lines + [["CAP", "NEW", line] for line in pack(self._tokens(news), REPLY_BUDGET)]

    def _ls(self, params: list[str]) -> list[Reply]:
        self.negotiating = True
        number = params[0] if params else ""
        if number.isascii() and number.isdigit() and len(number) < 10:
            self.version = max(self.version, int(number))
        if self.version >= VERSION:
            self.enabled.add(CAP_NOTIFY)
        return self._listed("LS", self._tokens(self.offered))

    def _list(self, params: list[str]) -> list[Reply]:
        return self._listed("LIST", sorted(self.enabled))

    def _req(self, params: list[str]) -> list[Reply]:
        self.negotiating = True
        words = " ".join(params).split()
        answer = "ACK" if all(map(self._may, words)) else "NAK"
        if answer == "ACK":
            for word in words:
                if word.startswith("-"):
                    self.enabled.discard(word[1:])
                else:
                    self.enabled.add(word)
        return [["CAP", answer, _clipped(line, REPLY_BUDGET)] for line in pack(words, REPLY_BUDGET) or [""]]

    def _may(self, word: str) -> bool:
        if word == "-" + CAP_NOTIFY and self.version >= VERSION:
            return False  # version 302 implies it, and then it can't be taken back
        name = word.removeprefix("-")
        return name in self.offered or name in self.enabled

    def _end(self, params: list[str]) -> list[Reply]:
        self.negotiating = False
        return []

    def _acknowledged(self, params: list[str]) -> list[Reply]:
        return []  # a client of the first version of CAP confirms what we confirmed

    def _tokens(self, caps: Mapping[str, str | None]) -> list[str]:
        if self.version < VERSION:
            return list(caps)
        return [f"{name}={value}" if value else name for name, value in caps.items()]

    def _listed(self, subcommand: str, tokens: list[str]) -> list[Reply]:
        lines = pack(tokens, REPLY_BUDGET) or [""]
        if self.version < VERSION:
            lines = lines[:1]  # it can't read a second line; it may still ask for the rest by name
        return [["CAP", subcommand, "*", line] for line in lines[:-1]] + [["CAP", subcommand, lines[-1]]]


_OFFER_ROWS: dict[str, Callable[[CapOffer, list[str]], list[Reply]]] = {
    "LS": CapOffer._ls,
    "LIST": CapOffer._list,
    "REQ": CapOffer._req,
    "ACK": CapOffer._acknowledged,
    "END": CapOffer._end,
}
