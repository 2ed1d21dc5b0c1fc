"""Who asked: from a network's answer back to the client whose command it answers.

Owns the commands on their way. An asker is a value that comes back; what it is is not known here. Which numerics answer
which command is the table of `questions`.

An answer with a label of ours names its command (see `labels`). Without one: a server answers in order of the commands
it got. So an answer belongs to the oldest command on its way that takes it, and one that names its subject (a nick, a
channel) to the oldest that asked about that. Commands that may be answered with nothing are done when a later one gets
its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Generic, TypeVar

from bouncer.irc.casemap import Fold
from bouncer.irc.message import Message
from bouncer.upstream.labels import Labels
from bouncer.upstream.questions import ANY, KNOWN, Question, question_of

A = TypeVar("A")

PATIENCE = 60.0  # seconds; an answer that has not come by then will not, and must not wait for somebody else's
PENDING_LIMIT = 1000  # commands on their way; flood control lets a tenth of that out in PATIENCE
TRAIL = 5.0  # seconds in which lines may follow the end of an answer (329 after 324, 318 after 401)

# These name in their first parameter after our nick the command that they are about.
_ABOUT_A_COMMAND = frozenset({"263", "421", "461"})
_STANDARD_REPLIES = frozenset({"FAIL", "WARN", "NOTE"})
_NONE = frozenset[str]()


class _Ask(Generic[A]):
    """``left``: ends that are to come. ``closing``: what may still follow the end."""

    __slots__ = ("_fold", "_message", "_subjects", "asker", "closing", "command", "ended", "left", "question", "sent")

    def __init__(self, message: Message, question: Question, asker: A | None, fold: Fold, sent: float) -> None:
        self.command = message.command
        self.question = question
        self.asker = asker
        self.sent = sent
        self.left = question.due(message)
        self.ended = 0.0
        self.closing = _NONE
        self._message: Message | None = message
        self._fold = fold
        self._subjects = _NONE

    @property
    def subjects(self) -> frozenset[str]:
        """What it is about, folded; most commands are done before anybody wants to know."""
        if self._message is not None:
            self._subjects = frozenset(map(self._fold, self.question.asked(self._message)))
            self._message = None
        return self._subjects

    def closed_by(self, message: Message, fold: Fold) -> bool:
        """Whether this line may be one that follows the end."""
        return message.command in self.closing and self.question.is_about(self.subjects, message, fold)

    def is_named_by(self, message: Message) -> bool:
        """Whether this line follows the end and can't be another command's: it says whose, or ends nothing."""
        command, question = message.command, self.question
        return command in question.after or command in question.names or command in question.tests


class Asks(Generic[A]):
    """The commands of one connection that are on their way. Times are seconds; ``fold`` is the network's."""

    __slots__ = ("_labels", "_last", "_pending")

    def __init__(self) -> None:
        self._pending: list[_Ask[A]] = []
        self._last: _Ask[A] | None = None  # whose answer has just ended
        self._labels: Labels[_Ask[A]] = Labels()

    def __len__(self) -> int:
        return len(self._pending) + len(self._labels) + (self._last is not None)

    def next_label(self) -> str:
        """A label for a command; with it, :meth:`note` and :meth:`answer` go by that."""
        return self._labels.next()

    def note(self, message: Message, asker: A | None, fold: Fold, now: float) -> None:
        """A command of ``asker`` has gone out. What a command of None is answered is for all."""
        self._heal(now)
        ask = _Ask(message, question_of(message), asker, fold, now)
        label = message.tags.get("label") if message.tagtext else None
        if label is not None:
            self._labels.note(label, ask, now)
        elif len(self._pending) < PENDING_LIMIT:
            self._pending.append(ask)

    def gone(self, asker: A, heir: A) -> None:
        """``asker`` has left; what it asked is ``heir``'s."""
        last = [self._last] if self._last is not None else []
        for ask in chain(self._pending, self._labels, last):
            if ask.asker == asker:
                ask.asker = heir

    def batch(self, message: Message, now: float) -> None:
        """The network has begun or ended a batch."""
        self._labels.batch(message, now)

    def acknowledged(self, message: Message) -> None:
        """The network has done a command and has nothing to say, or not yet: another server may, without our label."""
        ask = self._labels.take(message)
        if ask is not None and not ask.question.quiet and len(self._pending) < PENDING_LIMIT:
            self._pending.append(ask)

    def answer(self, message: Message, fold: Fold, now: float) -> A | None:
        """Whose command this line answers, None if it is for all."""
        if message.tagtext and self._labels:
            labelled = self._labels.find(message, now)
            if labelled is not None:
                return labelled.asker if _is_answer(labelled.question, message) else None
        self._heal(now)
        command = message.command
        if not self._pending and self._last is None:
            return None
        if command in _ABOUT_A_COMMAND or command in _STANDARD_REPLIES:
            return self._refused(message, fold, now)
        last, place = self._last, self._find(message, fold)
        if last is not None and last.closed_by(message, fold) and (place is None or last.is_named_by(message)):
            last.closing -= {command}
            return _for(last, command)
        if place is None:
            return self._unforeseen(message, fold)
        return self._take(place, message, now)

    def _find(self, message: Message, fold: Fold) -> int | None:
        """The place of the oldest that takes it."""
        places = [place for place, ask in enumerate(self._pending) if message.command in ask.question.taken]
        for place in places:
            ask = self._pending[place]
            if ask.question.is_about(ask.subjects, message, fold):
                return place
        # a server may say the subject in words of its own
        return next((place for place in places if message.command in self._pending[place].question.loose), None)

    def _refused(self, message: Message, fold: Fold, now: float) -> A | None:
        """A line that names the command it is about; standard replies may say more of it."""
        command = message.command
        standard = command in _STANDARD_REPLIES
        named = message.param(0 if standard else 1).upper()
        places = [place for place, ask in enumerate(self._pending) if ask.command == named]
        if not places:
            return None
        context = set(map(fold, message.params[2:-1])) if standard else set[str]()
        place = next((place for place in places if self._pending[place].subjects & context), places[0])
        if standard and command != "FAIL":
            return self._pending[place].asker
        refused = self._pending[place]
        refused.closing |= refused.question.ends
        return self._end(place, now)

    def _unforeseen(self, message: Message, fold: Fold) -> A | None:
        """A numeric that no command of the table takes. An error that names what was asked about is for that asker;
        others, but for news, answer the one command that is not in the table."""
        command = message.command
        if not command.isdecimal():
            return None
        if command[0] in "45":
            named = fold(message.param(1))
            asked = next((ask for ask in self._pending if named in ask.subjects), None)
            if asked is not None:
                return asked.asker
        elif command in KNOWN:
            return None
        unknown: Iterator[_Ask[A]] = (ask for ask in self._pending if ask.question is ANY)
        first = next(unknown, None)
        return first.asker if first is not None and next(unknown, None) is None else None

    def _take(self, place: int, message: Message, now: float) -> A | None:
        ask = self._pending[place]
        question, command = ask.question, message.command
        self._last = None  # the server has gone on to this one
        if command in question.ends:
            ask.left -= question.ended_by(message)
        elif command in question.errors and (ask.left == 1 or question.each):
            ask.left -= 1
        else:
            return _for(ask, command)
        if ask.left <= 0:
            ask.closing |= question.after
            if command in question.errors:
                ask.closing |= question.ends
            self._end(place, now)
        return _for(ask, command)

    def _end(self, place: int, now: float) -> A | None:
        """The one at that place is done. So are those before it that needed no answer, and those of its kind that are
        answered in order: theirs is lost."""
        pending = self._pending
        done = pending[place]
        ordered = done.question if done.question.ordered else None
        earlier = [ask for ask in pending[:place] if not ask.question.quiet and ask.question is not ordered]
        self._pending = earlier + pending[place + 1 :]
        if done.closing:
            self._last = done
            done.ended = now
        return done.asker

    def _heal(self, now: float) -> None:
        pending = self._pending
        if pending and now - pending[0].sent > PATIENCE:
            self._pending = [ask for ask in pending if now - ask.sent <= PATIENCE]
        if self._last is not None and now - self._last.ended > TRAIL:
            self._last = None


def _for(ask: _Ask[A], command: str) -> A | None:
    return None if command in ask.question.shared else ask.asker


def _is_answer(question: Question, message: Message) -> bool:
    """Whether a line that a labelled command caused is for its asker; else it is news."""
    command = message.command
    if command.isdecimal():
        return command not in question.shared
    return command in _STANDARD_REPLIES or (command == "NOTICE" and "!" not in message.source)
