"""The channels that a user wants to be in on one network.

Owns their names and keys as they change by what happens, where the network sends us instead, and which are kept from
the clients' screens. Must not know what is on the wire, nor when a channel is joined (that is `joins`): it is told what
happened, and has what changed kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from bouncer.irc.casemap import CaseMap, Fold
from bouncer.model.records import Channel
from bouncer.model.state import CHANNELS_LIMIT, ChannelState

KEYS_LIMIT = 64  # keys of channels asked for and not joined yet
NONE = frozenset[str]()  # of all networks without a detached channel
HIDDEN_KEYS = frozenset({"", "*"})  # what networks show of a key to those who may not know it


def is_key(text: str) -> bool:
    """Whether this can be a channel's key: in a JOIN, a comma would end it and a space belongs to none."""
    return text not in HIDDEN_KEYS and text.isprintable() and not {" ", ","}.intersection(text)


class Wishes:
    """Changes by what happens in clients and on the network go through ``keep``, which gives them back by
    :meth:`reconfigure`, as changes by commands come."""

    __slots__ = ("_forwards", "_keep", "_keys", "channels", "detached", "fold")

    def __init__(self, fold: Fold, keep: Callable[[tuple[Channel, ...]], None]) -> None:
        self.channels: tuple[Channel, ...] = ()
        self.detached = NONE  # folded names of those kept from the clients' screens
        self.fold = fold
        self._keep = keep
        self._forwards: CaseMap[str] = CaseMap(fold)  # where we were sent -> what is wished
        self._keys: CaseMap[str] = CaseMap(fold)  # given with a JOIN that has not been answered yet

    def reconfigure(self, channels: tuple[Channel, ...]) -> None:
        """These are the wishes now."""
        self.channels = channels
        detached = {self.fold(each.name) for each in channels if each.detached}
        if detached:
            detached.update(self.fold(to) for to, name in self._forwards.items() if self.fold(name) in detached)
        self.detached = frozenset(detached) if detached else NONE

    def refold(self, fold: Fold) -> None:
        """The network compares names otherwise than we took it to."""
        self.fold = fold
        self._forwards.refold(fold)
        self._keys.refold(fold)
        self.reconfigure(self.channels)

    def is_detached(self, name: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
        return bool(self.detached) and self.fold(name) in self.detached

    def find(self, name: str) -> Channel | None:
        """The wish for that channel, in any spelling, or the one that the network has sent there."""
        exact = self._exact(name)
        if exact is None and self._forwards:
            wished = self._forwards.get(name)
            return None if wished is None else self._exact(wished)
        return exact

    def _exact(self, name: str) -> Channel | None:
        folded = self.fold(name)
        return next((channel for channel in self.channels if self.fold(channel.name) == folded), None)

    def opened(self) -> None:
        """A new connection: what was asked on the last one is not answered on this."""
        self._keys.clear()

    def joined(self, name: str) -> None:
        """We are in: by a wish, by a client's JOIN, or by the network's will."""
        key = self._keys.pop(name, "")
        self._forwards.pop(self.forward_of(name), None)
        known = self.find(name)
        if known is None:
            if len(self.channels) < CHANNELS_LIMIT:
                self._keep((*self.channels, Channel(name, key)))
        elif key and key != known.key:
            self._change(known, replace(known, key=key))

    def refused(self, name: str) -> None:
        """The network does not let us in: the key that a client gave was no good."""
        self._keys.pop(name, None)

    def forwarded(self, name: str, to: str) -> None:
        """The network lets us into another channel instead. The wish stays what it is, and is met by that one."""
        if self._exact(name) is not None and self.fold(name) != self.fold(to):
            self._forwards.pop(self.forward_of(name), None)  # so that there are no more of them than wishes
            self._forwards[to] = name
            self.reconfigure(self.channels)

    def forward_of(self, name: str) -> str:
        """Where the network has sent us for that wish, "" if nowhere."""
        if not self._forwards:
            return ""
        folded = self.fold(name)
        return next((to for to, wished in self._forwards.items() if self.fold(wished) == folded), "")

    def renamed(self, old: str, new: str) -> None:
        """The network has given a channel another name. All that was said of it holds for that."""
        wished = self._forwards.pop(old, None)
        if wished is not None:
            self._forwards[new] = wished
            self.reconfigure(self.channels)
        known = self._exact(old)
        if known is not None:
            if known.detached:  # it stays off the screens under both names, so that nothing is told of either
                self.detached |= {self.fold(new)}
            others = tuple(each for each in self.channels if each is known or self.fold(each.name) != self.fold(new))
            self._keep(tuple(replace(each, name=new) if each is known else each for each in others))

    def rekeyed(self, name: str, key: str) -> None:
        """A channel that we are in has another key, or ("") none."""
        known = self._exact(name)
        if known is not None and known.key != key and (not key or is_key(key)):
            self._change(known, replace(known, key=key))

    def forget(self, name: str) -> None:
        """The user does not want to be there any more, nor in what led there."""
        known = self.find(name)
        led_here = self._forwards.pop(name, "")
        gone = {self.fold(each) for each in (known.name if known else "", led_here) if each}
        left = tuple(each for each in self.channels if self.fold(each.name) not in gone)
        if len(left) < len(self.channels):
            self._keep(left)

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

    def detach(self, names: Iterable[str]) -> None:
        """Keep these from the clients' screens."""
        gone = {known.name for known in map(self.find, names) if known is not None and not known.detached}
        if gone:
            self._keep(tuple(replace(each, detached=True) if each.name in gone else each for each in self.channels))

    def missing(self, joined: CaseMap[ChannelState]) -> Iterator[Channel]:
        """What we are not in, and no forward of it."""
        for channel in self.channels:
            if channel.name not in joined and not (self._forwards and self.forward_of(channel.name) in joined):
                yield channel

    def _change(self, known: Channel, channel: Channel) -> None:
        self._keep(tuple(channel if each is known else each for each in self.channels))
