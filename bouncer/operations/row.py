"""The shape of one row of the table of operations, of what it is called with, and of what it answers.

Owns the types only. Must not know any operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bouncer.operations.context import Context


class Who(Enum):
    """Who may."""

    USER = "user"
    ADMIN = "admin"


class Takes(Enum):
    """The object an operation works on; the value is how help writes it."""

    NOTHING = ""
    USER = "USER"
    NETWORK = "NETWORK"
    CHANNEL = "NETWORK/#CHANNEL"
    DEVICE = "DEVICE"
    SCOPE = "USER[/NETWORK]"  # a user, for all networks, or one network


class LeftOut(Enum):
    """What it means when the object is not given."""

    REFUSED = "refused"
    OWN = "own"  # inside IRC the asker's own (their account, the network they are attached to); else refused
    ALL = "all"  # all that the asker may see: inside IRC their own, on the command line everybody's


class Need:
    """The type of :data:`NEEDED`."""


NEEDED = Need()  # the default of a key that can't be emptied


@dataclass(frozen=True, slots=True)
class Key:
    """One ``KEY=VALUE`` of an operation, and the same key of the state file.

    ``parse`` takes the text after ``=``, or the value as TOML gave it, and raises Refused with what is wrong with it.
    ``KEY=`` (nothing after it) gives ``default``. ``reconnects`` is true when a network is
    told of it only at the start of a connection.
    """

    name: str
    help: str
    example: str
    parse: Callable[[object], Any]
    default: Any = ""
    who: Who = Who.USER
    secret: bool = False
    many: bool = False  # may be given several times: the values are joined
    reconnects: bool = False
    shown: Callable[[Any], str] | None = None  # what may be shown of a secret; None: only that there is one


@dataclass(frozen=True, slots=True)
class Target:
    """The object's names as they were typed; "" where not given."""

    user: str = ""
    network: str = ""
    channel: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the object, and the parsed values by key name."""

    target: Target = Target()
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # they may hold secrets


@dataclass(frozen=True, slots=True)
class Result:
    """An answer: lines for people (no line ends in them) and the same for programs, fit for JSON."""

    lines: tuple[str, ...] = ()
    data: Any = None
    secret: bool = False  # the lines hold secrets: not for a screen that others may read

    def __repr__(self) -> str:
        return f"<Result of {len(self.lines)} lines>"


@dataclass(frozen=True, slots=True)
class Operation:
    """A row. ``words`` is what is typed; ``summary`` one line; ``teaches`` the help's text; ``examples`` are typed
    words in which ``{user}``, ``{network}``, ``{channel}``, ``{device}`` and ``{scope}`` stand for an object as the
    skin writes it (``{scope}``, the user where a list of theirs is meant, is nothing inside IRC).

    ``rest`` is the key whose value is all that stands behind the object, without ``KEY=`` before it.
    """

    words: str
    summary: str
    teaches: str
    examples: tuple[str, ...]
    run: Callable[[Context, Call], Awaitable[Result]]
    who: Who = Who.USER
    takes: Takes = Takes.NOTHING
    left_out: LeftOut = LeftOut.REFUSED
    keys: tuple[Key, ...] = ()
    rest: str = ""
    mixes: bool = False  # the other keys may stand among the words of ``rest``, which may then be left out
    reads: bool = False
    here: bool = True  # false: on the command line only

    @property
    def group(self) -> str:
        """Its first word."""
        return self.words.partition(" ")[0]

    @property
    def verb(self) -> str:
        """Its second word, "" if it is of one word."""
        return self.words.partition(" ")[2]

    def key(self, name: str) -> Key | None:
        """The key of that name; ``-`` counts as ``_``."""
        plain = name.replace("-", "_").lower()
        return next((key for key in self.keys if key.name == plain), None)
