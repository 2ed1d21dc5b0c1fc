"""One user's one network, across reconnects: its log, its picture, and the sessions attached to it.

Owns the way of a line: from the network into the log, from a client to the network, and which of them is kept. Must
not know asyncio, SQL or sockets: the uplink, the archive and the timers are ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import inf
from types import MappingProxyType

from bouncer.core.away import Away
from bouncer.core.ctcp import Ctcp
from bouncer.core.detached import DETACH, OF_PEOPLE, Detached
from bouncer.core.joins import CANNOT_JOIN, SERVICES, Joins, logs_in
from bouncer.core.leftoff import SEPARATOR, LeftOff
from bouncer.core.screening import Screening
from bouncer.core.screens import Screens
from bouncer.core.status import LinkStatus, Phase, printable
from bouncer.core.wishes import Wishes
from bouncer.downstream.markers import Markers
from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import joined, marker, note, supports, welcome
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap
from bouncer.irc.fit import pack
from bouncer.irc.message import Message
from bouncer.irc.modes import parse_channel_modes
from bouncer.model.entry import NOBODY, TEXT_KINDS, Entry, Kind
from bouncer.model.log import Log
from bouncer.model.ports import Archive, Cancellable, Timers, Uplink
from bouncer.model.records import Channel, Network, User, nick_of
from bouncer.model.state import ChannelState, NetworkState
from bouncer.upstream.asks import Asks
from bouncer.upstream.labels import LABEL_CAPS, UNLABELLED, labelled
from bouncer.upstream.tracked import SHOWN, Effect, Row

TRUSTED_SKEW_MS = 24 * 3600 * 1000  # a network's clock that is further off than a day is wrong (design 3.3)
WAITING_LIMIT = 1000  # lines that wait for the pacer; at a line in 2 s that is half an hour, more is refused
DEVICES_LIMIT = 200  # devices whose place is remembered; of more, the one that has fallen behind most is forgotten

OWN_TEXT: Mapping[str, Kind] = MappingProxyType({"PRIVMSG": Kind.PRIVMSG, "NOTICE": Kind.NOTICE, "TAGMSG": Kind.NONE})
# What is said to these has passwords in it and is not kept.
SECRET_TARGETS = SERVICES
# What we say ourselves and is answered: to get the wanted nick back, which is nobody's news, and to be in channels,
# which is everybody's, once.
OUR_QUESTIONS = frozenset({"ISON", "NICK", "JOIN"})
PART_BUDGET = 400  # bytes of channels in one PART: 512 less the command, CRLF and some words


class Link:
    """One network of one user. Also the Place where its sessions are."""

    def __init__(
        self,
        user: User,
        network: Network,
        *,
        log: Log,
        positions: Mapping[str, int],
        archive: Archive,
        tracked: Mapping[str, Row],
        timers: Timers,
        hostname: str,
        version: str,
        keep: Callable[[Network], None],
        changed: Callable[[Link], None],
    ) -> None:
        self._changed = changed  # who is told when we stand otherwise with the network
        self.user = user
        self.network = network
        self.log = log
        self.state = NetworkState(nick_of(user, network))
        self.uplink: Uplink | None = None
        self.sessions: list[Attached] = []
        self.positions = {device: seq for device, seq in positions.items() if SEPARATOR not in device}
        self.markers = Markers(lambda target, time: archive.put_marker(network.id, target, time))
        self.phase = Phase("disconnected", timers.now())
        self._archive = archive
        self._tracked = tracked
        self._timers = timers
        self._hostname = hostname
        self._version = version
        self._keep = keep
        self._waiting: dict[int, tuple[Message, Attached]] = {}  # by identity: lines on their way through the pacer
        self._asks: Asks[object] = Asks()  # by session; NOBODY asks for what only we want to know
        self._ctcp = Ctcp(version)
        self._wishes = Wishes(self.state.isupport.fold, self._keep_channels)
        self._screens = Screens(self._wishes)
        self._joins = Joins(self._wishes, network.id)
        self._detached = Detached(self._wishes, timers, self._mention, lambda name: name in self.state.channels)
        self._left_off = LeftOff(
            positions,
            lambda name, seq: archive.put_position(network.id, name, seq),
            lambda name: archive.drop_position(network.id, name),
        )
        self._screening = Screening((), (), self.state.isupport.fold)
        self._guarded = False  # whether any line is to be held against the rules of these two
        self._away = Away(network.away_text, network.away, timers.now())
        self._stirred = False  # something has happened that may make something due
        self._alarm: Cancellable | None = None
        self._alarm_at = inf
        self._told_nick = self.state.nick  # under which the clients know themselves
        self._told_tokens: dict[str, str] = {}  # what they know of the network
        self._was_down = False
        self.reconfigure(user, network)

    @property
    def phase(self) -> Phase:
        """How we stand with the network."""
        return self._phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._phase = phase
        self._changed(self)

    # --- what a session sees (downstream.place.Place)

    @property
    def channels(self) -> CaseMap[ChannelState]:
        """What is on the clients' screens."""
        return self._screens.over(self.state.channels)

    @property
    def server(self) -> str:
        """The network's own server name, else ours."""
        greeting = self.state.welcome.get(numerics.RPL_WELCOME)
        return (greeting.source if greeting else "").lstrip(":") or self._hostname

    @property
    def title(self) -> str:
        """What the network calls itself, else what the user calls it."""
        return self.state.isupport.network or self.network.name

    @property
    def down(self) -> str:
        """Why nothing can be sent; "" if it can."""
        if self.state.registered and self.uplink is not None:
            return ""
        reason = self.phase.reason or "it is still connecting"
        return f"{self.network.name} is not connected: {reason.rstrip('.')}"

    def is_detached(self, channel: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
        return self._wishes.is_detached(channel)

    def attach(self, session: Attached, position: int) -> None:
        """Let a client in: the greeting, what it missed after ``position``, then all that comes."""
        self.sessions.append(session)
        self._away.attached(session)
        greeting = b"".join(session.rendered(message) for message in welcome(self, self._version, session.arrival.nick))
        for name, after in self._left_off.places(session.device).items():
            if self._wishes.find(name) is None:
                self._left_off.forget(name)
            elif not self.is_detached(name):  # it was shown again while this device was not here
                session.owe(name, after, position)
        session.start(greeting, position)
        if self.down:
            session.reply(self._note(f"{self.down}."))
        self._away_changed()

    def detach(self, session: Attached) -> None:
        """A session has ended."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.confirm(session)
            if all(each.device != session.device for each in self.sessions):
                self._left_off.gone(session.device)
            self._away.detached(session, self._timers.now())
            self._away_changed()
        self._asks.gone(session, NOBODY)
        self.log.trim()

    def confirm(self, session: Attached) -> None:
        """A device counts as far as the least that any of its sessions has confirmed."""
        device = session.device
        least = min((each.confirmed for each in self.sessions if each.device == device), default=-1)
        if least > self.positions.get(device, -1):
            self.place_device(device, least)

    def place_device(self, device: str, seq: int) -> None:
        """Note where a device is; committed behind the lines that it has read."""
        if device not in self.positions and len(self.positions) >= DEVICES_LIMIT:
            here = {each.device for each in self.sessions}
            away = [each for each in self.positions if each not in here]
            if away:
                last = min(away, key=lambda each: self.positions[each])
                del self.positions[last]
                self._left_off.drop(last)
                self._archive.drop_position(self.network.id, last)
        if self._wishes.detached:
            self._left_off.moved(device, self.positions.get(device, seq), seq, self._wishes.detached)
        self.positions[device] = seq
        self._archive.put_position(self.network.id, device, seq)

    @property
    def places(self) -> dict[str, int]:
        """All that the store has of where devices are: their positions, and their places in detached channels."""
        return {**self.positions, **self._left_off.kept}

    def caught_up(self, session: Attached, channel: str) -> None:
        """A device has got what was said in a channel while it was detached."""
        self._left_off.caught_up(session.device, channel)

    # --- from the network

    def receive(self, messages: Sequence[Message], now: float) -> None:
        """The lines of one read: into the picture, into the log, then to all who follow it."""
        state, log, tracked, wishes, screens = self.state, self.log, self._tracked, self._wishes, self._screens
        stamp = self._stamp(now)
        kept: list[Entry] = []
        for message in messages:
            guarded = self._guarded
            if guarded and self._screening.ignores(message) and not state.is_me(message.nick):
                continue
            hushed = guarded and message.command in OF_PEOPLE and self._is_hushed(message.nick)
            row = tracked.get(message.command)
            effect: Effect = row(state, message) if row is not None else SHOWN
            if effect is None:
                reaction = _TO_THE_UNSEEN.get(message.command)
                if reaction is not None:
                    reaction(self, message)
                continue
            kind, target = effect
            if guarded and self._detached.listening and kind in TEXT_KINDS:
                self._detached.heard(message, target, state)
            unseen = hushed or (bool(screens or wishes.detached) and screens.is_unseen(state, message, target))
            time = self._said_at(message, stamp, now) if message.tagtext else stamp
            only: object = NOBODY if unseen else None
            if not kind:
                if self._asks:
                    only = self._asks.answer(message, state.isupport.fold, now) or only
                if message.command == "PRIVMSG" and only is not NOBODY:
                    self._asked_by_ctcp(message, now)
            if guarded and not self._screening.keeps(target):
                kind = Kind.NONE
            if kind or only is not NOBODY:
                also = state.seen_in if kind and not target else ()
                entry = log.append(message, time, kind, target, only=only, also=also)
                if kind:
                    kept.append(entry)
            reaction = _REACTIONS.get(message.command)
            if reaction is not None:
                reaction(self, message)
        if kept:
            self._archive.append(self.network.id, kept)
        if state.isupport.fold is not wishes.fold:
            self._refold()
        if screens:
            self._show(screens.returned(state, self.server))
        if self._stirred:
            self._act()
        log.wake()

    def _stamp(self, now: float) -> int:
        stamp = max(int(now * 1000), self.log.last_time)
        self.log.last_time = stamp
        return stamp

    def _said_at(self, message: Message, stamp: int, now: float) -> int:
        text = message.tags.get("time")
        if not text:
            return stamp
        try:
            time = round(datetime.fromisoformat(text).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            return stamp
        return time if abs(time - now * 1000) < TRUSTED_SKEW_MS else stamp

    def _is_hushed(self, nick: str) -> bool:
        """Whether a line about a person is about one whom no client sees; to be asked while we still know them."""
        return bool(self._wishes.detached) and not self.state.is_me(nick) and self._detached.hides(nick, self.channels)

    def publish(self, messages: Iterable[Message]) -> None:
        """Show lines of our own to all attached clients; they are not kept."""
        self._show(messages)
        self.log.wake()

    def _show(self, messages: Iterable[Message]) -> None:
        """Like :meth:`publish`, in the middle of a burst, whose end wakes the readers."""
        stamp = self._stamp(self._timers.now())
        for message in messages:
            self.log.append(message, stamp)

    def tell(self, text: str) -> None:
        """A NOTICE of ours to all attached clients."""
        self.publish([self._note(text)])

    def _mention(self, text: str) -> None:
        """Like :meth:`tell`, in the middle of a burst; for those who are there."""
        if self.sessions:
            self._show([self._note(text)])

    def _note(self, text: str) -> Message:
        return note(self.state.nick, text)

    def _refold(self) -> None:
        """The network has another case mapping than we took it to have."""
        fold = self.state.isupport.fold
        self._screens.refold(fold)
        self._joins.refold(fold)
        self._set_rules()

    # --- what a line changes for us

    def _named(self, message: Message) -> None:
        """The network has let us in, perhaps under another nick than the clients know."""
        told, self._told_nick = self._told_nick, self.state.nick
        if told != self._told_nick:
            self._show([Message.lenient("NICK", self._told_nick, source=told)])

    def _greeted(self, message: Message) -> None:
        """The network has said what it is: news for those who came before it was there."""
        tokens = dict(self.state.isupport.tokens)
        if tokens != self._told_tokens:
            self._told_tokens = tokens
            if self.sessions:
                self._show(supports(self))

    def _asked_by_ctcp(self, message: Message, now: float) -> None:
        """A CTCP: the devices answer it, or, if none is there and it is for us alone, we do."""
        self._ctcp.asked(message, self.state.isupport.fold, now)
        if not self.sessions and self.state.is_me(message.param(0)):
            answer = self._ctcp.answer(message, now)
            if answer is not None:
                self._send_own(answer)

    def _batched(self, message: Message) -> None:
        self._asks.batch(message, self._timers.now())

    def _acknowledged(self, message: Message) -> None:
        self._asks.acknowledged(message)

    def _joined(self, message: Message) -> None:
        if self.state.is_me(message.nick):
            name = message.param(0)
            sent_to = self._wishes.forward_of(name)
            if self.markers.loaded and not self.is_detached(name):
                self._show([marker(self, name)])
            self._joins.joined(name)
            self._detached.stirred(name)
            if sent_to not in self.state.channels:
                self._take_from_screens(sent_to, f"{name} has let us in again")
            self._stirred = True

    def _parted(self, message: Message) -> None:
        if self.state.is_me(message.nick):
            name = message.param(0)
            known = self._wishes.find(name)
            if known is not None and known.sticky:
                self._out(name, "taken out of it by the network")
            else:
                self._forget(name)
                self._out(name, "")

    def _kicked(self, message: Message) -> None:
        if self.state.is_me(message.param(1)):
            by, words = message.nick, message.param(2)
            self._out(message.param(0), f"kicked by {by}: {words}" if words not in ("", by) else f"kicked by {by}")

    def _out(self, name: str, words: str) -> None:
        """We are not in a channel any more. ``words`` say why, "" if the user wants it so."""
        now = self._timers.now()
        self._screens.drop(name)
        if words:
            self._joins.kicked(name, words, now)
        self._joins.left(now)
        self._stirred = True

    def _forget(self, name: str) -> None:
        """The user does not want to be in that channel any more."""
        self._screens.drop(name)
        self._left_off.forget(name)
        self._wishes.forget(name)

    def _cannot_join(self, message: Message) -> None:
        name = message.param(1)
        if not self.state.isupport.is_channel(name) or name in self.state.channels:
            return  # some of these numerics have other uses
        for shown in (name, self._wishes.forward_of(name)):
            if shown not in self.state.channels:
                self._take_from_screens(shown, f"Could not join again: {message.params[-1]}")
        self._joins.refused(message, self._timers.now())
        self._stirred = True

    def _invited(self, message: Message) -> None:
        if self.state.is_me(message.param(0)) and message.param(1) not in self.state.channels:
            self._joins.invited(message.param(1), self._timers.now())
            self._stirred = True

    def _mode_changed(self, message: Message) -> None:
        target, letters = message.param(0), message.param(1)
        if target in self.state.channels:
            if "k" in letters:
                for change in parse_channel_modes(message.params[1:], self.state.isupport):
                    if change.mode == "k" and (change.arg or not change.add):
                        self._wishes.rekeyed(target, (change.arg or "") if change.add else "")
        elif "r" in letters and "r" in self.state.umodes and self.state.is_me(target):
            self._logged_in(message)

    def _logged_in(self, message: Message) -> None:
        """Services know us: by their word, or by the mode that networks have for that."""
        self._joins.logged_in(self._timers.now())
        self._stirred = True

    def _renamed(self, message: Message) -> None:
        """A channel has another name: for clients one is left, and another joined."""
        old, new = message.param(0), message.param(1)
        channel = self.state.channels.get(new)
        if channel is None:
            return
        hidden = self.is_detached(old)
        self._joins.renamed(old, new)
        if not hidden:
            words = f"Renamed to {new} {message.param(2)}".rstrip()
            self._show([Message.lenient("PART", old, words, source=self.state.source)])
            self._show(joined(self, channel))

    def _keep_channels(self, channels: tuple[Channel, ...]) -> None:
        self._keep(replace(self.network, channels=channels))

    # --- what is due

    def _act(self) -> None:
        """Say what is due to be said now, and have one timer for the rest, if there is any."""
        self._stirred = False
        due = inf
        if self.state.registered and self.uplink is not None:
            now = self._timers.now()
            for line in self._joins.lines(now, self.state.channels, self.state.isupport.targmax("JOIN")):
                self._send_own(line)
            away = self._away.line(now)
            if away is not None:
                self._send_own(away)
            due = min(self._joins.due_at, self._away.due_at)
        if due == self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._timers.at(due, self._ring) if due < inf else None
        self._alarm_at = due

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, inf
        self._act()

    def _away_changed(self) -> None:
        """A device has come, gone or spoken: keep what the user has said, and tell the network."""
        if self._away.text != self.network.away_text:
            self._keep(replace(self.network, away_text=self._away.text))
        self._act()

    # --- towards the network

    def send(self, session: Attached, message: Message) -> None:
        """Pass a client's line on, at the network's pace, or refuse it at once with the reason."""
        rule = _OUR_BUSINESS.get(message.command)
        if rule is not None:
            rest = rule(self, session, message)
            if rest is None:
                return
            message = rest
        down = self.down
        if down:
            session.say(numerics.ERR_CANNOTSENDTOCHAN, message.param(0) or "*", f"Not sent: {down}")
            return
        out = self._outgoing(message)
        if out is None:
            return
        out = self._labelled(out)
        self._waiting[id(out)] = (out, session)
        if len(self._waiting) > WAITING_LIMIT or self.uplink is None or not self.uplink.send(out):
            self._waiting.pop(id(out), None)
            session.reply(self._note(f"Not sent, too much is waiting already: {_quoted(out)}"))

    def _labelled(self, message: Message) -> Message:
        """The line with a label to know its answer by, where the network takes labels."""
        if self.state.caps >= LABEL_CAPS and message.command not in UNLABELLED:
            return labelled(message, self._asks.next_label())
        return message

    # --- what a client says that is ours to see to first; what is left of it goes to the network

    def _away_said(self, session: Attached, message: Message) -> Message | None:
        """One device is away or back: the network is told if that changes what is true of the user."""
        told = self._away.told
        self._away.said(session, message.param(0))
        self._away_changed()
        if self._away.told != told:
            return None  # the network answers, and to all
        if message.param(0):
            session.say(numerics.RPL_NOWAWAY, "You have been marked as being away")
        else:
            session.say(numerics.RPL_UNAWAY, "You are no longer marked as being away")
        return None

    def _part_said(self, session: Attached, message: Message) -> Message | None:
        """Sticky channels are not left. Those that we are not in, but will be or were, are left at once."""
        names = [name for name in message.param(0).split(",") if name]
        if message.param(1).strip().casefold() == DETACH:
            self._detach_said(session, names)
            return None
        leaving = [name for name in names if not self._stays(session, name)]
        gone = [name for name in leaving if name not in self.state.channels]
        for name in gone:
            self._take_from_screens(name, message.param(1))
            self._forget(name)
        if gone:
            self.log.wake()
        if self.down or not leaving:
            return None
        if len(leaving) == len(names):
            return message
        return Message.lenient("PART", ",".join(leaving), *message.params[1:])

    def _detach_said(self, session: Attached, names: Sequence[str]) -> None:
        """Channels are only to go from the screens."""
        here = self.channels
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
                f"`channel update {self.network.name}/{known.name} sticky=no` lets you leave it"
            )
        )
        channel = self.channels.get(name)
        if channel is not None and not self.is_detached(name):
            session.reply_lines(b"".join(session.rendered(line) for line in joined(self, channel)))
        return True

    def _join_said(self, session: Attached, message: Message) -> Message | None:
        names, keys = message.param(0).split(","), message.param(1).split(",")
        if names == ["0"]:  # RFC 2812 section 3.2.1: leave all channels
            for line in pack(list(self.channels), PART_BUDGET, ","):
                self.send(session, Message.lenient("PART", line))
            return None
        if " " in message.param(1):
            session.say(numerics.ERR_BADCHANNELKEY, names[0], "Not sent: a channel's key can't have spaces")
            return None
        if self.down:
            channels = [name for name in names if self.state.isupport.is_channel(name)]
            self._wishes.asked(channels, ())
            for name in self._wishes.add(channels, keys):
                session.reply(self._note(f"{self.down}. {name} will be joined when it is."))
            return None
        self._wishes.asked(names, keys)
        # all joined: they were detached, and are on the screens again
        return None if all(name in self.state.channels for name in names) else message

    def _take_from_screens(self, name: str, reason: str) -> None:
        """Leave a channel that we are not in."""
        self._show(self._screens.take(name, reason, self.state.source))

    def _outgoing(self, message: Message) -> Message | None:
        """The line with only those tags that the network takes; None if nothing is left of it, or it comes late."""
        if message.command == "NOTICE" and self._ctcp.is_late(message, self.state.isupport.fold, self._timers.now()):
            return None
        if message.source:  # who a client is, the network knows; what it calls itself is dropped
            message = Message.parse(message.body.partition(b" ")[2])
        if "message-tags" in self.state.caps:
            tags = {
                tag: value
                for tag, value in message.tags.items()
                if tag[:1] == "+" and not value.startswith("bnc-")  # a msgid of ours means nothing there
            }
            if tags == message.tags:
                return message
            return message.replace(tags=tags) if tags or message.command != "TAGMSG" else None
        if message.command == "TAGMSG":
            return None
        return Message.parse(message.body) if message.tagtext else message

    def sent(self, messages: Sequence[Message], now: float) -> None:
        """Lines have gone out to the network: what the user said is said from now on."""
        stamp = self._stamp(now)
        kept: list[Entry] = []
        for message in messages:
            found = self._waiting.pop(id(message), None)
            if found is None:
                self._note_own(message, now)
                continue
            session = found[1]
            self._asks.note(message, session, self.state.isupport.fold, now)
            if message.command not in OWN_TEXT or (len(message.params) < 2 and message.command != "TAGMSG"):
                continue  # not text, or text without a word, which is refused
            for target in filter(None, message.param(0).split(",")):
                entry = self._said(message, target, session, stamp)
                if entry.kind:
                    kept.append(entry)
        if kept:
            self._archive.append(self.network.id, kept)
        self.log.wake()

    def _note_own(self, message: Message, now: float) -> None:
        """A line of ours has gone out; where it is answered, see for whom."""
        if message.command in OUR_QUESTIONS:
            known = message.command != "JOIN" or self._joins.are_retries(message.param(0).split(","))
            self._asks.note(message, NOBODY if known else None, self.state.isupport.fold, now)

    def _said(self, message: Message, target: str, session: Attached, stamp: int) -> Entry:
        state = self.state
        said = Message.lenient(message.command, target, *message.params[1:], source=state.source)
        kind = OWN_TEXT[message.command]
        text = message.param(1)
        if text[:1] == "\x01" and not (kind is Kind.PRIVMSG and text.startswith("\x01ACTION")):
            kind = Kind.NONE
        if target.partition("@")[0].lower() in SECRET_TARGETS:
            kind = Kind.NONE
        conversation = state.isupport.strip_status(target)
        if self._guarded:
            self._detached.stirred(conversation)
            kind = kind if self._screening.keeps(conversation) else Kind.NONE
        only = NOBODY if self.is_detached(conversation) else None
        return self.log.append(said, stamp, kind, conversation, device=session.device, origin=session, only=only)

    # --- the connection's life; the app tells of it

    def opened(self, server: str) -> None:
        """A connection stands; registration begins. It starts a new picture."""
        self.state = NetworkState(self._told_nick)
        self._refold()
        self._asks = Asks()
        self._away.opened()
        self.phase = Phase("connecting", self._timers.now(), server=server)

    def registered(self, login_failure: str = "") -> None:
        """The network has let us in: say what the user wants said first, and go into the channels.

        ``login_failure``: why its services have not, if they were to.
        """
        trouble = f"not logged in to services: {login_failure}" if login_failure else ""
        self.phase = Phase("connected", self._timers.now(), trouble, server=self.phase.server)
        if self._was_down:
            self._was_down = False
            self.tell(f"Connected to {self.network.name} ({self.phase.server}).")
        if trouble:
            self.tell(f"{self.network.name}: {trouble}")
        commands = [Message.parse(line.encode("utf-8", "surrogateescape")) for line in self.network.connect_commands]
        for line in commands:
            self._send_own(line)
        known = bool(self.state.account) or "r" in self.state.umodes
        self._joins.begin(self._timers.now(), hold=not known and any(map(logs_in, commands)))
        self._act()

    def join_wanted(self) -> None:
        """JOIN the channels that the user wants and that are not waiting for something."""
        self._act()

    def leave(self, names: Iterable[str]) -> None:
        """PART channels that the user does not want any more."""
        for name in names:
            for each in filter(None, (name, self._wishes.forward_of(name))):
                if each in self.state.channels:
                    self._send_own(Message.lenient("PART", each))
                else:
                    self._take_from_screens(each, "")
        self.log.wake()

    def _send_own(self, message: Message) -> None:
        if self.uplink is not None and message.command:
            self.uplink.send(message)

    def closed(self, phase: Phase) -> None:
        """The connection has ended, or could not be made. Channels stay on the clients' screens."""
        state = self.state
        if state.registered:
            self._screens.keep(state.channels)
            self._told_nick = state.nick
            waiting = list(self._waiting.values())
            self._waiting.clear()
            state.registered = False
            state.channels = CaseMap(state.isupport.fold)
            for message, session in waiting:
                session.reply(self._note(f"Not sent, the connection ended: {_quoted(message)}"))
        repeated = self._was_down and phase.reason == self.phase.reason
        self.phase = phase
        self._was_down = True
        self._joins.ended()
        self._act()
        if not repeated:
            self.tell(self._obituary(phase))

    def _obituary(self, phase: Phase) -> str:
        text = f"Disconnected from {self.network.name}: {phase.reason.rstrip('.') or 'the connection ended'}."
        if phase.next_try:
            wait = max(0, round(phase.next_try - self._timers.now()))
            text += f" Next try in {wait} s."
        return text

    def reconfigure(self, user: User, network: Network) -> None:
        """The user's or network's settings are these now."""
        self.user, self.network = user, network
        wishes = self._wishes
        before = wishes.detached
        self._joins.reconfigure(network.channels)
        self._set_rules()
        self._away.alone = network.away
        if before == wishes.detached:
            return
        for name, channel in self.channels.items():
            was, now = wishes.fold(name) in before, wishes.is_detached(name)
            if now and not was:
                self._show([Message.lenient("PART", name, self._detached.reason, source=self.state.source)])
                self._left_off.detached(name, {session.device for session in self.sessions}, self.log.seq)
            elif was and not now and wishes.find(name) is not None:
                self._show(joined(self, channel))
                self._owe(name)
        self.log.wake()

    def _owe(self, name: str) -> None:
        """A channel is shown again: its lines since it was detached are for all who are here."""
        for session in self.sessions:
            after = self._left_off.owed(session.device, name, session.confirmed)
            if after < self.log.seq:
                session.owe(name, after, self.log.seq)
            else:
                self.caught_up(session, name)

    def _set_rules(self) -> None:
        """What the user wants hidden, not kept, or told is this from now on."""
        user, network = self.user, self.network
        self._screening = Screening((*user.ignore, *network.ignore), network.unlogged, self.state.isupport.fold)
        self._detached.reconfigure(user.highlights)
        self._guarded = bool(self._screening or self._wishes.detached) or self._detached.listening

    def status(self) -> LinkStatus:
        """What is to be said of this link."""
        phase = self.phase
        devices = tuple(session.device for session in self.sessions)
        return LinkStatus(
            phase.state,
            phase.server,
            self.state.nick,
            phase.since,
            printable(phase.reason),
            phase.next_try,
            tuple(self._joins.status(self.state.channels)),
            devices,
        )


def _quoted(message: Message) -> str:
    """What was not sent, as far as it can be shown: text, or else the command only (it may hold a password)."""
    return message.params[-1] if message.command in OWN_TEXT and message.params else message.command


_REACTIONS: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {
        "JOIN": Link._joined,
        "PART": Link._parted,
        "KICK": Link._kicked,
        "MODE": Link._mode_changed,
        "INVITE": Link._invited,
    }
    | dict.fromkeys(CANNOT_JOIN, Link._cannot_join)
)
# To lines that no client sees.
_TO_THE_UNSEEN: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {
        numerics.RPL_WELCOME: Link._named,
        numerics.RPL_ENDOFMOTD: Link._greeted,
        numerics.ERR_NOMOTD: Link._greeted,
        numerics.RPL_LOGGEDIN: Link._logged_in,
        "BATCH": Link._batched,
        "ACK": Link._acknowledged,
        "RENAME": Link._renamed,
    }
)
# What a client may say that is ours to see to, also while the network is away.
_OUR_BUSINESS: Mapping[str, Callable[[Link, Attached, Message], Message | None]] = MappingProxyType(
    {"AWAY": Link._away_said, "JOIN": Link._join_said, "PART": Link._part_said}
)
