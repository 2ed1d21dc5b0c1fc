"""The channels of one user on one network: what becomes of them by what the network says and by what clients say.

Owns which channels are wanted (`wishes`), when they are joined (`joins`), which are on the clients' screens though we
are not in them (`screens`), and which are kept from there (`detached`). Must not know where a line comes from or goes
to: the picture is read from the place, and what is to be said goes through three ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import NamedTuple

from bouncer.core.alarm import Alarm
from bouncer.core.detached import DETACH, Detached
from bouncer.core.joins import CANNOT_JOIN, Joins
from bouncer.core.screens import Screens
from bouncer.core.status import ChannelStatus
from bouncer.core.wishes import Wishes
from bouncer.downstream.place import Attached, Place
from bouncer.downstream.welcome import joined, marker, note
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap, Fold
from bouncer.irc.fit import pack
from bouncer.irc.message import Message
from bouncer.irc.modes import parse_channel_modes
from bouncer.model.ports import Timers
from bouncer.model.records import Channel, Network, User
from bouncer.model.state import ChannelState

PART_BUDGET = 400  # bytes of channels in one PART: 512 less the command, CRLF and some words


class Turned(NamedTuple):
    """What new settings did to channels, by name: taken from the screens, brought back there, wanted no more."""

    hidden: list[str]
    shown: list[str]
    forgotten: list[str]


class Channels:
    """``place``: the network as clients see it. ``say`` passes a line of ours on to it, ``show`` gives lines to all
    clients in the middle of a burst, ``keep`` has settings keep the wishes, and ``entered`` is told of channels whose
    names have come.

    ``returning``: clients may show channels that we are not back in yet. ``stirred``: something has happened that may
    make something due. With either, :meth:`settle` has something to do at a burst's end.
    """

    __slots__ = (
        "_alarm",
        "_detached",
        "_entered",
        "_joins",
        "_network",
        "_place",
        "_say",
        "_screens",
        "_show",
        "_timers",
        "_wishes",
        "returning",
        "stirred",
    )

    def __init__(
        self,
        place: Place,
        network: Network,
        timers: Timers,
        *,
        say: Callable[[Message], bool],
        show: Callable[[Iterable[Message]], None],
        keep: Callable[[tuple[Channel, ...]], None],
        entered: Callable[[str], None],
    ) -> None:
        self._entered = entered
        self._place = place
        self._network = network.name
        self._timers = timers
        self._say = say
        self._show = show
        self._wishes = Wishes(place.state.isupport.fold, keep)
        self._screens = Screens(self._wishes)
        self._joins = Joins(self._wishes, network.id)
        self._detached = Detached(self._wishes, timers, self._mention, lambda name: name in place.state.channels)
        self._alarm = Alarm(timers, self.act)
        self.stirred = False
        self.returning = False

    # --- what holds now

    @property
    def fold(self) -> Fold:
        """By which names are compared here."""
        return self._wishes.fold

    @property
    def listening(self) -> bool:
        """Whether :meth:`heard` is to be told what is said in channels."""
        return self._detached.listening

    @property
    def guarded(self) -> bool:
        """Whether some lines are not for the clients' screens, or are to be listened to."""
        return bool(self._wishes.detached) or self._detached.listening

    @property
    def detached(self) -> frozenset[str]:
        """Folded names of those that are kept from the clients' screens."""
        return self._wishes.detached

    def wants(self, name: str) -> bool:
        """Whether the user wants to be in that channel."""
        return self._wishes.find(name) is not None

    @property
    def shown(self) -> CaseMap[ChannelState]:
        """What is on the clients' screens, and what is detached."""
        return self._screens.over(self._place.state.channels)

    def is_detached(self, name: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
        return self._wishes.is_detached(name)

    def is_unseen(self, message: Message, target: str) -> bool:
        """Whether this line of the network's is about a channel that clients do not show, or is no news to them."""
        return self._screens.is_unseen(self._place.state, message, target)

    def hides(self, nick: str) -> bool:
        """Whether a line about a person is about one whom no client sees; to be asked while we still know them."""
        if not self._wishes.detached or self._place.state.is_me(nick):
            return False
        return self._detached.hides(nick, self.shown)

    def status(self) -> tuple[ChannelStatus, ...]:
        """How it goes with each wish."""
        return tuple(self._joins.status(self._place.state.channels))

    # --- the connection and the settings

    def begin(self, hold: bool) -> None:
        """The network has let us in; ``hold``: we may be about to be logged in to services."""
        self._joins.begin(self._timers.now(), hold)
        self.act()

    def ended(self) -> None:
        """The connection is about to be gone. Its channels stay on the screens."""
        state = self._place.state
        if state.registered:
            self._screens.keep(state.channels)
            self.returning = True
        self._joins.ended()
        self.act()

    def refold(self, user: User) -> None:
        """The network compares names otherwise than we took it to."""
        fold = self._place.state.isupport.fold
        self._screens.refold(fold)
        self._joins.refold(fold)
        self._detached.reconfigure(user.highlights)

    def reconfigure(self, user: User, network: Network) -> Turned:
        """The settings are these now; clients are shown what that changes."""
        wishes, before, wanted = self._wishes, self._wishes.detached, self._wishes.channels
        self._network = network.name
        self._joins.reconfigure(network.channels)
        self._detached.reconfigure(user.highlights)
        turned = Turned([], [], [each.name for each in wanted if wishes.find(each.name) is None])
        if before == wishes.detached:
            return turned
        for name, channel in self.shown.items():
            was, now = wishes.fold(name) in before, wishes.is_detached(name)
            if now and not was:
                self._leaves_screens(name, self._detached.reason)
                turned.hidden.append(name)
            elif was and not now and wishes.find(name) is not None:
                self._show(joined(self._place, channel))
                turned.shown.append(name)
        return turned

    def leave(self, names: Iterable[str]) -> None:
        """PART channels that the user does not want any more."""
        for name in names:
            for each in filter(None, (name, self._wishes.forward_of(name))):
                if each in self._place.state.channels:
                    self._say(Message.lenient("PART", each))
                else:
                    self._take_from_screens(each, "")

    def settle(self) -> None:
        """A burst is over: tell how channels are that we are back in, and say what has become due."""
        if self.returning:
            self._show(self._screens.returned(self._place.state, self._place.server))
            self.returning = bool(self._screens)
        if self.stirred:
            self.act()

    def act(self) -> None:
        """JOIN what is to be joined now, and have a timer for what is later."""
        self.stirred = False
        due, state = inf, self._place.state
        if state.registered:
            for line in self._joins.lines(self._timers.now(), state.channels, state.isupport.targmax("JOIN")):
                self._say(line)
            due = self._joins.due_at
        self._alarm.set(due)

    # --- what is said in them

    def heard(self, message: Message, target: str) -> None:
        """A PRIVMSG or NOTICE of the network's, before clients see it: by it, a channel may come back."""
        self._detached.heard(message, target, self._place.state)

    def spoken(self, target: str) -> None:
        """The user has said something there."""
        self._detached.stirred(target)

    def are_retries(self, message: Message) -> bool:
        """Whether a JOIN of ours is about nothing but what was refused before, and people know."""
        return self._joins.are_retries(message.param(0).split(","))

    # --- what the network says of them

    def joined(self, message: Message) -> None:
        """JOIN."""
        state = self._place.state
        if state.is_me(message.nick):
            name = message.param(0)
            sent_to = self._wishes.forward_of(name)
            if self._place.markers.loaded and not self.is_detached(name):
                self._show([marker(self._place, name)])
            self._joins.joined(name)
            self._detached.stirred(name)
            if sent_to not in state.channels:
                self._take_from_screens(sent_to, f"{name} has let us in again")
            self.stirred = True

    def named(self, message: Message) -> None:
        """366: of a channel that we have just come into, all is known."""
        self._entered(message.param(1))

    def parted(self, message: Message) -> None:
        """PART."""
        if self._place.state.is_me(message.nick):
            name = message.param(0)
            known = self._wishes.find(name)
            if known is not None and known.sticky:
                self._out(name, "taken out of it by the network")
            else:
                self._forget(name)
                self._out(name, "")

    def kicked(self, message: Message) -> None:
        """KICK."""
        if self._place.state.is_me(message.param(1)):
            by, words = message.nick, message.param(2)
            self._out(message.param(0), f"kicked by {by}: {words}" if words not in ("", by) else f"kicked by {by}")

    def refused(self, message: Message) -> None:
        """One of the numerics that refuse a JOIN; some of them have other uses."""
        state, name = self._place.state, message.param(1)
        if not state.isupport.is_channel(name) or name in state.channels:
            return
        for shown in (name, self._wishes.forward_of(name)):
            if shown not in state.channels:
                self._take_from_screens(shown, f"Could not join again: {message.params[-1]}")
        self._joins.refused(message, self._timers.now())
        self.stirred = True

    def invited(self, message: Message) -> None:
        """INVITE."""
        state = self._place.state
        if state.is_me(message.param(0)) and message.param(1) not in state.channels:
            self._joins.invited(message.param(1), self._timers.now())
            self.stirred = True

    def mode_changed(self, message: Message) -> None:
        """MODE of a channel, or of us: many networks say by +r that services know us."""
        state, target, letters = self._place.state, message.param(0), message.param(1)
        if target in state.channels:
            if "k" in letters:
                for change in parse_channel_modes(message.params[1:], state.isupport):
                    if change.mode == "k" and (change.arg or not change.add):
                        self._wishes.rekeyed(target, (change.arg or "") if change.add else "")
        elif "r" in letters and "r" in state.umodes and state.is_me(target):
            self.logged_in(message)

    def logged_in(self, message: Message) -> None:
        """Services know us."""
        self._joins.logged_in(self._timers.now())
        self.stirred = True

    def renamed(self, message: Message) -> None:
        """RENAME. For clients one channel is left, and another joined."""
        old, new = message.param(0), message.param(1)
        channel = self._place.state.channels.get(new)
        if channel is None:
            return
        hidden, fold = self.is_detached(old), self.fold  # (mypyc calls no function that a property gives)
        self._joins.renamed(old, new)
        if not hidden and fold(old) != fold(new):
            self._leaves_screens(old, f"Renamed to {new} {message.param(2)}".rstrip())
            self._show(joined(self._place, channel))

    # --- what clients say of them; what is left of it goes to the network

    def join_said(self, session: Attached, message: Message) -> Sequence[Message]:
        """JOIN. What is detached comes back to the screens, and what is wanted is remembered."""
        names, keys = message.param(0).split(","), message.param(1).split(",")
        if names == ["0"]:  # RFC 2812 section 3.2.1: leave all channels
            parts = [Message.lenient("PART", line) for line in pack(list(self.shown), PART_BUDGET, ",")]
            return [left for part in parts for left in self.part_said(session, part)]
        if " " in message.param(1):
            session.say(numerics.ERR_BADCHANNELKEY, names[0], "Not sent: a channel's key can't have spaces")
            return ()
        state, down = self._place.state, self._place.down
        if down:
            channels = [name for name in names if state.isupport.is_channel(name)]
            self._wishes.asked(channels, ())
            for name in self._wishes.add(channels, keys):
                session.reply(self._note(f"{down}. {name} will be joined when it is."))
            return ()
        self._wishes.asked(names, keys)
        # all joined: they were detached, and are on the screens again
        return () if all(name in state.channels for name in names) else (message,)

    def part_said(self, session: Attached, message: Message) -> Sequence[Message]:
        """PART. Sticky channels are not left. Those that we are not in, but will be or were, are left at once."""
        names = [name for name in message.param(0).split(",") if name]
        if message.param(1).strip().casefold() == DETACH:
            self._detach_said(session, names)
            return ()
        leaving = [name for name in names if not self._stays(session, name)]
        gone = [name for name in leaving if name not in self._place.state.channels]
        for name in gone:
            self._take_from_screens(name, message.param(1))
            self._forget(name)
        if gone:
            self._place.log.wake()
        if self._place.down or not leaving:
            return ()
        if len(leaving) == len(names):
            return (message,)
        return (Message.lenient("PART", ",".join(leaving), *message.params[1:]),)

    def _detach_said(self, session: Attached, names: Sequence[str]) -> None:
        """Channels are only to go from the screens."""
        here = self.shown
        for name in names:
            if name not in here:
                session.say(numerics.ERR_NOTONCHANNEL, name, "You're not on that channel")
        self._detached.detach(here[name].name for name in names if name in here)

    def _stays(self, session: Attached, name: str) -> bool:
        """Whether a channel is sticky. Who wanted to leave it is told so, and gets it back in case it has closed it."""
        known = self._wishes.find(name)
        if known is None or not known.sticky:
            return False
        session.reply(
            self._note(
                f"{name} is sticky and was not left; "
                f"`channel update {self._network}/{known.name} sticky=no` lets you leave it"
            )
        )
        channel = self.shown.get(name)
        if channel is not None and not self.is_detached(name):
            session.reply_lines(b"".join(session.rendered(line) for line in joined(self._place, channel)))
        return True

    # --- what all of these do

    def _out(self, name: str, words: str) -> None:
        """We are not in a channel any more. ``words`` say why, "" if the user wants it so."""
        now = self._timers.now()
        self._screens.drop(name)
        if words:
            self._joins.kicked(name, words, now)
        self._joins.left(now)
        self.stirred = True

    def _forget(self, name: str) -> None:
        """The user does not want to be in that channel any more."""
        self._screens.drop(name)
        self._wishes.forget(name)

    def _take_from_screens(self, name: str, reason: str) -> None:
        """Leave a channel that we are not in."""
        self._show(self._screens.take(name, reason, self._place.state.source))

    def _leaves_screens(self, name: str, reason: str) -> None:
        self._show([Message.lenient("PART", name, reason, source=self._place.state.source)])

    def _mention(self, text: str) -> None:
        self._show([self._note(text)])

    def _note(self, text: str) -> Message:
        return note(self._place.state.nick, text)


REACTIONS: Mapping[str, Callable[[Channels, Message], None]] = MappingProxyType(
    {
        "JOIN": Channels.joined,
        "PART": Channels.parted,
        "KICK": Channels.kicked,
        numerics.RPL_ENDOFNAMES: Channels.named,
        "MODE": Channels.mode_changed,
        "INVITE": Channels.invited,
    }
    | dict.fromkeys(CANNOT_JOIN, Channels.refused)
)
