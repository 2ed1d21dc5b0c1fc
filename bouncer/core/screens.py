"""What the clients of one network still show while we are not, or not yet again, in its channels.

Owns the channels as they were when the connection ended, until the difference to what they are now can be told. Must
not know the log or the sessions: it gives lines, and says which of the network's are not news.
"""

from __future__ import annotations

from collections.abc import Iterator

from bouncer.core.resync import AFTER_JOIN, difference
from bouncer.core.wishes import Wishes
from bouncer.irc.casemap import CaseMap, Fold
from bouncer.irc.message import Message
from bouncer.model.state import ChannelState, NetworkState


class Screens:
    """The channels that clients show and that we are not in; true while there are any."""

    __slots__ = ("_shown", "_wishes")

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._shown: CaseMap[ChannelState] = CaseMap(wishes.fold)

    def __bool__(self) -> bool:
        return bool(self._shown)

    def refold(self, fold: Fold) -> None:
        """The network compares names otherwise than we took it to."""
        self._shown.refold(fold)

    def over(self, channels: CaseMap[ChannelState]) -> CaseMap[ChannelState]:
        """All that is shown: the channels that we are in, as they were until the difference is told."""
        if not self._shown:
            return channels
        shown = CaseMap[ChannelState](channels.fold)
        shown.update(channels)
        shown.update(self._shown)
        return shown

    def is_unseen(self, state: NetworkState, message: Message, target: str) -> bool:
        """A line about a channel that is detached, or our coming back to one that is on the screens already."""
        wishes = self._wishes
        if wishes.is_detached(target):
            return True
        place = AFTER_JOIN.get(message.command)
        if place is None:
            return False
        name = message.param(place)
        return wishes.is_detached(name) or (
            name in self._shown and (message.command != "JOIN" or state.is_me(message.nick))
        )

    def keep(self, channels: CaseMap[ChannelState]) -> None:
        """The connection has ended with these."""
        for name, channel in channels.items():
            if channel.synced or name not in self._shown:  # else its clients have seen nothing of this one yet
                self._shown[name] = channel

    def take(self, name: str, reason: str, source: str) -> Iterator[Message]:
        """A channel goes, for that reason; if it is shown, by the line that says so."""
        if self.drop(name) and not self._wishes.is_detached(name):
            yield Message.lenient("PART", name, reason, source=source)

    def drop(self, name: str) -> bool:
        """A channel goes, and the clients know it already. Whether it was there."""
        return self._shown.pop(name, None) is not None

    def returned(self, state: NetworkState, server: str) -> Iterator[Message]:
        """Of channels that we are back in, what has changed meanwhile; from here on they are as they are."""
        for name in list(self._shown):
            channel = state.channels.get(name)
            if channel and channel.synced:
                before = self._shown.pop(name)
                if not self._wishes.is_detached(name):
                    yield from difference(state, server, before, channel)
