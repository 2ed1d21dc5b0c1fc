"""What has changed in a channel while its network was down, as lines that say so.

Owns the words. The channel stayed on the clients' screens meanwhile; they get the difference, not a second JOIN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from bouncer.irc import numerics
from bouncer.irc.message import Message
from bouncer.irc.modes import ModeChange, render_modes
from bouncer.model.state import ChannelState, NetworkState

# What a server says after our JOIN, and where in it the channel stands.
AFTER_JOIN: Mapping[str, int] = MappingProxyType(
    {
        "JOIN": 0,
        numerics.RPL_TOPIC: 1,
        numerics.RPL_NOTOPIC: 1,
        numerics.RPL_TOPICWHOTIME: 1,
        numerics.RPL_NAMREPLY: 2,
        numerics.RPL_ENDOFNAMES: 1,
    }
)
GONE = "Gone while the network was away"


def difference(state: NetworkState, server: str, before: ChannelState, now: ChannelState) -> Iterator[Message]:
    """The lines that turn ``before`` into ``now`` on a client's screen."""
    name = now.name
    for nick in before.members:
        if nick not in now.members and not state.is_me(nick):
            yield Message.lenient("PART", name, GONE, source=nick)
    changes: list[ModeChange] = []
    for nick, status in now.members.items():
        if nick not in before.members and not state.is_me(nick):
            yield Message.lenient("JOIN", name, "*", nick, source=nick)
        changes += _status_changes(state, nick, before.members.get(nick, ""), status)
    most = state.isupport.modes or 3
    for start in range(0, len(changes), most):
        yield Message.lenient("MODE", name, *render_modes(changes[start : start + most]), source=server)
    if now.topic != before.topic:
        yield Message.lenient("TOPIC", name, now.topic, source=now.topic_by or server)


def _status_changes(state: NetworkState, nick: str, before: str, now: str) -> Iterator[ModeChange]:
    isupport = state.isupport
    for mode, symbol in zip(isupport.prefix_modes, isupport.prefix_symbols, strict=True):
        if (symbol in before) != (symbol in now):
            yield ModeChange(symbol in now, mode, nick)
