"""The lines of one network as they are on the wire, while somebody wants to see them, with the secrets cut out.

Owns which parts of a line are secret, and how much is remembered. Must not know where the lines come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bouncer.core.status import printable
from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.model.records import Network
from bouncer.upstream.services import SERVICES, SHORT_NAMES, service_of

LINES_LIMIT = 200  # remembered of one network: what happened around a connect, a few screens full
LINE_LIMIT = 600  # characters of each; a line without tags has 512 bytes at most
CUT = "***"
SECRET_LENGTH = 4  # characters that a known secret has to have to be looked for in text: shorter ones are words


def _after(count: int) -> Callable[[Message], int]:
    """That many parameters may be seen."""
    return lambda message: count


def _join(message: Message) -> int:
    return len(message.params) if message.source else 1  # the keys are on the way out only


def _mode(message: Message) -> int:
    return 2 if "k" in message.param(1) else len(message.params)


def _mode_reply(message: Message) -> int:
    return 3 if "k" in message.param(2) else len(message.params)


def _text(message: Message) -> int:
    # what is said to services has passwords in it, and some repeat them
    names = set(map(service_of, message.param(0).split(",")))
    if not names.isdisjoint(SHORT_NAMES) or any(name.endswith("serv") or name in SERVICES for name in names):
        return 1
    source = message.nick.lower()
    return 1 if source.endswith("serv") or source in SERVICES else len(message.params)


# How many parameters of a command may be seen. What is not here may be seen whole.
_SEEN: Mapping[str, Callable[[Message], int]] = MappingProxyType(
    dict.fromkeys(("PASS", "AUTHENTICATE", "WEBIRC", "IDENTIFY", "LOGIN", "AUTH"), _after(0))
    | dict.fromkeys(("NICKSERV", "NS", "CHANSERV", "CS", "OPERSERV", "OS", "USERSERV", "AUTHSERV", "Q"), _after(0))
    | dict.fromkeys(("ID", "SETPASS", "MS", "MEMOSERV", "HS", "HOSTSERV"), _after(0))
    | dict.fromkeys(("OPER", "GHOST", "RECOVER", "RELEASE", "REGAIN", "REGISTER", "VERIFY"), _after(1))
    | dict.fromkeys(("PRIVMSG", "NOTICE", "SQUERY", "CPRIVMSG", "CNOTICE"), _text)
    | {"JOIN": _join, "MODE": _mode, numerics.RPL_CHANNELMODEIS: _mode_reply}
    | {numerics.ERR_INVALIDMODEPARAM: _mode_reply}
)


def cut(message: Message) -> str:
    """The line as it may be shown."""
    row = _SEEN.get(message.command)
    seen = row(message) if row is not None else len(message.params)
    if seen < len(message.params):
        message = Message.lenient(message.command, *message.params[:seen], CUT, source=message.source)
    return printable(message.encode().decode("utf-8", "replace"))[:LINE_LIMIT]


def secrets_of(network: Network) -> list[str]:
    """What is known to be secret of a network, wherever it stands in a line."""
    words = [network.server_password, network.sasl.password if network.sasl is not None else ""]
    words += [channel.key for channel in network.channels]
    words += [command.partition(" ")[2] for command in network.connect_commands]
    return sorted((word for word in words if len(word) >= SECRET_LENGTH), key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``time`` in seconds since 1970 UTC; ``sent``: from us to the network."""

    time: float
    sent: bool
    text: str


class Traffic:
    """The last lines of one network since it is watched."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES_LIMIT)

    def received(self, messages: Sequence[Message], now: float) -> None:
        """Lines of one read."""
        self._add(messages, now, sent=False)

    def sent(self, messages: Sequence[Message], now: float) -> None:
        """Lines that have gone out together."""
        self._add(messages, now, sent=True)

    def _add(self, messages: Sequence[Message], now: float, sent: bool) -> None:
        self._lines.extend(Line(now, sent, cut(message)) for message in messages[-LINES_LIMIT:])

    def last(self, count: int, secrets: Iterable[str]) -> list[Line]:
        """The last ``count`` lines, the oldest first, without these words."""
        found = []
        for line in list(self._lines)[-count:]:
            text = line.text
            for secret in secrets:
                text = text.replace(secret, CUT)
            found.append(Line(line.time, line.sent, text))
        return found
