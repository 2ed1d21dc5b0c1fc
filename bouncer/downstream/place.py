"""What a session sees of the network it is attached to. `core` gives it; this room only says what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.log import Log
from bouncer.model.state import ChannelState, NetworkState

if TYPE_CHECKING:
    from bouncer.downstream.session import Session


class Place(Protocol):
    """A network, or the lobby of those who are attached to none."""

    @property
    def log(self) -> Log: ...

    @property
    def state(self) -> NetworkState:
        """The picture of now; of a network that is down, one with nothing but our nick."""

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

    def send(self, session: Session, message: Message) -> None:
        """Pass a line on to the network, or tell the session why not."""

    def confirm(self, session: Session) -> None:
        """The session's ``confirmed`` has moved on."""

    def detach(self, session: Session) -> None:
        """The session has ended."""

    def is_detached(self, channel: str) -> bool:
        """Whether a channel is kept from the clients' screens."""
