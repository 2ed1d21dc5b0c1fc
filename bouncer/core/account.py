"""One user as long as the process runs: the settings, a link for each network, and the lobby.

Owns who is told when one of the networks changes. Must not know why it does.
"""

from __future__ import annotations

from bouncer.core.link import Link
from bouncer.core.lobby import Lobby
from bouncer.core.status import printable
from bouncer.downstream.networks import attributes, difference, is_watching, listing, network_line
from bouncer.downstream.place import Attached
from bouncer.model.records import User


class Account:
    """A user and all that is attached in the user's name. ``links`` by network id, in order of the settings."""

    def __init__(self, user: User, lobby: Lobby) -> None:
        self.user = user
        self.lobby = lobby
        self.links: dict[int, Link] = {}
        self._told: dict[int, dict[str, str]] = {}  # what those who watch the networks know; of no use without any

    def link(self, name: str) -> Link | None:
        """The link of the network of that name, in any case, or None."""
        network = self.user.network(name)
        return self.links.get(network.id) if network else None

    @property
    def sessions(self) -> list[Attached]:
        """All attached clients, on any network and on none."""
        return [*self.lobby.sessions, *(session for link in self.links.values() for session in link.sessions)]

    def roster(self) -> dict[int, dict[str, str]]:
        """The networks by their ids, as clients are told of them; from here on they are told of changes to it."""
        self._told = {netid: _told_of(link) for netid, link in self.links.items()}
        return self._told

    def greet(self, session: Attached) -> None:
        """A client has come in: tell it of the networks, if it watches them."""
        if is_watching(session):
            session.reply(*listing(session, self.roster()))

    def link_changed(self, link: Link) -> None:
        """A link stands otherwise with its network."""
        places = self._watched()
        if places and self.links.get(link.network.id) is link:
            self._tell_of(link, places)

    def settings_changed(self) -> None:
        """The user's networks are others, or have other settings."""
        places = self._watched()
        if not places:
            return
        for netid in [each for each in self._told if each not in self.links]:
            del self._told[netid]
            _tell(places, netid, None)
        for link in self.links.values():
            self._tell_of(link, places)

    def _watched(self) -> list[Link | Lobby]:
        """The places from which somebody watches the networks."""
        places: list[Link | Lobby] = [self.lobby, *self.links.values()]
        return [place for place in places if any(map(is_watching, place.sessions))]

    def _tell_of(self, link: Link, places: list[Link | Lobby]) -> None:
        netid, told = link.network.id, _told_of(link)
        news = difference(self._told.get(netid, {}), told)
        self._told[netid] = told
        if news:
            _tell(places, netid, news)


def _told_of(link: Link) -> dict[str, str]:
    return attributes(link.user, link.network, link.phase.state, printable(link.phase.reason))


def _tell(places: list[Link | Lobby], netid: int, news: dict[str, str] | None) -> None:
    for place in places:
        place.publish([network_line(place.server, netid, news)])
