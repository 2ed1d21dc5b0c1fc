"""One user as long as the process runs: the settings, a link for each network, and the lobby."""

from __future__ import annotations

from bouncer.core.link import Link
from bouncer.core.lobby import Lobby
from bouncer.downstream.place import Attached
from bouncer.model.records import User


class Account:
    """A user and all that is attached in the user's name. ``links`` by network id, in order of the settings."""

    def __init__(self, user: User, lobby: Lobby) -> None:
        self.user = user
        self.lobby = lobby
        self.links: dict[int, Link] = {}

    def link(self, name: str) -> Link | None:
        """The link of the network of that name, in any case, or None."""
        network = self.user.network(name)
        return self.links.get(network.id) if network else None

    @property
    def sessions(self) -> list[Attached]:
        """All attached clients, on any network and on none."""
        return [*self.lobby.sessions, *(session for link in self.links.values() for session in link.sessions)]
