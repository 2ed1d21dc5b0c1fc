"""All accounts of this process. The one place where settings that changed become links that run.

Owns which link exists. Must not know how a link reaches its network: it tells the connector, and the app dials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from bouncer.core.account import Account
from bouncer.core.link import Link
from bouncer.core.lobby import Lobby
from bouncer.downstream.welcome import note
from bouncer.model.log import Log, message_ids
from bouncer.model.ports import Archive, Head, Records, Snapshot, Timers
from bouncer.model.questions import Recall, unanswered
from bouncer.model.records import Network, User, fold_name
from bouncer.upstream.tracked import Row

# Numbers left out when a network is brought back in the same life of the process: its server may still have said
# something while it was left, which takes seconds.
LAST_WORDS = 10_000
# How far our own clock may have been set back between two starts: by the hour of daylight saving, and a slow hand.
SET_BACK_MS = 2 * 3600 * 1000


class Connector(Protocol):
    """Who keeps links connected."""

    def added(self, link: Link) -> None:
        """Connect it, if it is enabled."""

    def changed(self, link: Link, before: Network) -> None:
        """Its settings were ``before``; reconnect if it has to be."""

    def removed(self, link: Link) -> None:
        """Disconnect it for good."""


class House:
    """The accounts, by folded name."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        records: Records,
        archive: Archive,
        tracked: Mapping[str, Row],
        timers: Timers,
        hostname: str,
        version: str,
        connector: Connector,
        recall: Recall = unanswered,
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.changes = 0  # how often settings were changed by a command or a file
        self.trouble = ""  # what each client is told that comes in
        self._links: dict[int, Link] = {}  # of all accounts, by network id
        self._heads = dict(snapshot.heads)
        self._boot = snapshot.boot
        self._next_user = snapshot.next_user_id
        self._next_network = snapshot.next_network_id
        self._records = records
        self._archive = archive
        self._tracked = tracked
        self._timers = timers
        self._hostname = hostname
        self._version = version
        self._connector = connector
        self._recall = recall
        archive.listen(self._durable)

    def new_user_id(self) -> int:
        """An id that no user has or has had."""
        self._next_user += 1
        return self._next_user - 1

    def new_network_id(self) -> int:
        """An id that no network has or has had."""
        self._next_network += 1
        return self._next_network - 1

    def account(self, name: str) -> Account | None:
        """The account of that name, in any case, or None."""
        return self.accounts.get(fold_name(name))

    def account_of(self, user_id: int) -> Account | None:
        """The account of the user with that id, whatever its name is now, or None."""
        return next((each for each in self.accounts.values() if each.user.id == user_id), None)

    def users(self) -> list[User]:
        """All users as they are now."""
        return [account.user for account in self.accounts.values()]

    def link(self, network_id: int) -> Link | None:
        """The link of that network, or None."""
        return self._links.get(network_id)

    def links(self) -> list[Link]:
        """All links of all accounts."""
        return list(self._links.values())

    def announce(self, text: str, *, lasting: bool = False) -> None:
        """Tell all attached clients; if it is ``lasting``, also those who come in before the next announcement."""
        self.trouble = text if lasting else ""
        for account in self.accounts.values():
            account.lobby.publish([note(account.lobby.state.nick, text)])
            for link in account.links.values():
                link.tell(text)

    def replace(self, user: User) -> None:
        """Let a user be as given: new, or in place of the one with that id. Links follow the networks by their ids."""
        self.changes += 1
        account = self.account_of(user.id)
        if account is None:
            account = Account(user, Lobby(user, self._hostname, self._version, self._timers))
        else:
            del self.accounts[fold_name(account.user.name)]
        self.accounts[fold_name(user.name)] = account
        account.user = user
        account.lobby.reconfigure(user)
        if not user.enabled:
            for session in account.sessions:
                session.close("Your account is switched off")
        kept = {network.id: network for network in user.networks}
        for network_id in [each for each in account.links if each not in kept]:
            self._drop(account.links.pop(network_id))
        links = {}
        for network in user.networks:
            link = account.links.get(network.id)
            links[network.id] = link or self._link(account, network)
            if link is not None:
                self._reconfigure(link, user, network)
        account.links = links
        account.settings_changed()

    def remove(self, user_id: int) -> None:
        """End an account and all that is attached to it."""
        account = self.account_of(user_id)
        if account is None:
            return
        self.changes += 1
        del self.accounts[fold_name(account.user.name)]
        for session in account.sessions:
            session.close("Your account was removed")
        links, account.links = account.links, {}
        for link in links.values():
            self._drop(link)

    def _link(self, account: Account, network: Network) -> Link:
        head = self._heads.get(network.id, Head(0, 0, {}))
        link = Link(
            account.user,
            network,
            log=Log(network.id, head.seq, self._last_time(head), message_ids(self._boot, network.id)),
            positions=head.positions,
            archive=self._archive,
            tracked=self._tracked,
            timers=self._timers,
            hostname=self._hostname,
            version=self._version,
            keep=self._keeper(account),
            changed=account.link_changed,
            recall=self._recall,
        )
        account.links[network.id] = self._links[network.id] = link
        self._connector.added(link)
        return link

    def _last_time(self, head: Head) -> int:
        """The time (milliseconds) before which no line of ours is: that of the newest, if our clock was set back since.
        One from further in the future has its time from a network with a wrong clock."""
        now = int(self._timers.now() * 1000)
        return head.time if head.time <= now + SET_BACK_MS else now

    def _keeper(self, account: Account) -> Callable[[Network], None]:
        """How a link has its own network's settings kept: what the user did in a client counts like a command."""

        def keep(network: Network) -> None:
            if network.id not in account.links:
                return  # removed; what its server still says must not bring it back
            networks = tuple(network if each.id == network.id else each for each in account.user.networks)
            account.user = account.lobby.user = replace(account.user, networks=networks)
            account.links[network.id].reconfigure(account.user, network)
            self._records.put_users([account.user])

        return keep

    def _reconfigure(self, link: Link, user: User, network: Network) -> None:
        before, user_before = link.network, link.user
        if before == network and user_before == user:
            return
        link.reconfigure(user, network)
        wanted = {channel.name for channel in network.channels}
        link.leave(channel.name for channel in before.channels if channel.name not in wanted)
        self._connector.changed(link, before)
        if link.state.registered:
            link.join_wanted()

    def _drop(self, link: Link) -> None:
        """End a link. If its network is brought back, it goes on where this one ends: no number is given twice."""
        del self._links[link.network.id]
        self._heads[link.network.id] = Head(link.log.seq + LAST_WORDS, link.log.last_time, link.positions.kept)
        for session in list(link.sessions):
            session.close(f"The network {link.network.name} was removed")
        self._connector.removed(link)

    def _durable(self, marks: Mapping[int, int]) -> None:
        """The store has the lines of these networks up to these numbers."""
        for network_id, seq in marks.items():
            link = self._links.get(network_id)
            if link is not None:
                link.log.settle(seq)
