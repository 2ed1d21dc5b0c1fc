"""One user's one network, across reconnects: its log, its picture, and the sessions attached to it.

Owns the way of a line: from the network into the log, from a client to the network, and which of them is kept. Must
not know asyncio, SQL or sockets: the uplink, the archive and the timers are ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from bouncer.core.channels import REACTIONS, Channels
from bouncer.core.ctcp import Ctcp
from bouncer.core.detached import OF_PEOPLE
from bouncer.core.gaps import NAME as GAP
from bouncer.core.gaps import Gaps
from bouncer.core.joins import logs_in
from bouncer.core.outbox import Outbox
from bouncer.core.positions import Positions
from bouncer.core.presence import Presence
from bouncer.core.redactions import Redactions
from bouncer.core.replayed import Replayed
from bouncer.core.screening import Screening
from bouncer.core.status import LinkStatus, Phase, obituary, printable
from bouncer.downstream.markers import Markers
from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import note, supports, welcome
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.entry import NOBODY, TEXT_KINDS, Entry, ImportedEntry, Kind
from bouncer.model.log import Log
from bouncer.model.past import PastLine
from bouncer.model.ports import Archive, Timers, Uplink
from bouncer.model.questions import Recall, unanswered
from bouncer.model.records import Channel, Network, User, nick_of
from bouncer.model.state import ChannelState, NetworkState
from bouncer.upstream.clock import said_at
from bouncer.upstream.past import past
from bouncer.upstream.services import is_secret
from bouncer.upstream.tracked import SHOWN, Effect, Row, is_reaction

OWN_TEXT: Mapping[str, Kind] = MappingProxyType({"PRIVMSG": Kind.PRIVMSG, "NOTICE": Kind.NOTICE, "TAGMSG": Kind.NONE})
PRIVMSG: Final = Kind.PRIVMSG
RENAME: Final = Kind.RENAME
UNLOGGED_LIMIT = 1000  # channels not to be kept, with all the names that the network gives them
# What we say ourselves and is answered: to get the wanted nick back, which is nobody's news, and to be in channels,
# which is everybody's, once.
OUR_QUESTIONS = frozenset({"ISON", "NICK", "MONITOR", "JOIN"})


class Link:
    """One network of one user. Also the Place where its sessions are."""

    __slots__ = (
        "_archive",
        "_changed",
        "_channels",
        "_ctcp",
        "_gaps",
        "_guarded",
        "_heard",
        "_hostname",
        "_keep",
        "_left_off",
        "_listening",
        "_lost_at",
        "_outbox",
        "_phase",
        "_presence",
        "_redactions",
        "_replayed",
        "_screening",
        "_timers",
        "_told_nick",
        "_told_tokens",
        "_tracked",
        "_version",
        "_was_down",
        "log",
        "markers",
        "network",
        "positions",
        "sessions",
        "state",
        "uplink",
        "user",
    )

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
        recall: Recall = unanswered,
    ) -> None:
        self._changed = changed  # who is told when we stand otherwise with the network
        self.user = user
        self.network = network
        self.log = log
        self.state = NetworkState(nick_of(user, network))
        self.uplink: Uplink | None = None
        self.sessions: list[Attached] = []
        self.positions = Positions(network.id, positions, archive)
        self.markers = Markers(lambda target, time: archive.put_marker(network.id, target, time))
        self.phase = Phase("disconnected", timers.now())
        self._archive = archive
        self._tracked = tracked
        self._timers = timers
        self._hostname = hostname
        self._version = version
        self._keep = keep
        self._ctcp = Ctcp(version)
        self._gaps = Gaps(timers, say=self._send_own, keep=self.positions.put_gap)
        self._replayed = Replayed(
            network.id,
            timers,
            recall,
            read=self._read_past,
            insert=self._insert,
            came=self._gaps.came,
            kept=self._gaps.kept,
        )
        self._heard = max(0.0, log.last_time / 1000)  # when the network last said something
        self._lost_at = log.last_time  # when we last heard the network before this connection, in milliseconds
        if GAP in positions or log.last_time:
            self._gaps.ended(
                [channel.name for channel in network.channels], min(positions.get(GAP, log.last_time), log.last_time)
            )
        self._channels = Channels(
            self,
            network,
            timers,
            say=self._send_own,
            show=self._show,
            keep=self._keep_channels,
            entered=self._gaps.entered,
        )
        self._left_off = self.positions.left_off
        self._redactions = Redactions(log, archive)
        self._outbox = Outbox(self, self._send_own)
        self._presence = Presence(network, timers, say=self._send_own, keep=self._keep_away)
        self._screening = Screening((), (), self.state.isupport.fold)
        self._guarded = self._listening = False  # whether lines are to be held against rules, and text in channels
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
        return self._channels.shown

    @property
    def server(self) -> str:
        """The network's own server name, else ours."""
        return self.state.server or self._hostname

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
        return self._channels.is_detached(channel)

    def attach(self, session: Attached, position: int) -> None:
        """Let a client in: the greeting, what it missed after ``position``, then all that comes."""
        self.sessions.append(session)
        greeting = b"".join(session.rendered(message) for message in welcome(self, self._version, session.arrival.nick))
        for name, after in self._left_off.places(session.device).items():
            if not self._channels.wants(name):
                self._left_off.forget(name)
            elif not self.is_detached(name):  # it was shown again while this device was not here
                session.owe(name, after, position)
        session.start(greeting, position)
        if self.down:
            session.reply(self._note(f"{self.down}."))
        self._presence.attached(session)

    def detach(self, session: Attached) -> None:
        """A session has ended."""
        if session in self.sessions:
            self.sessions.remove(session)
            self.confirm(session)
            if all(each.device != session.device for each in self.sessions):
                self._left_off.gone(session.device)
            self._presence.detached(session)
        self._outbox.asks.gone(session, NOBODY)
        self.log.trim()

    def confirm(self, session: Attached) -> None:
        """A device counts as far as the least that any of its sessions has confirmed."""
        device = session.device
        least = min((each.confirmed for each in self.sessions if each.device == device), default=-1)
        if least > self.positions.get(device, -1):
            self.place_device(device, least)

    def place_device(self, device: str, seq: int) -> None:
        """Note where a device is."""
        self.positions.put(device, seq, {each.device for each in self.sessions}, self._channels.detached)

    def caught_up(self, session: Attached, channel: str) -> None:
        """A device has got what was said in a channel while it was detached."""
        self._left_off.caught_up(session.device, channel)

    # --- from the network

    def receive(self, messages: Sequence[Message], now: float) -> None:
        """The lines of one read: into the picture, into the log, then to all who follow it."""
        state, log, tracked = self.state, self.log, self._tracked
        channels, asks = self._channels, self._outbox.asks
        self._heard = now
        stamp = self._stamp(now)
        kept: list[Entry] = []
        held = self._replayed.batches.open
        for message in messages:
            if held and "batch=" in message.tagtext and self._replayed.took(message, now):
                continue
            command = message.command
            guarded = self._guarded
            if guarded and self._screening.ignores(message) and not state.is_me(message.nick):
                continue
            hushed = guarded and command in OF_PEOPLE and channels.hides(message.nick)
            row = tracked.get(command)
            effect: Effect = row(state, message) if row is not None else SHOWN
            if effect is None:
                reaction = _TO_THE_UNSEEN.get(command)
                if reaction is not None:
                    reaction(self, message)
                continue
            kind, target = effect
            if kind is PRIVMSG and not guarded and not channels.returning:  # what most lines are: text for all
                time = said_at(message, stamp, now) if message.tagtext else stamp
                kept.append(log.append(message, time, PRIVMSG, target))
                continue
            if guarded and self._listening and kind in TEXT_KINDS:
                channels.heard(message, target)
            unseen = hushed or ((guarded or channels.returning) and channels.is_unseen(message, target))
            time = said_at(message, stamp, now) if message.tagtext else stamp
            only: object = NOBODY if unseen else None
            if not kind:
                if asks:
                    only = asks.answer(message, state.isupport.fold, now) or only
                if command == "PRIVMSG" and only is not NOBODY:
                    self._asked_by_ctcp(message, now)
            if guarded and not self._screening.keeps(target):
                kind = Kind.NONE
            if kind or (only is not NOBODY and log.followers):  # what is not kept is for those who are there
                also = state.seen_in if kind and (not target or kind is RENAME) else ()
                entry = log.append(message, time, kind, target, only=only, also=also)
                if kind:
                    kept.append(entry)
            changes = _CHANGES.get(command)
            if changes is not None:
                changes(self, message)
        if self._redactions.stirred:
            self._redactions.settle(state, kept)
        if kept:
            self._archive.append(self.network.id, kept)
        if channels.stirred or channels.returning:
            channels.settle()
        if self._gaps.stirred:
            self._gaps.ask()
        log.wake()

    def _read_past(self, message: Message, conversation: str, now: float) -> PastLine | None:
        """A line of history as it is kept, None if it is not: it changes nothing, and nobody is asked to act on it."""
        if message.command == "REDACT":
            self._redactions.told_of_past(self.state, message, conversation)
            return None
        mine, screening = self.state.is_me(message.nick), self._screening
        line = past(self.state, message, conversation, int(now * 1000), now)
        if line is None or not screening.keeps(line.target) or (screening.ignores(message) and not mine):
            return None
        return line

    def _insert(self, lines: Sequence[PastLine]) -> None:
        """Keep lines of the past, which have been missed by all devices, and show them to those who are here."""
        if self._redactions.stirred:
            self._redactions.settle(self.state, ())
        left = map(self._behind_the_last, self._redactions.left_of(lines))
        self._archive.append(self.network.id, [self.log.insert(line) for line in left])
        self.log.wake()

    def _behind_the_last(self, line: PastLine) -> PastLine:
        """Where a network's history has whole seconds only, what we missed in the second in which we lost it came after
        what we heard."""
        if line.time % 1000 == 0 and line.time < self._lost_at < line.time + 1000:
            return line._replace(time=self._lost_at)
        return line

    def import_lines(self, lines: Sequence[PastLine]) -> None:
        """Keep lines of the past: at their times, under new numbers. Nobody is shown them as they come."""
        first = self.log.take(len(lines))
        self._archive.append(
            self.network.id,
            [
                ImportedEntry(
                    seq, line.time, Message.parse(line.raw), line.kind, line.target, line.device, also=line.also
                )
                for seq, line in enumerate(lines, first)
            ],
        )

    def _stamp(self, now: float) -> int:
        log, stamp = self.log, int(now * 1000)
        if stamp < log.last_time:
            return log.last_time
        log.last_time = stamp
        return stamp

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

    def _described(self, message: Message) -> None:
        """The network has told of itself, perhaps how it compares names."""
        if self.state.isupport.fold is not self._channels.fold:
            self._refold()

    def _refold(self) -> None:
        """The network has another case mapping than we took it to have."""
        self._channels.refold(self.user)
        self._set_rules()

    # --- what a line changes for us

    def _named(self, message: Message) -> None:
        """The network has let us in, perhaps under another nick than the clients know."""
        told, self._told_nick = self._told_nick, self.state.nick
        if told != self._told_nick:
            self._show([Message.lenient("NICK", self._told_nick, source=told)])

    def _greeted(self, message: Message) -> None:
        """The network has said what it is: news for those who came before it was there."""
        tokens = self.state.isupport.tokens
        if tokens != self._told_tokens:
            self._told_tokens = tokens
            if self.sessions:
                self._show(supports(self))
        if self.state.registered:
            self._gaps.begin(self.state, message)

    def _asked_by_ctcp(self, message: Message, now: float) -> None:
        """A CTCP: the devices answer it, or, if none is there and it is for us alone, we do."""
        self._ctcp.asked(message, self.state.isupport.fold, now)
        if not self.sessions and self.state.is_me(message.param(0)):
            answer = self._ctcp.answer(message, now)
            if answer is not None:
                self._send_own(answer)

    def _came_or_went(self, message: Message) -> None:
        """A nick that is watched; if by us alone, nobody has asked."""
        if self._outbox.watching:
            self._show([message])

    def _batched(self, message: Message) -> None:
        now = self._timers.now()
        self._outbox.asks.batch(message, now)
        self._replayed.batched(message, now)

    def _failed(self, message: Message) -> None:
        """A refusal that is not for clients."""
        if message.param(0).upper() == "CHATHISTORY":
            self._gaps.refused()

    def _acknowledged(self, message: Message) -> None:
        self._outbox.asks.acknowledged(message)

    def _redacted(self, message: Message) -> None:
        self._redactions.told(self.state, message)

    def _renamed(self, message: Message) -> None:
        """RENAME. What holds for a channel holds for it under its new name."""
        old, new = message.param(0), message.param(1)
        read = self.markers.time(old)
        if read is not None:
            self.markers.move(new, read)
        self._left_off.renamed(old, new)
        self._channels.renamed(message)
        if (
            not self._screening.keeps(old)
            and self._screening.keeps(new)
            and len(self.network.unlogged) < UNLOGGED_LIMIT
        ):
            self._keep(replace(self.network, unlogged=(*self.network.unlogged, new)))

    def _keep_channels(self, channels: tuple[Channel, ...]) -> None:
        self._keep(replace(self.network, channels=channels))

    def _keep_away(self, text: str) -> None:
        self._keep(replace(self.network, away_text=text))

    # --- towards the network

    def send(self, session: Attached, message: Message) -> None:
        """Pass a client's line on, at the network's pace, or refuse it at once with the reason."""
        rule = _OUR_BUSINESS.get(message.command)
        if rule is None:
            self._outbox.pass_on(session, message)
            return
        for line in rule(self, session, message):
            self._outbox.pass_on(session, line)

    def _away_said(self, session: Attached, message: Message) -> Sequence[Message]:
        self._presence.said(session, message)
        return ()

    def _join_said(self, session: Attached, message: Message) -> Sequence[Message]:
        return self._channels.join_said(session, message)

    def _part_said(self, session: Attached, message: Message) -> Sequence[Message]:
        return self._channels.part_said(session, message)

    def _notice_said(self, session: Attached, message: Message) -> Sequence[Message]:
        late = self._ctcp.is_late(message, self.state.isupport.fold, self._timers.now())
        return () if late else (message,)

    def sent(self, messages: Sequence[Message], now: float) -> None:
        """Lines have gone out to the network: what the user said is said from now on."""
        stamp = self._stamp(now)
        kept: list[Entry] = []
        for message in messages:
            session = self._outbox.sent(message, now)
            if session is None:
                self._note_own(message, now)
                continue
            if message.command not in OWN_TEXT or (len(message.params) < 2 and message.command != "TAGMSG"):
                continue  # not text, or text without a word, which is refused
            targets = message.param(0)
            for target in targets.split(",") if "," in targets else (targets,):
                if target:
                    entry = self._said(message, target, session, stamp)
                    if entry.kind:
                        kept.append(entry)
        if kept:
            self._archive.append(self.network.id, kept)
        self.log.wake()

    def _note_own(self, message: Message, now: float) -> None:
        """A line of ours has gone out; where it is answered, see for whom."""
        if message.command in OUR_QUESTIONS:
            known = message.command != "JOIN" or self._channels.are_retries(message)
            self._outbox.asks.note(message, NOBODY if known else None, self.state.isupport.fold, now)
        elif message.command == "CHATHISTORY":
            self._gaps.went_out(now)

    def _said(self, message: Message, target: str, session: Attached, stamp: int) -> Entry:
        state = self.state
        said = message.said_to(target, state.source)
        kind = OWN_TEXT[message.command]
        if message.tagtext:
            tags = {tag: value for tag, value in message.tags.items() if tag[:1] == "+"}
            said = said.replace(tags=tags) if tags else said
            kind = Kind.TAGMSG if not kind and is_reaction(message) else kind
        text = message.param(1)
        if text[:1] == "\x01" and not (kind is Kind.PRIVMSG and text.startswith("\x01ACTION")):
            kind = Kind.NONE
        conversation = state.isupport.strip_status(target)
        if not state.isupport.is_channel(conversation) and is_secret(target, text):
            kind = Kind.NONE
        if self._guarded:
            self._channels.spoken(conversation)
            kind = kind if self._screening.keeps(conversation) else Kind.NONE
        only = NOBODY if self.is_detached(conversation) else None
        return self.log.append(said, stamp, kind, conversation, session.device, session, only)

    # --- the connection's life; the app tells of it

    def opened(self, server: str) -> None:
        """A connection stands; registration begins. It starts a new picture."""
        self.state = NetworkState(self._told_nick)
        self._refold()
        self._outbox.opened()
        self._presence.opened()
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
        self._channels.begin(hold=not known and any(map(logs_in, commands)))
        self._presence.begin()

    def join_wanted(self) -> None:
        """JOIN the channels that the user wants and that are not waiting for something."""
        self._channels.act()

    def leave(self, names: Iterable[str]) -> None:
        """PART channels that the user does not want any more."""
        self._channels.leave(names)
        self.log.wake()

    def _send_own(self, message: Message) -> bool:
        return self.uplink is not None and message.command != "" and self.uplink.send(message)

    def closed(self, phase: Phase) -> None:
        """The connection has ended, or could not be made. Channels stay on the clients' screens."""
        state = self.state
        self._channels.ended()
        self._presence.ended()
        self._replayed.ended(self._heard)
        if state.registered:
            self._lost_at = int(self._heard * 1000)
            self._gaps.ended([channel.name for channel in state.channels.values()], self._lost_at)
            self._told_nick = state.nick
            state.registered = False
            state.channels = CaseMap(state.isupport.fold)
            self._outbox.ended()
        repeated = self._was_down and phase.reason == self.phase.reason
        self.phase = phase
        self._was_down = True
        if not repeated:
            self.tell(obituary(self.network.name, phase, self._timers.now()))

    def reconfigure(self, user: User, network: Network) -> None:
        """The user's or network's settings are these now."""
        self.user, self.network = user, network
        self._presence.reconfigure(network)
        turned = self._channels.reconfigure(user, network)
        self._set_rules()
        for name in turned.hidden:
            self._left_off.detached(name, {session.device for session in self.sessions}, self.log.seq)
        for name in turned.shown:
            self._owe(name)
        for name in turned.forgotten:
            self._left_off.forget(name)
        if turned.hidden or turned.shown:
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
        self._guarded = bool(self._screening) or self._channels.guarded
        self._listening = self._channels.listening

    def status(self) -> LinkStatus:
        """What is to be said of this link."""
        phase = self.phase
        return LinkStatus(
            phase.state,
            phase.server,
            self.state.nick,
            phase.since,
            printable(phase.reason),
            phase.next_try,
            self._channels.status(),
            tuple(session.device for session in self.sessions),
        )


def _of_channels(changes: Callable[[Channels, Message], None]) -> Callable[[Link, Message], None]:
    return lambda link, message: changes(link._channels, message)


# To lines that no client sees.
_TO_THE_UNSEEN: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {
        numerics.RPL_WELCOME: Link._named,
        numerics.RPL_ISUPPORT: Link._described,
        numerics.RPL_ENDOFMOTD: Link._greeted,
        numerics.ERR_NOMOTD: Link._greeted,
        numerics.RPL_LOGGEDIN: lambda link, message: link._channels.logged_in(message),
        numerics.RPL_MONONLINE: Link._came_or_went,
        numerics.RPL_MONOFFLINE: Link._came_or_went,
        "BATCH": Link._batched,
        "ACK": Link._acknowledged,
        "FAIL": Link._failed,
    }
)
# To lines that they may see.
_CHANGES: Mapping[str, Callable[[Link, Message], None]] = MappingProxyType(
    {command: _of_channels(changes) for command, changes in REACTIONS.items()}
    | {"REDACT": Link._redacted, "RENAME": Link._renamed}
)
# What a client may say that is ours to see to, also while the network is away.
_OUR_BUSINESS: Mapping[str, Callable[[Link, Attached, Message], Sequence[Message]]] = MappingProxyType(
    {"AWAY": Link._away_said, "JOIN": Link._join_said, "NOTICE": Link._notice_said, "PART": Link._part_said}
)
