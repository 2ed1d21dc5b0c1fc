"""What a line of a network's history was when it was said: its time and its conversation.

Owns that reading. It changes no picture: what was said in the past happens to nobody now. Must not know which lines are
kept already.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bouncer.irc.message import Message
from bouncer.model.entry import SAID_KINDS, Kind
from bouncer.model.past import PastLine
from bouncer.model.state import NetworkState
from bouncer.upstream.clock import past_at
from bouncer.upstream.services import is_secret
from bouncer.upstream.tracked import TRACKED, Effect, Row

# Ergo tells of joins and the like in words of this service to whom can't have them as lines.
TELLER = "HistServ"


def _in_channel(kind: Kind) -> Row:
    def row(state: NetworkState, message: Message) -> Effect:
        target = message.param(0)
        return (kind, target) if state.isupport.is_channel(target) else None

    return row


def _anywhere(kind: Kind) -> Row:
    return lambda state, message: (kind, "")


# Rows of lines that draw nothing are those of the present.
PAST: Mapping[str, Row] = MappingProxyType(
    {
        **{command: TRACKED[command] for command in ("PRIVMSG", "NOTICE", "TAGMSG", "INVITE")},
        "JOIN": _in_channel(Kind.JOIN),
        "PART": _in_channel(Kind.PART),
        "KICK": _in_channel(Kind.KICK),
        "MODE": _in_channel(Kind.MODE),
        "TOPIC": _in_channel(Kind.TOPIC),
        "QUIT": _anywhere(Kind.QUIT),
        "NICK": _anywhere(Kind.NICK),
    }
)


def past(state: NetworkState, message: Message, conversation: str, stamp: int, now: float) -> PastLine | None:
    """A line of a batch of history about ``conversation`` ("" if it is about none); None if history does not keep it.

    ``stamp`` (milliseconds) is the time of a line that has none that can be right at ``now`` (seconds).
    """
    row = PAST.get(message.command)
    effect = row(state, message) if row is not None and message.nick != TELLER else None
    if effect is None or not effect[0]:
        return None
    kind, target = effect
    if kind in SAID_KINDS and is_secret(message.param(0), message.param(1)):
        return None  # said by us, perhaps under another nick
    named = conversation if not state.is_me(conversation) else ""
    if kind in SAID_KINDS and target:
        target = named or target  # our nick, or theirs, may have been another one then
    also = (named,) if named and not target else ()
    return PastLine(past_at(message, stamp, now), kind, target, "", also, message.raw)
