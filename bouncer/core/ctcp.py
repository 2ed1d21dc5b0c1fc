"""CTCP questions of the network: one answer to each, whoever of the user's devices gives it; ours if none is there.

Owns which questions are open, and the words of the bouncer's own answers. Must not know sessions or the wire. Times are
seconds since 1970 UTC.

https://modern.ircdocs.horse/ctcp
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bouncer.irc.casemap import Fold
from bouncer.irc.message import Message

DELIM = "\x01"
PATIENCE = 30.0  # seconds in which devices answer a question; what comes later is somebody's own idea
OPEN_LIMIT = 100  # questions remembered; of more, the oldest is forgotten and may be answered twice
ANSWERS_AT_ONCE = 5  # of our own, per network ...
ANSWER_EVERY = 2.0  # ... then one in so many seconds: a flood of questions must not make us flood
PING_LIMIT = 64  # characters of a PING that we send back; clients send a time


def ctcp(text: str) -> tuple[str, str]:
    """The verb (upper case) and the rest of a CTCP; an empty verb if the text is none."""
    if text[:1] != DELIM:
        return "", ""
    verb, _, rest = text.strip(DELIM).partition(" ")
    return verb.upper(), rest


_ANSWERS: Mapping[str, Callable[[str, str, float], str]] = MappingProxyType(
    {
        "VERSION": lambda rest, version, now: f"bouncer {version}",
        "PING": lambda rest, version, now: rest[:PING_LIMIT],
        "TIME": lambda rest, version, now: f"{datetime.fromtimestamp(now, UTC):%a, %d %b %Y %H:%M:%S} +0000",
        "CLIENTINFO": lambda rest, version, now: "CLIENTINFO PING TIME VERSION",
    }
)


class Ctcp:
    """The open CTCP questions of one network."""

    __slots__ = ("_free_at", "_open", "_version")

    def __init__(self, version: str) -> None:
        self._version = version
        self._open: dict[
            tuple[str, str, str], tuple[int, float]
        ] = {}  # how many wait for an answer, the last since when
        self._free_at = 0.0  # when the last of our own answers is paid for

    def asked(self, message: Message, fold: Fold, now: float) -> None:
        """The network has brought a PRIVMSG that is no text."""
        verb, rest = ctcp(message.param(1))
        if not verb or verb == "ACTION":
            return
        key = self._key(message.nick, verb, rest, fold)
        count = self._count(key, now)
        self._open.pop(key, None)
        if len(self._open) >= OPEN_LIMIT:
            del self._open[next(iter(self._open))]
        self._open[key] = (count + 1, now)

    def is_late(self, message: Message, fold: Fold, now: float) -> bool:
        """Whether a device's NOTICE answers what another has answered already. If not, it takes the question."""
        verb, rest = ctcp(message.param(1))
        if not verb:
            return False
        key = self._key(message.param(0), verb, rest, fold)
        if key not in self._open or now - self._open[key][1] > PATIENCE:
            return False
        count, since = self._open[key]
        self._open[key] = (max(0, count - 1), since)
        return not count

    def answer(self, message: Message, now: float) -> Message | None:
        """What the bouncer answers while no device is there; None if nothing."""
        verb, rest = ctcp(message.param(1))
        words = _ANSWERS.get(verb)
        if words is None or "!" not in message.source or not self._spend(now):
            return None
        return Message.lenient(
            "NOTICE", message.nick, f"{DELIM}{verb} {words(rest, self._version, now)}".rstrip() + DELIM
        )

    def _key(self, nick: str, verb: str, rest: str, fold: Fold) -> tuple[str, str, str]:
        return fold(nick), verb, rest[:PING_LIMIT] if verb == "PING" else ""

    def _count(self, key: tuple[str, str, str], now: float) -> int:
        count, since = self._open.get(key, (0, 0.0))
        return count if now - since <= PATIENCE else 0

    def _spend(self, now: float) -> bool:
        start = min(max(self._free_at, now), now + ANSWERS_AT_ONCE * ANSWER_EVERY)
        if start - now > (ANSWERS_AT_ONCE - 1) * ANSWER_EVERY:
            return False
        self._free_at = start + ANSWER_EVERY
        return True
