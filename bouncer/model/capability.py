"""A row of the table of capabilities: what a client must have asked for to see a thing, and what it sees without.

Owns the row type. Must not know the rows: they are in `caps`, and are handed down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bouncer.irc.message import Message

Downgrade = Callable[[Message], Message]


@dataclass(frozen=True, slots=True)
class Capability:
    """One IRCv3 capability.

    ``value`` is what CAP LS 302 shows after ``=``. ``wanted``: we ask networks for it. ``offered``: clients may ask
    us for it. ``tags``: tags that only clients with it get. ``hides``: commands that only clients with it see at all.
    ``downgrades``: by command, how a line is told to a client without it.
    """

    name: str
    value: str | None = None
    wanted: bool = False
    offered: bool = True
    tags: frozenset[str] = frozenset()
    hides: frozenset[str] = frozenset()
    downgrades: Mapping[str, Downgrade] = field(default_factory=lambda: MappingProxyType({}))
