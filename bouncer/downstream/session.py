"""One attached client: a place in its network's log, and what it has proved to have read.

Owns the client's one ordered stream: text from the log, and answers to its own commands, each placed at the log's head
of its moment. Must not know what the lines say (that is `deliver`, `replay`, `commands`) nor how they travel.

Catching up, being slow and being live are one thing: a session reads from its place whenever its socket takes more.
Kept lines that memory no longer holds come from the store, a page at a time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import groupby
from typing import Any

from bouncer.downstream.asnow import Line
from bouncer.downstream.deliver import CRLF, FORMS_LIMIT, Renderer
from bouncer.downstream.dispatch import Command, dispatch
from bouncer.downstream.login import Arrival
from bouncer.downstream.missed import JITTER_MS, steady
from bouncer.downstream.place import Frame, Place
from bouncer.downstream.proofs import Proofs
from bouncer.downstream.replay import Replay
from bouncer.downstream.welcome import note
from bouncer.irc.caps import CapOffer
from bouncer.irc.message import Message
from bouncer.model.entry import PAST, SHOWN_KINDS, TEXT_KINDS, Kind
from bouncer.model.history import Mark
from bouncer.model.ports import Cancellable, Kept, Page, Run, Sink, Timers
from bouncer.model.questions import Excerpt, Unread

logger = logging.getLogger(__name__)

UNREADABLE = "The history can't be read at the moment; connect again later, nothing is lost"
FAULT = "Something went wrong in the bouncer; its log says what"
BURST = 256  # entries rendered into one write; larger ones would let one session's backlog stall the loop
PARKED_LIMIT = 64  # commands that wait for an answer from outside; then the client's socket is not read (design 2)
ANSWERS_LIMIT = 256  # answers that a client has not taken; then it may ask no more until it has
ANSWERS_BYTES = 1 << 20  # likewise; one NAMES of a large channel may have 100 kB
BEHIND_LIMIT = 20_000  # entries; who is further behind re-attaches and loses nothing (design 3.1)
PROOF_EVERY = 5.0  # seconds between two questions whether the client has read what it was sent, if not sooner
IDLE_PING = 90.0  # seconds of silence after which a client is asked for a sign of life ...
PING_TIMEOUT = 60.0  # ... and how long it may take; phones wake slowly

# Clients with these fetch what they missed themselves, and are pushed nothing when they come in (design 3.2).
ON_REQUEST = frozenset({"draft/chathistory", "znc.in/playback"})
# Those with this take joins and the like of the past for what they are.
EVENTS = "draft/event-playback"

Ask = Callable[["Session", object, Callable[[Any], None]], None]


class Session:
    """A client that is registered with us. A Follower of its network's log, and the far end of a socket."""

    def __init__(
        self,
        *,
        sink: Sink,
        place: Place,
        offer: CapOffer,
        renderer: Renderer,
        commands: Mapping[str, Command],
        arrival: Arrival,
        ask: Ask,
        timers: Timers,
        replay: Replay,
        proofs: Proofs,
    ) -> None:
        self.sink = sink
        self.place = place
        self.offer = offer
        self.arrival = arrival
        self.confirmed = 0  # the kept line up to which the client has proved to have read
        self.index = 0
        self.closed = False
        self._renderer = renderer
        self._commands = commands
        self._ask = ask
        self._timers = timers
        self._replay = replay
        self._proofs = proofs
        self.recapped()
        self._answers: deque[tuple[int, bytes]] = deque()  # (place in the log, whole lines)
        self._answers_size = 0
        self._asking = False
        self._unasked: tuple[object, Callable[[Any], None]] | None = None  # until the client has taken its answers
        self._parked: deque[Message] = deque()
        self._paging = False
        self._owed: deque[tuple[int, Unread]] = deque()  # (place in the log, what was not shown before it)
        self._gifts = 0
        self._given: dict[int, str] = {}  # channels of which all was given, by number, until the client has said so
        self._cursor = 0  # while catching up: the kept line read last ...
        self._upto = 0  # ... and the one up to which lines are missed
        self._page_lines = 0  # of the page that was asked for last ...
        self._paged_at = 0.0  # ... and when one was written
        self._held_back: list[Line] = []  # of missed lines, those that are later in time than the next ones
        self._sent = 0  # the kept line up to which all was written
        self._heard = timers.now()
        self._proof_at = 0.0  # when the last question went out
        self._answered_last = False  # the client has answered that one
        self._proof_due = False  # something was written since, and is to be asked for
        self._alarm: Cancellable | None = None
        self._alarm_at = 0.0

    @property
    def device(self) -> str:
        """The key of this client's position."""
        return self.arrival.device

    @property
    def nick(self) -> str:
        """What its lines are addressed to."""
        return self.place.state.nick

    @property
    def profile(self) -> int:
        """Its capabilities, as one number."""
        return self._profile

    @property
    def kinds(self) -> Set[Kind]:
        """What it is to be given of the past."""
        return self._kinds

    @property
    def now(self) -> float:
        """The time, in seconds since 1970 UTC."""
        return self._timers.now()

    def start(self, welcome: bytes, position: int) -> None:
        """Come in at the log's head: write the welcome, then all kept text after ``position``, then what comes.

        A client that fetches what it missed itself is at the head at once; its position follows with its next PONG.
        """
        log = self.place.log
        self.sink.write(welcome)
        self.index = log.head
        self.confirmed = position
        self._upto = log.seq
        self._sent = self._cursor = position if ON_REQUEST.isdisjoint(self.offer.enabled) else log.seq
        log.followers.append(self)
        self._set_alarm(self._timers.now() + IDLE_PING)
        self.wake()

    # --- towards the client

    def wake(self) -> None:
        """Write what the client has not got yet, as long as its socket takes it.

        Never raises: the others are woken after it, and the network's lines are not its own.
        """
        if self.closed or self._paging:
            return
        try:
            self._write_on()
        except Exception:
            logger.exception("an error of ours ends the session of %s", self.arrival.login.user)
            self.close(FAULT)

    def _write_on(self) -> None:
        log, sink, answers = self.place.log, self.sink, self._answers
        while not sink.full:
            if self._owed and self._owed[0][0] <= self.index:
                self._give()
                if self._paging:
                    return
                continue
            if self._cursor < self._upto:
                if not self._catch_up():
                    return
                continue
            index = self.index
            if index < log.tail:
                if log.lost(self.index) or log.head - self.index > BEHIND_LIMIT:
                    self.close("You were too far behind; connect again, nothing is lost")
                    return
                self._cursor, self._upto, self.index = self._sent, log.tail_seq, log.tail
                continue
            head = log.head
            end = answers[0][0] if answers else head
            if self._owed:
                end = min(end, self._owed[0][0])
            if index < end:
                end = min(end, index + BURST)
                self._write_burst(index, end)
                if end == head and not answers and not self._owed:
                    return  # as nearly always
            elif answers:
                lines = answers.popleft()[1]
                self._answers_size -= len(lines)
                sink.write(lines)
            else:
                return

    def _write_burst(self, start: int, end: int) -> None:
        log = self.place.log
        if start < log.past:
            data = self._with_past(start, end)
        else:
            data = self._renderer.burst(log, start, end, self._profile, self)
        self.index = end
        last = log.seq_at(end)
        if last > self._sent:
            self._sent = last
            if self._answered_last or not self._proof_due:  # else there is an alarm for the next one
                data += self._proof()
        if data:
            self.sink.write(data)

    def _with_past(self, start: int, end: int) -> bytes:
        """A burst with lines of the past in it: they are played as what was missed is. Readers with equal profiles
        share it, as they do other bursts."""
        log = self.place.log
        key = (start, end, self._profile)
        shared = log.forms.get(key)
        if shared is not None:
            return shared
        pieces = []
        common = len(log.forms) < FORMS_LIMIT
        for past, run in groupby(log.slice(start, end), key=lambda entry: entry.only is PAST):
            entries = list(run)
            common = common and (past or all(each.only is None and each.origin is None for each in entries))
            if past:
                lines = self._replay.entries(self, [entry for entry in entries if entry.kind in self._kinds])
                pieces.append(self._replay.written(self, lines))
            else:
                pieces.append(self._renderer.burst(log, start, start + len(entries), self._profile, self))
            start += len(entries)
        data = b"".join(pieces)
        if common:
            log.forms[key] = data
        return data

    def _catch_up(self) -> bool:
        """One step of reading missed lines; False while a page of them is on its way from the store."""
        log = self.place.log
        if self._cursor < log.tail_seq:
            upto = min(self._upto, log.tail_seq)
            took = self._timers.now() - self._paged_at
            self._page_lines = self._replay.next_page(self._page_lines, took)
            page = Page(log.network, self._cursor, upto, self._page_lines, self._kinds)
            self._paging = True
            self._ask(self, page, lambda rows: self._read_page(page, rows))
            return not self._paging  # the answer may have come at once
        start = log.resume(self._cursor)
        entries = log.slice(start, min(self.index, start + self._replay.page_lines))
        entries = [entry for entry in entries if entry.seq <= self._upto]
        reached = entries[-1].seq if entries else self._upto
        if start + self._replay.page_lines >= self.index:
            reached = self._upto
        self._write_missed(
            self._replay.entries(self, [entry for entry in entries if entry.kind in self._kinds]), reached
        )
        return True

    def _read_page(self, page: Page, rows: Run | None) -> None:
        self._paging = False
        if self.closed:
            return
        if rows is None:
            self.close(UNREADABLE)
            return
        reached = rows.seqs[-1] if len(rows) == page.limit else page.upto
        self._paged_at = self._timers.now()
        if not self._held_back and steady(rows.times):
            self._missed_to(reached, reached, self._replay.page(self, rows))
        else:
            self._write_missed(self._replay.kept(self, rows), reached)
        self.wake()
        self._go_on()

    def _write_missed(self, lines: list[Line], reached: int) -> None:
        """Write a page of what was missed, up to the kept line ``reached``, in order of time. Lines of the past have
        later numbers than what was said after them: this waits, as far as it fits a page, until they are there."""
        lines += self._held_back
        self._held_back = []
        if lines and reached < self._upto:
            newest = max(lines, key=lambda line: line[0].seq)[0].time + JITTER_MS
            early = [line for line in lines if line[0].time <= newest]
            if len(lines) - len(early) < self._replay.page_lines:
                self._held_back = [line for line in lines if line[0].time > newest]
                lines = early
        sent = min((entry.seq - 1 for entry, _ in self._held_back), default=reached)
        data = self._replay.written(self, lines)
        self._missed_to(reached, sent, [data] if data else [])

    def _missed_to(self, reached: int, sent: int, pieces: list[bytes]) -> None:
        """Write a page of what was missed, read up to one kept line and written up to another."""
        self._cursor = reached
        self._sent = max(self._sent, sent)
        if pieces or reached == self._upto:
            self._proof_at = 0.0  # the end of a piece of replay is always asked for
            if self._sent > self.confirmed:
                pieces.append(self._proof())
            self.sink.write(b"".join(pieces))  # once: it may be a megabyte

    def owe(self, channel: str, after: int, upto: int) -> None:
        """Give the client, at this place of the log, what it has not been shown of a channel."""
        if not ON_REQUEST.isdisjoint(self.offer.enabled):
            self.place.caught_up(self, channel)  # it asks for it when it sees the channel
            return
        log = self.place.log
        question = Unread(log.network, channel, after, upto, self._replay.page_lines, kinds=self._kinds)
        self._owed.append((log.head, question))

    def _give(self) -> None:
        """Ask for a page of what is owed first; nothing else is written until it is there."""
        index, question = self._owed.popleft()

        def render(answer: Excerpt | None) -> None:
            self._paging = False
            if self.closed:
                return
            if answer is None:  # live text goes on; it is owed still
                text = f"What was said in {question.target} can't be read at the moment; it comes when you reconnect."
                self.sink.write(note(self.nick, text).raw + CRLF)
                answer = Excerpt((), complete=False)
            data = self._replay.written(self, self._replay.kept(self, answer.rows, question.target))
            if answer.complete:
                self._gifts += 1
                self._given[self._gifts] = question.target
                data += b"PING :bnc-%x-%x\r\n" % (self._sent, self._gifts)
            elif answer.rows:
                last = answer.rows[-1]
                self._owed.appendleft((index, replace(question, start=Mark(last.time, last.seq))))
            self.sink.write(data)
            self.wake()
            self._go_on()

        self._paging = True
        self._ask(self, question, render)

    def rendered(self, message: Message) -> bytes:
        """A line of ours as this client takes it; b"" if it is not to see it."""
        return self._renderer.plain(message, self._profile)

    def reply(self, *messages: Message) -> None:
        """Answer the client, behind all that the log held when it asked."""
        self.reply_lines(b"".join(message.encode() + CRLF for message in messages))

    def reply_lines(self, lines: bytes) -> None:
        """Like :meth:`reply`, for lines that are rendered already (each with its line end)."""
        if self.closed or not lines:
            return
        self._answers.append((self.place.log.head, lines))
        self._answers_size += len(lines)
        self.wake()
        self._regulate()

    def history(self, rows: Sequence[Kept], frame: Frame) -> None:
        """Answer with lines out of the store, of one conversation or (with no target in the frame) of several."""
        self.reply_lines(self._replay.excerpt(self, rows, frame))

    def batch(self, messages: Sequence[Message], frame: Frame) -> None:
        """Answer with lines of ours that belong together."""
        self.reply_lines(self._replay.framed(self, [message.raw + CRLF for message in messages], frame))

    def say(self, numeric: str, *params: str) -> None:
        """Answer with a numeric, addressed to the client's nick."""
        self.reply(Message.lenient(numeric, self.nick or "*", *params, source=self.place.server))

    # --- proofs: the client's position moves only on its own word (design 3.1)

    def _proof(self) -> bytes:
        now = self._timers.now()
        if now < self._proof_at:
            self._proof_at = 0.0  # the clock was set back; an hour without a proof is an hour given twice
        if now - self._proof_at < PROOF_EVERY and not (self._answered_last and self._proofs.take(now)):
            if not self._proof_due:
                self._proof_due = True
                self._set_alarm(self._proof_at + PROOF_EVERY)
            return b""
        self._proof_at = now
        self._proof_due = self._answered_last = False
        return b"PING :bnc-%x\r\n" % self._sent

    def prove(self, token: str) -> bool:
        """The client has sent a PONG; True if it was one of ours."""
        mark, _, numbers = token.partition("-")
        number, _, given = numbers.partition("-")
        if mark != "bnc":
            return False
        try:
            seq, question = int(number, 16), int(given or "0", 16)
        except ValueError:
            return False
        if question in self._given:
            self.place.caught_up(self, self._given.pop(question))
        if self.confirmed < seq <= self._sent:
            self.confirmed = seq
            self.place.confirm(self)
            self._answered_last = True
            if seq < self._sent and not self.sink.full:
                self.sink.write(self._proof())
        return True

    def _set_alarm(self, when: float) -> None:
        if self._alarm is not None:
            if self._alarm_at <= when:
                return
            self._alarm.cancel()
        self._alarm_at = when
        self._alarm = self._timers.at(when, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self.closed:
            return
        now = self._timers.now()
        self._heard = min(self._heard, now)  # the clock may have been set back
        if self._proof_due and not 0 <= now - self._proof_at < PROOF_EVERY:
            self.sink.write(self._proof())
        silent = now - self._heard
        if silent >= IDLE_PING + PING_TIMEOUT:
            self.close("Ping timeout")
            return
        if silent >= IDLE_PING and self._proof_at <= self._heard:
            self._proof_at = 0.0
            self.sink.write(self._proof())
        next_check = self._heard + IDLE_PING if silent < IDLE_PING else self._heard + IDLE_PING + PING_TIMEOUT
        if self._proof_due:
            next_check = min(next_check, self._proof_at + PROOF_EVERY)
        self._set_alarm(next_check)

    # --- from the client

    def receive(self, messages: Sequence[Message]) -> None:
        """Do what the client says, in order; while a question is out, later commands wait."""
        self._heard = self._timers.now()
        for message in messages:
            if self.closed:
                return
            if self._parked or self._asking or (self._answers and self._laden()):
                self._parked.append(message)
            else:
                dispatch(self._commands, self, message)
        self._regulate()

    def _laden(self) -> bool:
        """Whether so many answers wait for the client that nothing that makes more is to be done."""
        return len(self._answers) >= ANSWERS_LIMIT or self._answers_size > ANSWERS_BYTES

    def _regulate(self) -> None:
        self.sink.hold(len(self._parked) >= PARKED_LIMIT or self._laden())

    def _go_on(self) -> None:
        """Do what had to wait, as far as it has not to wait on."""
        if self._unasked is not None and not self._laden():
            (question, render), self._unasked = self._unasked, None
            self._ask(self, question, lambda answer: self._answered(render, answer))
        while self._parked and not self._asking and not self._laden() and not self.closed:
            dispatch(self._commands, self, self._parked.popleft())
        self._regulate()

    def refused(self, count: int) -> None:
        """Lines of the client were longer than the limits allow (IRCv3 message-tags: 417)."""
        for _ in range(count):
            self.say("417", "Input line was too long")

    def ask(self, question: object, render: Callable[[Any], None]) -> None:
        """Ask the world outside; ``render`` gets the answer. Until then the client's later commands are parked.

        The question itself waits while the client does not take the answers that it has.
        """
        self._asking = True
        if self._laden():
            self._unasked = question, render
        else:
            self._ask(self, question, lambda answer: self._answered(render, answer))

    def _answered(self, render: Callable[[Any], None], answer: Any) -> None:
        self._asking = False
        if self.closed:
            return
        render(answer)
        self._go_on()

    def writable(self) -> None:
        """The socket takes bytes again."""
        self.wake()
        self._go_on()

    def recapped(self) -> None:
        """The client has changed its capabilities."""
        renderer, enabled = self._renderer, self.offer.enabled
        self._profile = profile = renderer.profile(enabled)
        # outside of a batch a line of the past would be taken for news
        batches = profile & renderer.batch and renderer.has_time(profile)
        self._kinds = SHOWN_KINDS if EVENTS in enabled and batches else TEXT_KINDS

    # --- the end

    def close(self, reason: str) -> None:
        """End this client's connection with a word why."""
        if not self.closed:
            self._end()
            self.sink.close(Message.lenient("ERROR", f"Closing link: {reason}").encode() + CRLF)

    def gone(self, reason: str) -> None:
        """The client's connection has ended by itself."""
        if not self.closed:
            self._end()

    def _end(self) -> None:
        self.closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self in self.place.log.followers:
            self.place.log.followers.remove(self)
        self.place.detach(self)
        self._answers.clear()
        self._parked.clear()
        self._owed.clear()
        self._unasked = None
