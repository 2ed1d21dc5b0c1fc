"""Lets clients in: checks who they say they are, finds their network, gives them their place there.

Owns the way from a complete registration to a session. Tasks are the desk's: one for each question, none of them on the
path of relayed text.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bouncer.app.desk import Desk
from bouncer.app.visit import Visit
from bouncer.core.account import Account
from bouncer.core.house import House
from bouncer.core.link import Link
from bouncer.downstream.commands import COMMANDS
from bouncer.downstream.deliver import Renderer
from bouncer.downstream.login import Arrival, Credentials
from bouncer.downstream.replay import Replay
from bouncer.downstream.session import FAULT, Session
from bouncer.irc import numerics
from bouncer.model.capability import Capability
from bouncer.model.errors import Unavailable
from bouncer.model.ports import History, Records, Timers
from bouncer.model.records import FIRST_HELPING_DAYS
from bouncer.operations.context import Passwords

logger = logging.getLogger(__name__)

DAY_MS = 24 * 3600 * 1000


class Entrance:
    """See `app.visit.Reception` for what visits use of it."""

    def __init__(
        self,
        *,
        desk: Desk,
        house: House,
        history: History,
        records: Records,
        passwords: Passwords,
        timers: Timers,
        capabilities: Sequence[Capability],
        hostname: str,
    ) -> None:
        self.hostname = hostname
        self.offered: Mapping[str, str | None] = MappingProxyType(
            {row.name: row.value for row in capabilities if row.offered}
        )
        self._desk = desk
        self._house = house
        self._history = history
        self._records = records
        self._passwords = passwords
        self._timers = timers
        self._renderer = Renderer(capabilities)

    def known(self, user: str) -> bool:
        """Whether such a user exists."""
        return self._house.account(user) is not None

    def check(self, credentials: Credentials, visit: Visit) -> None:
        """Whether user and password belong together. It takes as long for a user that does not exist."""
        self._desk.spawn(self._or_end(visit, self._check(credentials, visit)), f"login {visit.peer.address}")

    async def _or_end(self, visit: Visit, work: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong, a visit ends in a welcome or in a word why not (design 5.4)."""
        try:
            await work
        except Unavailable as failure:
            visit.end(str(failure))
        except Exception:
            logger.exception("an error of ours ends the visit from %s", visit.peer.address)
            visit.end(FAULT)

    async def _check(self, credentials: Credentials, visit: Visit) -> None:
        account = self._house.account(credentials.login.user)
        password_hash = account.user.password_hash if account else ""
        right = await self._passwords.verify(password_hash, credentials.password)
        right = right and account is not None and account.user.enabled
        if not right:
            logger.warning("wrong login from %s", visit.peer.address)
        visit.verdict(right)

    def admit(self, visit: Visit) -> None:
        """Find the visitor's network and place, and let it in."""
        self._desk.spawn(self._or_end(visit, self._admit(visit)), f"admit {visit.peer.address}")

    async def _admit(self, visit: Visit) -> None:
        login = visit.registration.admitted
        account = self._house.account(login.user) if login else None
        if login is None or account is None:
            visit.end("Your account was removed")
            return
        link = self._choose(account, login.network)
        if login.network and link is None:
            names = ", ".join(network.name for network in account.user.networks) or "none"
            visit.refuse(numerics.ERR_PASSWDMISMATCH, f"You have no network {login.network}; yours: {names}")
            return
        device = visit.registration.device
        if link is not None:
            await self._place(account, link, device)
        if visit.over:
            return
        if not self._is_there(account, link):  # it waited for the store, and settings do not wait
            visit.end("Your account or network was changed just now; connect again")
            return
        peer = visit.peer
        session = Session(
            sink=peer,
            place=link or account.lobby,
            offer=visit.offer,
            renderer=self._renderer,
            commands=COMMANDS,
            arrival=Arrival(login, device, peer.address, self._timers.now(), peer.secure, visit.registration.nick),
            ask=self._desk.ask,
            timers=self._timers,
            replay=Replay(self._renderer, zone_of(account.user.timezone)),
        )
        if link is not None:
            link.attach(session, link.positions.get(device, link.log.seq))
        else:
            account.lobby.attach(session, [network.name for network in account.user.networks])
        visit.let_in(session)
        logger.info("%s attached from %s", account.user.name, peer.address)

    def _is_there(self, account: Account, link: Link | None) -> bool:
        """Whether they are in the house still, and open."""
        user = account.user
        if self._house.account(user.name) is not account or not user.enabled:
            return False
        return link is None or account.links.get(link.network.id) is link

    def _choose(self, account: Account, name: str) -> Link | None:
        if name:
            return account.link(name)
        return next(iter(account.links.values())) if len(account.links) == 1 else None

    async def _place(self, account: Account, link: Link, device: str) -> None:
        """Give a device that was never here a position, durable before it is welcomed."""
        if device in link.positions:
            return
        since = int(self._timers.now() * 1000) - FIRST_HELPING_DAYS * DAY_MS
        try:
            seq = await self._history.first_helping(link.network.id, account.user.first_helping, since)
            if device not in link.positions:
                link.place_device(device, seq)
            await self._records.settled()
        except Unavailable as failure:
            logger.error("a new device of %s begins at the newest line: %s", account.user.name, failure)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
