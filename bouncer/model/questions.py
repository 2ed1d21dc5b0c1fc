"""Questions that a session asks of the world outside, and whose answers it renders when they come.

Owns the shapes. Who answers is decided in `app`; a session never waits, it is called again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
