"""Questions that a session or a link asks of the world outside, and whose answers it uses when they come.

Owns the shapes. Who answers is decided in `app`; a session never waits, it is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum

from bouncer.model.entry import TEXT_KINDS
from bouncer.model.history import Mark, Trace
from bouncer.model.ports import Kept


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A line said to ``*bouncer``; the answer is a list of lines of text."""

    text: str


@dataclass(frozen=True, slots=True)
class ListNetworks:
    """The user's networks; the answer is a mapping of their ids to their attributes (`downstream.networks`)."""


@dataclass(frozen=True, slots=True)
class AddNetwork:
    """A network to make, with these attributes; the answer is its id, or NotDone."""

    attributes: Mapping[str, str] = field(repr=False)  # one of them is a password


@dataclass(frozen=True, slots=True)
class ChangeNetwork:
    """A network's attributes to change; the answer is its id, or NotDone."""

    netid: int
    attributes: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeleteNetwork:
    """A network to forget; the answer is its id, or NotDone."""

    netid: int


@dataclass(frozen=True, slots=True)
class NotDone:
    """Why a network was not changed: a ``code`` of the bouncer-networks specification, a sentence, and the attribute
    that it is about ("" if it is about none)."""

    code: str
    text: str
    attribute: str = ""


class Way(Enum):
    """Which lines of a conversation are read, from a first place and perhaps to a second one."""

    OLDER = "older"  # those before the first place (the end of history, without one), the newest of them
    NEWER = "newer"  # those after it, the oldest of them
    TOWARDS = "towards"  # those between the two, the nearest to the first one
    AROUND = "around"  # those on both sides of the first place, and the one that stands there


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one conversation; the answer is an Excerpt, or NoSuchLine.

    ``target`` is a name as anybody may spell it. Places are times (milliseconds, int), msgids (str) or marks; lines
    that stand there are left out. ``upto`` is the log's last number now: what comes later is not asked for. ``follow``:
    the target is a person, and what was said under earlier nicks counts too.
    """

    network: int
    target: str
    upto: int
    limit: int
    way: Way
    start: int | str | Mark | None = None
    end: int | str | Mark | None = None
    kinds: Set[int] = TEXT_KINDS
    follow: bool = False


@dataclass(frozen=True, slots=True)
class Unread:
    """The lines of one conversation with ``after < seq <= upto`` (numbers in the network's history), the oldest first;
    of a next page, those that stand behind the mark ``start``. The answer is an Excerpt."""

    network: int
    target: str
    after: int
    upto: int
    limit: int
    start: Mark | None = None
    kinds: Set[int] = TEXT_KINDS


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a conversation, in their order. ``complete``: there are no more of those that were asked for."""

    rows: Sequence[Kept]
    complete: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Which of these lines of a network are kept already; the answer is a set of their places (`History.known`)."""

    network: int
    traces: Sequence[Trace]


Recall = Callable[[Known, Callable[[Set[int] | None], None]], None]
"""How the core asks; what is given is called later with the answer, None if it can't be had."""


def unanswered(question: Known, answer: Callable[[Set[int] | None], None]) -> None:
    """Where there is nobody to ask."""
    answer(None)


@dataclass(frozen=True, slots=True)
class NoSuchLine:
    """A msgid that no line of that network has."""

    msgid: str


@dataclass(frozen=True, slots=True)
class Talks:
    """The conversations whose latest line was said between two times (milliseconds, both left out); the answer is a
    sequence of Talk, the earliest first."""

    network: int
    after: int
    before: int
