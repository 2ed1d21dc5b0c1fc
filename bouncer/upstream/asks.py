"""Who asked: from a network's answer back to the client whose command it answers.

Owns the table of commands and the numerics that answer them. An asker is a value that comes back; what it is is
not known here.

A server answers in order of the commands it got. So an answer belongs to the oldest command on its way that takes it;
one that names its subject (a nick, a channel) to the oldest that asked about that. Commands that are answered only if
they fail are done when a later one gets its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, TypeVar

from bouncer.irc.casemap import Fold
from bouncer.irc.message import Message

A = TypeVar("A")

PATIENCE = 60.0  # seconds; an answer that has not come by then will not, and must not wait for somebody else's
PENDING_LIMIT = 1000  # commands on their way; flood control lets a tenth of that out in PATIENCE


@dataclass(frozen=True, slots=True)
class Question:
    """What answers a command. ``replies`` come before the end, any of ``ends`` is the last; ``errors`` end it too.

    ``subjects``: for a numeric, which parameter names what was asked about (the command's own parameter ``about``).
    """

    replies: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    about: int = 0
    subjects: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def silent(self) -> bool:
        """Answered only if it fails."""
        return not self.replies and not self.ends


def _set(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in text.split():
        first, _, last = word.partition("-")
        found.update(f"{number:03}" for number in range(int(first), int(last or first) + 1))
    return frozenset(found)


def _named(replies: str, ends: str, errors: str, about: int = 0, at: int = 1, **others: int) -> Question:
    """A question whose answers name their subject in parameter ``at``, or where ``others`` (n353=2) say."""
    subjects = dict.fromkeys(_set(f"{replies} {ends} {errors}"), at)
    subjects.update({name[1:]: place for name, place in others.items()})
    return Question(_set(replies), _set(ends), _set(errors), about, MappingProxyType(subjects))


def _plain(replies: str, ends: str, errors: str = "") -> Question:
    return Question(_set(replies), _set(ends), _set(errors))


_TEXT = _named("", "", "401 403 404 407 408 411-415 477 482 486 489 492 531 716 717 742", at=1)
_CHANNEL = "403 442 461 476 479 482"
_WHOIS = "276 301 307 310-313 316 317 319 320 330 335 337 338 344 378 379 401 402 671 672 760"

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "PRIVMSG": _TEXT,
        "NOTICE": _TEXT,
        "TAGMSG": _TEXT,
        "JOIN": _named("", "", "403 405 407 437 448 470 471 473-477 479 489 495 520"),
        "PART": _named("", "", _CHANNEL),
        "KICK": _named("", "", f"{_CHANNEL} 401 441 484 485 972"),
        "NICK": _plain("", "", "431-433 435-438 447 484 495"),
        "INVITE": _plain("336 346", "337 341 347", f"{_CHANNEL} 401 443 518"),
        "KNOCK": _plain("", "710 711", "401 403 480 712-714"),
        "TOPIC": _named("332", "331 333", _CHANNEL),
        "MODE": _plain(
            "324 346 348 367 728", "221 329 347 349 368 729", f"{_CHANNEL} 401 467 472 477 478 501 502 696 974"
        ),
        "NAMES": _named("353", "366", "401 403", n353=2),
        "WHO": _plain("352 354", "315", "401-403 416 522"),
        "WHOIS": _named(_WHOIS, "318", "431", about=-1),
        "WHOWAS": _named("312 314 330 338 378 379 406", "369", "431"),
        "LIST": _plain("321 322", "323", "402 416"),
        "USERHOST": _plain("", "302"),
        "ISON": _plain("", "303"),
        "TIME": _plain("", "391", "402"),
        "VERSION": _plain("", "351", "402"),
        "MOTD": _plain("372 375", "376 422", "402"),
        "LUSERS": _plain("250-255 265", "266", "402"),
        "ADMIN": _plain("256-258", "259", "402 423"),
        "INFO": _plain("371 373", "374", "402"),
        "STATS": _plain("210-218 220-250", "219", "402 481"),
        "LINKS": _plain("364", "365", "402"),
        "MAP": _plain("006 015", "007 017", "481"),
        "TRACE": _plain("200-208 261", "262", "402"),
        "USERS": _plain("392 393", "394 395", "402 424 446"),
        "HELP": _plain("704 705", "706", "524"),
        "HELPOP": _plain("290-294 704 705", "706", "524"),
        "OPER": _plain("", "381", "464 491"),
        "KILL": _named("", "", "401 481 483"),
        "WALLOPS": _plain("", "", "481"),
        "SILENCE": _plain("271", "272", "511"),
        "ACCEPT": _plain("281", "282", "456-458"),
    }
)
_ANY = Question()
# These name in their first parameter after our nick the command that they are about.
_ABOUT_A_COMMAND = frozenset({"263", "421", "461"})
_STANDARD_REPLIES = frozenset({"FAIL", "WARN", "NOTE"})


@dataclass(slots=True)
class _Pending(Generic[A]):
    command: str
    question: Question
    subject: str
    asker: A
    sent: float


class Asks(Generic[A]):
    """The commands of one connection that are on their way. Times are seconds; ``fold`` is the network's."""

    def __init__(self) -> None:
        self._pending: list[_Pending[A]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def note(self, message: Message, asker: A, fold: Fold, now: float) -> None:
        """A command of ``asker`` has gone out."""
        self._heal(now)
        question = QUESTIONS.get(message.command, _ANY)
        subject = message.params[question.about] if message.params else ""
        if len(self._pending) < PENDING_LIMIT:
            self._pending.append(_Pending(message.command, question, fold(subject), asker, now))

    def answer(self, message: Message, fold: Fold, now: float) -> A | None:
        """Whose command this line answers, None if it is for all."""
        pending = self._pending
        if not pending:
            return None
        self._heal(now)
        command = message.command
        if command in _ABOUT_A_COMMAND or command in _STANDARD_REPLIES:
            named = message.param(0 if command in _STANDARD_REPLIES else 1).upper()
            found = next((place for place, ask in enumerate(pending) if ask.command == named), None)
            return None if found is None else self._take(found, ends=command != "NOTE")
        for place, ask in enumerate(pending):
            question = ask.question
            ends = command in question.ends or command in question.errors
            if (ends or command in question.replies) and self._is_about(ask, message, fold):
                return self._take(place, ends=ends)
        return None

    def _is_about(self, ask: _Pending[A], message: Message, fold: Fold) -> bool:
        place = ask.question.subjects.get(message.command)
        return place is None or not ask.subject or fold(message.param(place)) in ask.subject.split(",")

    def _take(self, place: int, *, ends: bool) -> A:
        """The asker at that place; those before it that would only have been told of a failure have had none."""
        pending = self._pending
        taken = pending[place]
        rest = pending[place + 1 :] if ends else pending[place:]
        self._pending = [ask for ask in pending[:place] if not ask.question.silent] + rest
        return taken.asker

    def _heal(self, now: float) -> None:
        pending = self._pending
        if pending and now - pending[0].sent > PATIENCE:
            self._pending = [ask for ask in pending if now - ask.sent <= PATIENCE]
