"""One user's one network, across reconnects: its log, its picture, and the sessions attached to it.

Owns the way of a line: from the network into the log, from a client to the network, and which of them is kept. Must
not know asyncio, SQL or sockets: the uplink, the archive and the timers are ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from bouncer.core.ctcp import Ctcp
from bouncer.core.resync import AFTER_JOIN, difference
from bouncer.core.status import LinkStatus, Phase, printable
from bouncer.core.wishes import Wishes
from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import joined, note, supports, welcome
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.entry import NOBODY, Entry, Kind
from bouncer.model.log import Log
from bouncer.model.ports import Archive, Timers, Uplink
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
SECRET_TARGETS = frozenset({"nickserv", "authserv", "userserv", "q", "x"})
# What we say ourselves and is answered: to get the wanted nick back, which is nobody's news, and to be in channels,
# which is everybody's.
OUR_QUESTIONS: Mapping[str, str | None] = MappingProxyType({"ISON": NOBODY, "NICK": NOBODY, "JOIN": None})
CANNOT_JOIN = frozenset({"403", "405", "407", "437", "470", "471", "473", "474", "475", "476", "477", "489", "520"})


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
    ) -> None:
        self.user = user
        self.network = network
        self.log = log
        self.state = NetworkState(nick_of(user, network))
        self.uplink: Uplink | None = None
        self.sessions: list[Attached] = []
        self.positions = dict(positions)
        self.phase = Phase("disconnected", timers.now())
        self._archive = archive
        self._tracked = tracked
        self._timers = timers
        self._hostname = hostname
        self._version = version
        self._keep = keep
        self._screen: CaseMap[ChannelState] = CaseMap()  # channels that clients still show and we are not in yet
        self._waiting: dict[int, tuple[Message, Attached]] = {}  # by identity: lines on their way through the pacer
        self._asks: Asks[object] = Asks()  # by session; NOBODY asks for what only we want to know
        self._ctcp = Ctcp(version)
        self._wishes = Wishes(self.state.isupport.fold, self._keep_channels)
        self._told_nick = self.state.nick  # under which the clients know themselves
        self._told_tokens: dict[str, str] = {}  # what they know of the network
        self._was_down = False
        self.reconfigure(user, network)

    # --- what a session sees (downstream.place.Place)

    @property
    def channels(self) -> CaseMap[ChannelState]:
        """What is on the clients' screens."""
        if not self._screen:
            return self.state.channels
        shown = CaseMap[ChannelState](self.state.isupport.fold)
        shown.update(self.state.channels)
        shown.update(self._screen)  # until the difference to it is told
        return shown

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
        greeting = b"".join(session.rendered(message) for message in welcome(self, self._version, session.arrival.nick))
        session.start(greeting, position)
        if self.down:
            session.reply(self._note(f"{self.down}."))

    def detach(self, session: Attached) -> None:
        """A session has ended."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.confirm(session)
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
                self._archive.drop_position(self.network.id, last)
        self.positions[device] = seq
        self._archive.put_position(self.network.id, device, seq)

    # --- from the network

    def receive(self, messages: Sequence[Message], now: float) -> None:
        """The lines of one read: into the picture, into the log, then to all who follow it."""
        state, log, tracked, wishes = self.state, self.log, self._tracked, self._wishes
        stamp = self._stamp(now)
        kept: list[Entry] = []
        for message in messages:
            row = tracked.get(message.command)
            effect: Effect = row(state, message) if row is not None else SHOWN
            if effect is None:
                reaction = _TO_THE_UNSEEN.get(message.command)
                if reaction is not None:
                    reaction(self, message)
                continue
            kind, target = effect
            unseen = bool(self._screen or wishes.detached) and self._is_unseen(message, target)
            time = self._said_at(message, stamp, now) if message.tagtext else stamp
            only: object = NOBODY if unseen else None
            if not kind:
                if self._asks:
                    only = self._asks.answer(message, state.isupport.fold, now) or only
                if only is NOBODY:
                    continue
                if message.command == "PRIVMSG":
                    self._asked_by_ctcp(message, now)
            entry = log.append(message, time, kind, target, only=only)
            if kind:
                kept.append(entry)
            reaction = _REACTIONS.get(message.command)
            if reaction is not None:
                reaction(self, message)
        if kept:
            self._archive.append(self.network.id, kept)
        if state.isupport.fold is not wishes.fold:
            self._refold()
        self._after_names()
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

    def _is_unseen(self, message: Message, target: str) -> bool:
        """A line about a channel that is detached, or our coming back to one that is on the screens already."""
        if self.is_detached(target):
            return True
        place = AFTER_JOIN.get(message.command)
        if place is None:
            return False
        name = message.param(place)
        return self.is_detached(name) or (
            name in self._screen and (message.command != "JOIN" or self.state.is_me(message.nick))
        )

    def _after_names(self) -> None:
        """Of channels that we are back in, tell what has changed, and begin anew."""
        if not self._screen:
            return
        for name in list(self._screen):
            channel = self.state.channels.get(name)
            if channel and channel.synced:
                before = self._screen.pop(name)
                if not self.is_detached(name):
                    self.publish(difference(self.state, self.server, before, channel))

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

    def _note(self, text: str) -> Message:
        return note(self.state.nick, text)

    def _refold(self) -> None:
        """The network has another case mapping than we took it to have."""
        fold = self.state.isupport.fold
        self._screen.refold(fold)
        self._wishes.refold(fold)

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
            self._wishes.joined(message.param(0))

    def _parted(self, message: Message) -> None:
        if self.state.is_me(message.nick):
            self._forget(message.param(0))

    def _kicked(self, message: Message) -> None:
        if self.state.is_me(message.param(1)):
            self._screen.pop(message.param(0), None)

    def _forget(self, name: str) -> None:
        """The user does not want to be in that channel any more."""
        self._screen.pop(name, None)
        self._wishes.forget(name)

    def _cannot_join(self, message: Message) -> None:
        name = message.param(1)
        if not self.state.isupport.is_channel(name):
            return
        reason = message.params[-1]
        self._wishes.refused(name, reason)
        if self._screen.pop(name, None) is not None:
            self._show([Message.lenient("PART", name, f"Could not join again: {reason}", source=self.state.source)])

    def _keep_channels(self, channels: tuple[Channel, ...]) -> None:
        self._keep(replace(self.network, channels=channels))

    # --- towards the network

    def send(self, session: Attached, message: Message) -> None:
        """Pass a client's line on, at the network's pace, or refuse it at once with the reason."""
        if message.command == "PART":
            self._part_from_screens(message)
        down = self.down
        if down and message.command in _WHILE_DOWN:
            _WHILE_DOWN[message.command](self, session, message)
            return
        if down:
            session.say(numerics.ERR_CANNOTSENDTOCHAN, message.param(0) or "*", f"Not sent: {down}")
            return
        out = self._outgoing(message)
        if out is None:
            return
        if out.command == "JOIN":
            names = out.param(0).split(",")
            self._wishes.asked(names, out.param(1).split(","))
            if all(name in self.state.channels for name in names):
                return  # it was detached, and is on the screens again
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

    def _part_from_screens(self, message: Message) -> None:
        """Channels that we are not in, but will be or were, are left at once; the network may not know of them."""
        gone = [name for name in message.param(0).split(",") if name and name not in self.state.channels]
        for name in gone:
            self._take_from_screens(name, message.param(1))
            self._forget(name)
        if gone:
            self.log.wake()

    def _take_from_screens(self, name: str, reason: str) -> None:
        """Leave a channel that we are not in."""
        if self._screen.pop(name, None) is not None and not self.is_detached(name):
            self._show([Message.lenient("PART", name, reason, source=self.state.source)])

    def _part_while_down(self, session: Attached, message: Message) -> None:
        """It is done already."""

    def _join_while_down(self, session: Attached, message: Message) -> None:
        """Remember what the user wants to be in."""
        names = [name for name in message.param(0).split(",") if self.state.isupport.is_channel(name)]
        for name in self._wishes.add(names, message.param(1).split(",")):
            session.reply(self._note(f"{self.down}. {name} will be joined when it is."))

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
                if message.command in OUR_QUESTIONS:
                    self._asks.note(message, OUR_QUESTIONS[message.command], self.state.isupport.fold, now)
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
        only = NOBODY if self.is_detached(conversation) else None
        return self.log.append(said, stamp, kind, conversation, device=session.device, origin=session, only=only)

    # --- the connection's life; the app tells of it

    def opened(self, server: str) -> None:
        """A connection stands; registration begins. It starts a new picture."""
        self.state = NetworkState(self._told_nick)
        self._refold()
        self._asks = Asks()
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
        for line in self.network.connect_commands:
            self._send_own(Message.parse(line.encode("utf-8", "surrogateescape")))
        self.join_wanted()

    def join_wanted(self) -> None:
        """JOIN every channel that the user wants and we are not in."""
        for line in self._wishes.missing(self.state.channels):
            self._send_own(line)

    def leave(self, names: Iterable[str]) -> None:
        """PART channels that the user does not want any more."""
        for name in names:
            if name in self.state.channels:
                self._send_own(Message.lenient("PART", name))
            else:
                self._take_from_screens(name, "")
        self.log.wake()

    def _send_own(self, message: Message) -> None:
        if self.uplink is not None and message.command:
            self.uplink.send(message)

    def closed(self, phase: Phase) -> None:
        """The connection has ended, or could not be made. Channels stay on the clients' screens."""
        state = self.state
        if state.registered:
            for name, channel in state.channels.items():
                if channel.synced or name not in self._screen:  # else its clients have seen nothing of this one yet
                    self._screen[name] = channel
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
        wishes.reconfigure(network.channels)
        if before == wishes.detached:
            return
        for name, channel in self.channels.items():
            was, now = wishes.fold(name) in before, wishes.is_detached(name)
            if now and not was:
                self._show([Message.lenient("PART", name, "Detached", source=self.state.source)])
            elif was and not now and wishes.find(name) is not None:
                self._show(joined(self, channel))
        self.log.wake()

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
            tuple(self._wishes.status(self.state.channels)),
            devices,
        )


def _quoted(message: Message) -> str:
    """What was not sent, as far as it can be shown: text, or else the command only (it may hold a password)."""
    return message.params[-1] if message.command in OWN_TEXT and message.params else message.command


_REACTIONS: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {"JOIN": Link._joined, "PART": Link._parted, "KICK": Link._kicked} | dict.fromkeys(CANNOT_JOIN, Link._cannot_join)
)
# To lines that no client sees.
_TO_THE_UNSEEN: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {
        numerics.RPL_WELCOME: Link._named,
        numerics.RPL_ENDOFMOTD: Link._greeted,
        numerics.ERR_NOMOTD: Link._greeted,
        "BATCH": Link._batched,
        "ACK": Link._acknowledged,
    }
)
# What a client may say of channels while its network is away.
_WHILE_DOWN: Mapping[str, Callable[[Link, Attached, Message], None]] = MappingProxyType(
    {"JOIN": Link._join_while_down, "PART": Link._part_while_down}
)
