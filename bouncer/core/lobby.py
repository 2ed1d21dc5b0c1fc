"""Where clients are that named no network: they can talk to ``*bouncer``, and to nobody else.

Owns the answers such a client gets. Must not know any network.
"""

from __future__ import annotations

from bouncer.downstream.place import Attached
from bouncer.downstream.welcome import note, welcome
from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMap
from bouncer.irc.message import Message
from bouncer.model.log import Log
from bouncer.model.records import User
from bouncer.model.state import ChannelState, NetworkState

NOT_BOUND = "no network is chosen; log in as user/network, or see /msg *bouncer help network"


class Lobby:
    """The Place of one user's clients that are attached to no network."""

    def __init__(self, user: User, hostname: str, version: str) -> None:
        self.user = user
        self.log = Log()
        self.state = NetworkState(user.nick or user.name)
        self.channels: CaseMap[ChannelState] = CaseMap()
        self.sessions: list[Attached] = []
        self.server = hostname
        self.title = "bouncer"
        self.down = NOT_BOUND
        self._version = version

    def attach(self, session: Attached, networks: list[str]) -> None:
        """Let a client in, and tell it what it can choose from."""
        self.sessions.append(session)
        session.start(
            b"".join(session.rendered(message) for message in welcome(self, self._version, session.arrival.nick)), 0
        )
        names = ", ".join(networks) or "none yet: /msg *bouncer help network create"
        text = f"You are not attached to a network. Log in as user/network; yours: {names}"
        session.reply(note(self.state.nick, text))

    def detach(self, session: Attached) -> None:
        """A session has ended."""
        if session in self.sessions:
            self.sessions.remove(session)

    def send(self, session: Attached, message: Message) -> None:
        """There is nobody to send to."""
        session.say(numerics.ERR_CANNOTSENDTOCHAN, message.param(0) or "*", f"Not sent: {NOT_BOUND}")

    def confirm(self, session: Attached) -> None:
        """Nothing is kept here."""

    def is_detached(self, channel: str) -> bool:
        """There are no channels."""
        return False
