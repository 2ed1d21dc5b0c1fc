"""Channels that are kept from the clients' screens, or will be after a while of silence.

Owns what is told of them meanwhile, what brings them back, and when one detaches by itself. Must not know how a line is
shown, nor how settings are kept: those are `wishes`. How long a channel has been silent is not stored: a restart of the
process begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from types import MappingProxyType

from bouncer.core.alarm import Alarm
from bouncer.core.wishes import Wishes
from bouncer.irc.fit import fit_text
from bouncer.irc.message import Message
from bouncer.model.highlight import Highlight
from bouncer.model.ports import Timers
from bouncer.model.records import HIGHLIGHT, MESSAGE, NONE, Channel
from bouncer.model.spans import span
from bouncer.model.state import CHANNELS_LIMIT, ChannelState, NetworkState

BY_REQUEST = "Detached"
# The reason of a client's PART that means: only take it from my screens.
DETACH = "detach"
# What tells of a person, and not of one channel.
OF_PEOPLE = frozenset({"QUIT", "NICK", "AWAY", "ACCOUNT", "CHGHOST", "SETNAME"})
TELL_BUDGET = 400  # bytes of a line told by the service: 512 less CRLF, its own source and a long nick
TEXT_LEAST = 100  # bytes of text in a piece, however long the channel's name is
_WITHOUT: Mapping[str, str] = MappingProxyType(
    {MESSAGE: "of silence", HIGHLIGHT: "without a highlight", NONE: "without a word of yours"}
)


class Detached:
    """``tell`` is how the service speaks to all attached clients, ``is_in`` says whether we are in a channel.

    ``reason`` is why the channels detach that just do.
    """

    __slots__ = (
        "_alarm",
        "_highlight",
        "_is_in",
        "_rules",
        "_since",
        "_tell",
        "_timers",
        "_wishes",
        "_words",
        "listening",
        "reason",
    )

    def __init__(
        self, wishes: Wishes, timers: Timers, tell: Callable[[str], None], is_in: Callable[[str], bool]
    ) -> None:
        self.reason = BY_REQUEST
        self.listening = False  # whether anything depends on what is said in channels
        self._wishes = wishes
        self._timers = timers
        self._tell = tell
        self._is_in = is_in
        self._words: tuple[str, ...] = ()
        self._highlight: Highlight | None = None  # made when first needed
        self._rules: dict[str, Channel | None] = {}  # by name as the network spells it
        self._since: dict[str, float] = {}  # folded names of those that are to detach by themselves -> last activity
        self._alarm = Alarm(timers, self._ring)

    def reconfigure(self, words: tuple[str, ...]) -> None:
        """The wishes are others now, or folded otherwise; ``words`` are the user's highlights."""
        wishes, now = self._wishes, self._timers.now()
        self._words = words
        self._highlight = None
        self._rules.clear()
        folded = [wishes.fold(each.name) for each in wishes.channels if each.detach_after and not each.detached]
        self._since = {name: self._since.get(name, now) for name in folded}
        overheard = any(each.detached and {each.relay, each.reattach} != {NONE} for each in wishes.channels)
        self.listening = overheard or bool(folded)
        self._arm()

    # --- what happens in channels

    def heard(self, message: Message, target: str, state: NetworkState) -> None:
        """A PRIVMSG or NOTICE of the network's, before anybody sees it: the channel may come back by it."""
        channel = self._rule(target)
        if channel is None:
            return
        mine = state.is_me(message.nick)
        if not channel.detached:
            if mine or self._counts(channel.detach_on, message, state):
                self.stirred(target)
        elif mine:
            return
        elif self._counts(channel.reattach, message, state):
            self._wishes.asked([channel.name], [])
        elif self._counts(channel.relay, message, state):
            for text in told(message, target):
                self._tell(text)

    def stirred(self, target: str) -> None:
        """The user has said something in a channel, or something that counts has happened there."""
        channel = self._rule(target)
        if channel is not None and channel.detach_after and not channel.detached:
            folded = self._wishes.fold(channel.name)
            resting = folded not in self._since
            self._since[folded] = self._timers.now()
            if resting:
                self._arm()

    def hides(self, nick: str, channels: Mapping[str, ChannelState]) -> bool:
        """Whether of these channels, clients see that person in none, and only we do."""
        known = False
        for name, channel in channels.items():
            if nick in channel.members:
                if not self._wishes.is_detached(name):
                    return False
                known = True
        return known

    def _rule(self, target: str) -> Channel | None:
        try:
            return self._rules[target]
        except KeyError:
            if len(self._rules) >= CHANNELS_LIMIT:
                self._rules.clear()
            channel = self._rules[target] = self._wishes.find(target)
            return channel

    def _counts(self, rule: str, message: Message, state: NetworkState) -> bool:
        if rule != HIGHLIGHT:
            return rule == MESSAGE
        highlight, fold = self._highlight, state.isupport.fold
        if highlight is None or highlight.nick != state.nick or highlight.fold is not fold:
            highlight = self._highlight = Highlight(state.nick, self._words, fold)
        return highlight.calls(message)

    # --- silence

    def detach(self, names: Iterable[str], reason: str = BY_REQUEST) -> None:
        """Take channels from the screens."""
        self.reason = reason
        try:
            self._wishes.detach(names)
        finally:
            self.reason = BY_REQUEST

    def _ring(self) -> None:
        now = self._timers.now()
        for folded in [each for each in self._since if self._due(each) <= now]:
            self._since.pop(
                folded, None
            )  # in a channel that we are not in nothing is silent: the count begins when we are
            channel = self._rule(folded)
            if channel and (self._is_in(channel.name) or self._is_in(self._wishes.forward_of(channel.name))):
                self.detach(
                    [channel.name], f"Detached after {span(channel.detach_after)} {_WITHOUT[channel.detach_on]}"
                )
        self._arm()

    def _arm(self) -> None:
        self._alarm.set(min(map(self._due, self._since), default=inf))

    def _due(self, folded: str) -> float:
        channel = self._rule(folded)
        return self._since[folded] + channel.detach_after if channel else inf


def told(message: Message, target: str) -> Iterator[str]:
    """How the service tells what somebody has said in a channel: in as many pieces as it takes."""
    text = message.param(1)
    form = "-{}- " if message.command == "NOTICE" else "<{}> "
    if text.startswith("\x01ACTION "):
        form, text = "* {} ", text[len("\x01ACTION ") :].removesuffix("\x01")
    head = f"{target}: {form.format(message.nick)}"
    for piece in fit_text(text, max(TEXT_LEAST, TELL_BUDGET - len(head.encode("utf-8", "surrogateescape")))):
        yield head + piece
