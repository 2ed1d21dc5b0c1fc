"""The channels that a user wants to be in on one network, and how it goes with them.

Owns their keys, why one could not be joined, and which are kept from the clients' screens. Must not know what is on the
wire: it is told what happened, and has what changed kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bouncer.core.status import ChannelStatus, printable
from bouncer.irc.casemap import CaseMap, Fold
from bouncer.irc.fit import pack
from bouncer.irc.message import Message
from bouncer.model.records import Channel
from bouncer.model.state import CHANNELS_LIMIT, ChannelState

JOIN_BUDGET = 400  # bytes of channels in one JOIN: 512 less the command, CRLF and as many bytes of keys
KEYS_LIMIT = 64  # keys of channels asked for and not joined yet


class Wishes:
    """Changes by what happens in clients and on the network go through ``keep``, which gives them back by
    :meth:`reconfigure`, as changes by commands come."""

    def __init__(self, fold: Fold, keep: Callable[[tuple[Channel, ...]], None]) -> None:
        self.channels: tuple[Channel, ...] = ()
        self.detached = frozenset[str]()  # folded names of those kept from the clients' screens
        self.fold = fold
        self._keep = keep
        self._refusals: CaseMap[str] = CaseMap(fold)
        self._keys: CaseMap[str] = CaseMap(fold)  # given with a JOIN that has not been answered yet

    def reconfigure(self, channels: tuple[Channel, ...]) -> None:
        """These are the wishes now."""
        self.channels = channels
        self.detached = frozenset(self.fold(each.name) for each in channels if each.detached)

    def refold(self, fold: Fold) -> None:
        """The network compares names otherwise than we took it to."""
        self.fold = fold
        self._refusals.refold(fold)
        self._keys.refold(fold)
        self.reconfigure(self.channels)

    def is_detached(self, name: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
        return bool(self.detached) and self.fold(name) in self.detached

    def find(self, name: str) -> Channel | None:
        """The wish for that channel, in any spelling."""
        folded = self.fold(name)
        return next((channel for channel in self.channels if self.fold(channel.name) == folded), None)

    def joined(self, name: str) -> None:
        """We are in: by a wish, by a client's JOIN, or by the network's will."""
        self._refusals.pop(name, None)
        key = self._keys.pop(name, "")
        known = self.find(name)
        if known is None:
            if len(self.channels) < CHANNELS_LIMIT:
                self._keep((*self.channels, Channel(name, key)))
        elif key and key != known.key:
            self._change(known, replace(known, key=key))

    def refused(self, name: str, reason: str) -> None:
        """The network does not let us in."""
        self._keys.pop(name, None)
        if len(self._refusals) < KEYS_LIMIT or name in self._refusals:
            self._refusals[name] = reason

    def forget(self, name: str) -> None:
        """The user does not want to be there any more."""
        known = self.find(name)
        if known is not None:
            self._keep(tuple(each for each in self.channels if each is not known))

    def add(self, names: Sequence[str], keys: Sequence[str]) -> list[str]:
        """Wish for these too; those that are new."""
        channels = self.channels
        for place, name in enumerate(names):
            if self.find(name) is None and len(channels) < CHANNELS_LIMIT:
                channels = (*channels, Channel(name, keys[place] if place < len(keys) else ""))
        news = [channel.name for channel in channels[len(self.channels) :]]
        if news:
            self._keep(channels)
        return news

    def asked(self, names: Sequence[str], keys: Sequence[str]) -> None:
        """A client joins these: remember the keys, bring back what is detached."""
        for name, key in zip(names, keys, strict=False):
            if key and len(self._keys) < KEYS_LIMIT:
                self._keys[name] = key
        for name in names:
            known = self.find(name)
            if known is not None and known.detached:
                self._change(known, replace(known, detached=False))

    def missing(self, joined: CaseMap[ChannelState]) -> Iterator[Message]:
        """The JOINs for what we are not in; those with a key first, each by itself."""
        missing = [each for each in self.channels if each.name not in joined]
        for channel in missing:
            if channel.key:
                yield Message.lenient("JOIN", channel.name, channel.key)
        for line in pack([each.name for each in missing if not each.key], JOIN_BUDGET, ","):
            yield Message.lenient("JOIN", line)

    def status(self, joined: CaseMap[ChannelState]) -> Iterator[ChannelStatus]:
        """How it goes with each."""
        for wanted in self.channels:
            channel = joined.get(wanted.name)
            reason = printable(self._refusals.get(wanted.name, ""))
            yield ChannelStatus(wanted.name, channel is not None, len(channel.members) if channel else 0, reason)

    def _change(self, known: Channel, channel: Channel) -> None:
        self._keep(tuple(channel if each is known else each for each in self.channels))
