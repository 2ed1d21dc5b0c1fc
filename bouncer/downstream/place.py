"""The two shapes that meet in an attachment: a client as its network sees it, and the network as a client sees it.

Owns both ports, so that neither side needs to know the other's class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

from bouncer.downstream.login import Arrival
from bouncer.downstream.markers import Markers
from bouncer.irc.caps import CapOffer
from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.entry import Kind
from bouncer.model.log import Log
from bouncer.model.ports import Kept
from bouncer.model.state import ChannelState, NetworkState


@dataclass(frozen=True, slots=True)
class Frame:
    """A batch around lines, for clients that take batches: its type, and the conversation that it is about ("" if
    about none). ``complete``: there is no more of what was asked for (draft/chathistory-end)."""

    type: str
    target: str = ""
    complete: bool = False


class Attached(Protocol):
    """A client that is registered with us."""

    @property
    def arrival(self) -> Arrival: ...

    @property
    def device(self) -> str:
        """The key of its position."""

    @property
    def confirmed(self) -> int:
        """The kept line up to which it has proved to have read."""

    @property
    def place(self) -> Place: ...

    @property
    def nick(self) -> str:
        """What its lines are addressed to."""

    @property
    def profile(self) -> int:
        """Its capabilities, see `deliver`."""

    @property
    def kinds(self) -> Set[Kind]:
        """What it is to be given of the past."""

    @property
    def now(self) -> float:
        """The time, in seconds since 1970 UTC."""

    @property
    def offer(self) -> CapOffer:
        """Its negotiation of capabilities; after a change call :meth:`recapped`."""

    def recapped(self) -> None:
        """Its capabilities have changed."""

    def prove(self, token: str) -> bool:
        """It has sent a PONG; True if the token was one of ours."""

    def start(self, welcome: bytes, position: int) -> None:
        """Come in: the welcome, all kept text after ``position``, then what comes."""

    def owe(self, channel: str, after: int, upto: int) -> None:
        """It has not been shown what was said in a channel, of kept lines those with ``after < seq <= upto``: give it
        that next, and tell its place with :meth:`Place.caught_up` when it has read it."""

    def rendered(self, message: Message) -> bytes:
        """A line of ours as this client takes it; b"" if it is not to see it."""

    def reply(self, *messages: Message) -> None:
        """Answer the client, behind all that the log held when it asked."""

    def reply_lines(self, lines: bytes) -> None:
        """Like :meth:`reply`, for lines that are rendered already (each with its line end)."""

    def history(self, rows: Sequence[Kept], frame: Frame) -> None:
        """Answer with lines of one conversation out of the store."""

    def batch(self, messages: Sequence[Message], frame: Frame) -> None:
        """Answer with lines of ours that belong together."""

    def say(self, numeric: str, *params: str) -> None:
        """Answer with a numeric, addressed to the client's nick."""

    def ask(self, question: object, render: Callable[[Any], None]) -> None:
        """Ask the world outside; ``render`` gets the answer. Until then the client's later commands are parked."""

    def close(self, reason: str) -> None:
        """End this client's connection with a word why."""


class Place(Protocol):
    """A network, or the lobby of those who are attached to none."""

    @property
    def log(self) -> Log: ...

    @property
    def state(self) -> NetworkState:
        """The picture of now, or the last one of a network that is down."""

    @property
    def channels(self) -> CaseMap[ChannelState]:
        """What is on the clients' screens: the channels we are in, and those we will be in again."""

    @property
    def server(self) -> str:
        """The name under which numerics come."""

    @property
    def title(self) -> str:
        """The network's name."""

    @property
    def down(self) -> str:
        """Why nothing can be sent, in one sentence; "" if it can."""

    @property
    def markers(self) -> Markers:
        """Up to when the user has read each conversation."""

    def publish(self, messages: Iterable[Message]) -> None:
        """Show lines of our own to all attached clients; they are not kept."""

    def send(self, session: Attached, message: Message) -> None:
        """Pass a line on to the network, or tell the session why not."""

    def confirm(self, session: Attached) -> None:
        """The session's ``confirmed`` has moved on."""

    def caught_up(self, session: Attached, channel: str) -> None:
        """The session has read what it was owed of a channel."""

    def detach(self, session: Attached) -> None:
        """The session has ended."""

    def is_detached(self, channel: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
